/** Gates and what was spent at them, as people read them. */
import type { GateExposure } from '../../gate/disclosure/disclosed.ts';
import type { Gate } from '../../gate/gate.ts';
import { minimumText } from '../../gate/strength/strength.ts';
import { lines } from './wording.ts';

export function textOfGate({
  gate,
  active,
  attemptsPerChange,
  exposureBudgetBits,
  disclosure,
  overrideApprovals,
  minimumStrength,
  review,
  publicBadges,
  concurrency,
}: Gate): string {
  const suites = active.map(({ suite, activeRevision }) => {
    return activeRevision === null
      ? `${suite} (no active revision: nothing merges)`
      : `${suite} (revision ${activeRevision})`;
  });
  const exposure = exposureBudgetBits === undefined ? [] : [`at most ${exposureBudgetBits} bits of exposure`];
  return [
    `gate ${gate}: needs ${suites.join(', ')}`,
    `at most ${attemptsPerChange} attempts per change`,
    ...exposure,
    ...(disclosure === 'verdict' ? [] : [`discloses ${disclosure}`]),
    ...(minimumStrength === undefined
      ? []
      : [`activates no revision of a strength below ${minimumText(minimumStrength)}`]),
    ...(overrideApprovals === 1 ? [] : [`${overrideApprovals} people to override a block`]),
    ...(review ? ['revisions are reviewed'] : []),
    ...(publicBadges ? ['badges are public'] : []),
    ...(concurrency === undefined ? [] : [`at most ${concurrency} of its scores run at once`]),
  ].join('; ');
}

export function textOfExposure({ gate, budgetBits, suites }: GateExposure): string {
  const budget = budgetBits === null ? '' : ` of ${budgetBits}`;
  const rows = suites.map(
    ({ suite, revision, bits }) => `${suite} revision ${revision}: ${bits.toFixed(1)}${budget} bits`,
  );
  return lines(rows, `gate ${gate} has no active revision`);
}
