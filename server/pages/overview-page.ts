/** The gates and how they stand. */
import { html } from 'hono/html';
import type { Gate } from '../../gate/gate.ts';
import { emptyState } from './empty-state.ts';
import type { Html } from './html.ts';

export function overviewPage(gates: Gate[]): Html {
  return html`<h1>Overview</h1>
${
  gates.length === 0
    ? emptyState({
        title: 'There is no gate yet',
        text: 'A gate says which suites a merge needs. Push a suite, then put a gate in front of it:',
        command: 'holdback gate set main --suite discounts',
      })
    : html`<ul class="cards">${gates.map(
        ({ gate, suites }) =>
          html`<li class="card"><h2><a href="/ui/gates/${gate}">${gate}</a></h2><p class="muted">${suites.join(', ')}</p></li>`,
      )}</ul>`
}`;
}
