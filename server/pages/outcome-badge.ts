/** How a case ended, in words, wherever pages tell of a case. */
import { html } from 'hono/html';
import type { Failure } from '../../gate/disclosure/disclosed.ts';
import type { Html } from './html.ts';

export type CaseOutcome = Failure['outcome'];

export function outcomeBadge(outcome: CaseOutcome): Html {
  return html`<span class="badge plain">${outcome.replaceAll('_', ' ')}</span>`;
}
