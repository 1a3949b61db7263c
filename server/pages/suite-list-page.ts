/** Every suite that the reader may see, and whether it judges anybody yet. */
import { html } from 'hono/html';
import type { Suite } from '../../suites/suite.ts';
import { emptyState } from './empty-state.ts';
import type { Html } from './html.ts';
import { revisionState } from './revision-state.ts';
import { table } from './table.ts';
import { agoTag } from './time-tag.ts';

export type ListedSuite = {
  suite: Suite;
  /** The gates that need it, of those that the reader may see. */
  gates: string[];
  /** What its active revision has told, in bits. */
  bits: number;
};

export function suiteListPage(suites: ListedSuite[], { mayWrite }: { mayWrite: boolean }): Html {
  return html`<div class="head"><div><h1>Suites</h1>
<p class="muted">Sealed sets of holdback cases. A gate asks the active revision of each.</p></div></div>
${suites.length === 0 ? nothing(mayWrite) : list(suites)}`;
}

function nothing(mayWrite: boolean): Html {
  if (!mayWrite) {
    return emptyState({
      title: 'There is no suite yet',
      text: 'Authors push suites. As soon as one is there, its revisions and what they have told stand here.',
    });
  }
  return emptyState({
    title: 'There is no suite yet',
    text: 'Write a few cases whose answers the author of a change cannot see into a file, and push it. It is sealed on arrival.',
    command: 'holdback suite push discounts discounts.suite.ts --activate',
  });
}

function list(suites: ListedSuite[]): Html {
  return table({
    caption: 'Suites',
    isCaptionHidden: true,
    columns: [
      { name: 'Suite' },
      { name: 'Active' },
      { name: 'Cases', isNumber: true },
      { name: 'Newest' },
      { name: 'Needed by' },
      { name: 'Exposure, bits', isNumber: true },
    ],
    rows: suites.map(({ suite: { suite, activeRevision, revisions }, gates, bits }) => {
      const active = revisions.find(({ revision }) => revision === activeRevision);
      const [newest] = revisions;
      return [
        html`<a href="/ui/suites/${suite}">${suite}</a>`,
        active === undefined
          ? html`<span class="badge warn">none</span>`
          : html`<a class="nowrap" href="/ui/suites/${suite}/revisions/${active.revision}">revision ${active.revision}</a>`,
        active === undefined ? '–' : `${active.cases}`,
        newest === undefined
          ? '–'
          : html`<span class="nowrap"><a href="/ui/suites/${suite}/revisions/${newest.revision}">${newest.revision}</a> ${revisionState(newest.state)} <span class="muted">${agoTag(newest.createdAt)}</span></span>`,
        gates.length === 0
          ? html`<span class="muted">no gate</span>`
          : gates
              .map((gate) => html`<a class="chip" href="/ui/gates/${gate}">${gate}</a> `)
              .reduce((all, one) => html`${all}${one}`),
        active === undefined ? '–' : bitsText(bits),
      ];
    }),
  });
}

/** Bits as people read them: two digits are more than anybody decides by. */
export function bitsText(bits: number): string {
  return bits === 0 ? '0' : bits < 0.01 ? '< 0.01' : `${Number(bits.toFixed(2))}`;
}
