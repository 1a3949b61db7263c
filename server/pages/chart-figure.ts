/**
 * A picture over time on a page: its title, its legend, and the table behind it, which says the same in figures. Without scripts all of
 * it is there; `client/trends.ts` adds the crosshair, the zoom and a legend that switches.
 */
import { html } from 'hono/html';
import type { TrendBucket } from '../../gate/trends/trend.ts';
import { bucketName } from './bucket-name.ts';
import { emptyState } from './empty-state.ts';
import type { Html } from './html.ts';
import { type ChartPoint, lineChart } from './line-chart.ts';
import { nameOf } from './name-of.ts';
import type { Unit } from './quantity.ts';
import { signPicture } from './series-sign.ts';

export type ChartFigure = {
  id: string;
  title: string;
  /** What is shown, in a sentence or two. */
  about: string;
  unit: Unit;
  marks: 'line' | 'bars';
  bucket: TrendBucket;
  begins: readonly Date[];
  /** When the last bucket ends. */
  end: Date;
  shownMax: number;
  /** What each bucket of a series says, as a point of the line and in words. */
  series: readonly { name: string; readings: readonly (ChartPoint & { text: string })[] }[];
  /** What there is to say where no series has a value. */
  empty?: { title: string; text: string; command?: string };
  /** Whether there is nothing to draw where all values are zero. */
  isEmptyAtZero?: boolean;
};

export function chartFigure(figure: ChartFigure): Html {
  const { id, title, about, begins, end, bucket, series, shownMax } = figure;
  const isNone = (value: number | null) => value === null || (figure.isEmptyAtZero === true && value === 0);
  const isEmpty = series.every(({ readings }) => readings.every(({ value }) => isNone(value)));
  const head = html`<figcaption><h3>${title}</h3><p>${about}</p></figcaption>`;
  if (isEmpty) {
    const { empty = { title: 'Nothing in this period', text: 'There may be something in a longer one.' } } =
      figure;
    return html`<figure class="chart" id="${id}">${head}${emptyState(empty)}</figure>`;
  }
  const picture = lineChart({
    ...figure,
    description: `${about} The table below the picture has the same figures.`,
    series: series.map(({ name, readings }) => ({ name, points: readings })),
  });
  return html`<figure class="chart" id="${id}" data-chart="${title}" data-begins="${begins.map((begin) => begin.toISOString()).join(' ')}" data-end="${end.toISOString()}">${head}
${
  series.length === 1
    ? ''
    : html`<ul class="legend">${series.map(
        ({ name }, index) =>
          html`<li${index < shownMax ? '' : html` class="off"`}>${signPicture(index)}${nameOf(name, 28)}</li>`,
      )}</ul>`
}
<div class="plot">${picture}</div>
<details><summary>Table</summary><div class="table" tabindex="0" role="region" aria-label="${title}, as a table"><table>
<caption class="visually-hidden">${title}</caption>
<thead><tr><th scope="col">From</th>${series.map(({ name }) => html`<th scope="col">${nameOf(name)}</th>`)}</tr></thead>
<tbody>${begins.map(
    (begin, index) =>
      html`<tr><th scope="row">${bucketName(begin, bucket)}</th>${series.map(({ readings }) => html`<td>${readings[index]?.text ?? '–'}</td>`)}</tr>`,
  )}</tbody>
</table></div></details>
</figure>`;
}
