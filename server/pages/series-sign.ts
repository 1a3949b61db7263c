/**
 * How a series looks, in pictures and in their legends: a colour that people with any colour vision tell from its neighbours, and a
 * pattern of its line and a shape of its points besides, so that colour is never alone. Pure.
 */
import {
  type SymbolType,
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye,
} from 'd3-shape';
import { html } from 'hono/html';
import type { Html } from './html.ts';

const shapes: SymbolType[] = [
  symbolCircle,
  symbolSquare,
  symbolTriangle,
  symbolDiamond,
  symbolCross,
  symbolStar,
  symbolWye,
];
/** Lines and gaps, in the units of the picture. */
const dashes = [null, '7 4', '2 4', '9 3 2 3', '12 3 2 3 2 3'];

/** So many colours there are, `--series-1` and on. The sign after the last repeats the first colour with another shape and line. */
const colours = 7;

export type SeriesSign = {
  /** The class that colours it, by `chart.css`. */
  className: string;
  dash: string | null;
  /** The outline of one of its points around 0,0. */
  point: string;
};

/** The sign of the series at this place, from 0. */
export function seriesSign(index: number): SeriesSign {
  const shape = shapes[index % shapes.length] ?? symbolCircle;
  return {
    className: `series-${(index % colours) + 1}`,
    // Shapes and colours repeat together; the line is what differs then.
    dash: dashes[(index + Math.floor(index / colours)) % dashes.length] ?? null,
    point: symbol(shape, 34).digits(2)() ?? '',
  };
}

/** A small picture of a sign, for a legend or a table. */
export function signPicture(index: number): Html {
  const { className, dash, point } = seriesSign(index);
  return html`<svg class="sign ${className}" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true" focusable="false"><path class="line" d="M1,6H27"${
    dash === null ? '' : html` stroke-dasharray="${dash}"`
  }/><path class="point" d="${point}" transform="translate(14,6)"/></svg>`;
}
