/** A verdict in a word: what it says stands in the text, its colour and shape only repeat it. */
import { html } from 'hono/html';
import type { FinishedScore } from '../../gate/disclosure/disclosed.ts';
import type { Html } from './html.ts';

/** What each reason is called where people read it, and how it looks. */
const words: Record<FinishedScore['reason'], { label: string; look: 'good' | 'bad' | 'warn' }> = {
  green: { label: 'green', look: 'good' },
  overridden: { label: 'overridden', look: 'warn' },
  red: { label: 'red', look: 'bad' },
  not_scored: { label: 'not scored', look: 'warn' },
  stale: { label: 'stale', look: 'warn' },
  superseded: { label: 'superseded', look: 'warn' },
  budget_exhausted: { label: 'budget exhausted', look: 'warn' },
  indeterminate: { label: 'indeterminate', look: 'warn' },
};

/** A verdict with its reason, or that there is none yet. */
export function verdictBadge(
  score: { state: 'running' } | Pick<FinishedScore, 'state' | 'verdict' | 'reason'>,
): Html {
  if (score.state === 'running') return html`<span class="badge running">running</span>`;
  const { verdict, reason } = score;
  const { label, look } = words[reason];
  return html`<span class="badge ${look}">${verdict} · ${label}</span>`;
}

/** A verdict by its reason, which comes with one verdict alone. */
export function reasonBadge(reason: FinishedScore['reason']): Html {
  const verdict = reason === 'green' || reason === 'overridden' ? 'merge' : 'block';
  return verdictBadge({ state: 'finished', verdict, reason });
}
