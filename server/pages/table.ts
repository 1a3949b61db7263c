/** A table with a caption and named columns, in a box of its own that scrolls where the screen is narrower. */
import { html } from 'hono/html';
import type { Html } from './html.ts';

export type Column = { name: string; isNumber?: boolean };

export type TableOptions = {
  /** What it shows: read out by screen readers, and shown above it unless a heading says the same. */
  caption: string;
  isCaptionHidden?: boolean;
  columns: Column[];
  /** The first cell of each row is its header. */
  rows: (Html | string | number)[][];
};

export function table({ caption, isCaptionHidden = false, columns, rows }: TableOptions): Html {
  const look = (index: number) => (columns[index]?.isNumber === true ? html` class="number"` : '');
  return html`<div class="table" tabindex="0" role="region" aria-label="${caption}"><table>
<caption${isCaptionHidden ? html` class="visually-hidden"` : ''}>${caption}</caption>
<thead><tr>${columns.map(({ name }, index) => html`<th scope="col"${look(index)}>${name}</th>`)}</tr></thead>
<tbody>${rows.map(
    ([first, ...others]) =>
      html`<tr><th scope="row"${look(0)}>${first}</th>${others.map((cell, index) => html`<td${look(index + 1)}>${cell}</td>`)}</tr>`,
  )}</tbody>
</table></div>`;
}
