/**
 * A picture of several figures with the intervals that they lie in, one under the other, so that it shows who differs from whom: where
 * two intervals hardly overlap. SVG made on the server; every text in it is escaped. Pure.
 */
import { scaleLinear } from 'd3-scale';
import { html } from 'hono/html';
import type { Html } from './html.ts';
import { visible } from './name-of.ts';
import { quantity, type Unit } from './quantity.ts';
import { seriesSign } from './series-sign.ts';

export type IntervalRow = {
  name: string;
  value: number | null;
  low: number;
  high: number;
  /** Whose colour and shape it has: the place of its series. */
  sign: number;
};

export type IntervalChart = {
  /** Unlike that of every other picture on the page: letters, digits and hyphens. */
  id: string;
  title: string;
  description: string;
  unit: Unit;
  rows: readonly IntervalRow[];
};

const width = 560;
const rowHeight = 30;
const axisHeight = 26;
const namesWidth = 165;
const nameCharsMax = 16;

export function intervalChart({ id, title, description, unit, rows }: IntervalChart): Html {
  const known = rows.filter(({ value }) => value !== null);
  const height = rows.length * rowHeight + axisHeight + 6;
  const bottom = height - axisHeight;
  const x = scaleLinear()
    .domain([Math.min(0, ...known.map(({ low }) => low)), Math.max(0, ...known.map(({ high }) => high))])
    .range([namesWidth, width - 24])
    .nice(4);
  if (unit === 'share') x.domain([0, 1]);
  return html`<svg class="chart-picture" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-description">
<title id="${id}-title">${visible(title)}</title>
<desc id="${id}-description">${visible(description)}</desc>
<g class="axis">${x
    .ticks(4)
    .map(
      (value, nth) =>
        html`<path class="${value === 0 ? 'zero' : 'rule'}" d="M${round(x(value))},0V${bottom}"/><text class="${nth % 2 === 0 ? 'time' : 'time minor'}" x="${round(x(value))}" y="${bottom + 18}" text-anchor="middle">${quantity(unit, value)}</text>`,
    )}</g>
${rows.map((row, index) => {
  const { className, point } = seriesSign(row.sign);
  const middle = rowHeight * (index + 0.5) + 3;
  return html`<g class="series ${className}"><text class="name" x="${namesWidth - 14}" y="${middle + 4}" text-anchor="end">${short(row.name)}</text>${
    row.value === null
      ? html`<text x="${namesWidth + 8}" y="${middle + 4}">not known</text>`
      : html`<path class="bounds" d="M${round(x(row.low))},${middle - 5}v10m0,-5H${round(x(row.high))}m0,-5v10"/><path class="point large" d="${point}" transform="translate(${round(x(row.value))},${middle}) scale(1.3)"/>`
  }</g>`;
})}
</svg>`;
}

/** As much of a name as there is room for; the table behind the picture has the whole. */
function short(name: string): string {
  const chars = [...visible(name)];
  return chars.length <= nameCharsMax ? chars.join('') : `${chars.slice(0, nameCharsMax - 1).join('')}…`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
