/** How each case of a score ended and how long it took; with their names for authors. */
import { html } from 'hono/html';
import type { DisclosedCases } from '../../gate/disclosure/disclosed.ts';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';
import { outcomeBadge } from './outcome-badge.ts';
import { table } from './table.ts';
import { durationText } from './time-tag.ts';

/** So many cases are shown at once. */
export const casesPerPage = 200;

/** A part of the cases, from the one of this number; undefined where they are no longer kept. */
export type CasesShown = (Pick<DisclosedCases, 'cases' | 'next'> & { from: number }) | undefined;

export function scoreCases(scoreId: string, shown: CasesShown): Html | '' {
  if (shown?.cases.length === 0 && shown.from === 0) return '';
  return html`<section class="section" aria-labelledby="cases">
<h2 id="cases">Cases</h2>
${
  shown === undefined
    ? html`<p class="notice">How its cases ended is no longer kept; the verdict and its counts are.</p>`
    : html`${tableOf(shown.cases)}${pager(scoreId, shown)}`
}
</section>`;
}

function tableOf(cases: DisclosedCases['cases']): Html {
  return table({
    caption: 'How each case ended',
    isCaptionHidden: true,
    columns: [
      { name: 'Case' },
      { name: 'Suite' },
      { name: 'Result' },
      { name: 'Ended' },
      { name: 'Duration', isNumber: true },
    ],
    rows: cases.map(({ suite, position, name, outcome, passed, durationMs }) => [
      name === undefined ? `Case ${position + 1}` : nameOf(name, 80),
      suite,
      passed ? html`<span class="badge good">passed</span>` : html`<span class="badge bad">failed</span>`,
      outcomeBadge(outcome),
      durationText(durationMs),
    ]),
  });
}

function pager(scoreId: string, { from, next }: NonNullable<CasesShown>): Html | '' {
  if (from === 0 && next === null) return '';
  const to = (start: number | null, label: string) =>
    start === null || start < 0
      ? html`<span></span>`
      : html`<a class="button" href="/ui/scores/${scoreId}?cases=${start}#cases">${label}</a>`;
  return html`<nav class="pager" aria-label="Cases">${to(from - casesPerPage, 'Previous')}${to(next, 'Next')}</nav>`;
}
