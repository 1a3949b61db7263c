/** Badges: a word on how a gate or a change stands, as SVG for READMEs and comments. Pure. */
import { makeBadge } from 'badge-maker';
import type { ChangeState } from '../../gate/change-state.ts';
import type { Rate } from '../../gate/trends/trend.ts';
import { quantity } from './quantity.ts';

/** Dark enough for white letters. */
const colours = { good: '#15703f', bad: '#b3261e', plain: '#4f52d3', unknown: '#6b7280' };

/** What everybody sees of a gate that is not shown to them, and of one that there is not. */
export const notPublicBadge = badgeOf('holdback', 'not public', colours.unknown);

const states: Record<ChangeState, [text: string, colour: string]> = {
  merge: ['merge', colours.good],
  block: ['block', colours.bad],
  waiting: ['waiting', colours.plain],
  not_scored: ['not scored', colours.unknown],
};

/** How a change stands at a gate. What the change is called is not in it. */
export function changeBadge(gate: string, state: ChangeState): string {
  return badgeOf(`holdback ${gate}`, ...states[state]);
}

/** How many attempts at a gate passed within so many days. */
export function rateBadge(gate: string, { rate }: Rate, days: number): string {
  if (rate === null) return badgeOf(`holdback ${gate}`, `no verdict in ${days} days`, colours.unknown);
  return badgeOf(`holdback ${gate}`, `${quantity('share', rate)} pass in ${days} days`, colours.plain);
}

function badgeOf(label: string, message: string, color: string): string {
  // Pages may hold several, and their parts are found by id.
  const idSuffix = `${label}-${message}`.replace(/[^\w-]+/g, '-');
  return makeBadge({ label, message, color, idSuffix });
}
