/** What of a gate needs somebody, as sentences that say what to do. Pure. */
import type { GateStanding, SuiteStanding } from '../../gate/standing.ts';

/** How a gate's budget is told of before it is spent. */
const nearlySpent = 0.8;

export type GateWarning = { look: 'bad' | 'warn'; text: string };

export function gateWarnings({ gate, suites }: GateStanding): GateWarning[] {
  const budget = gate.exposureBudgetBits;
  return suites.flatMap((suite) => [...stateOf(suite), ...spentOf(suite, budget)]);
}

function stateOf({ suite, revision, referencesBehave }: SuiteStanding): GateWarning[] {
  if (revision === null) {
    return [{ look: 'bad', text: `${suite} has no active revision, so nothing merges: activate one.` }];
  }
  if (referencesBehave !== false) return [];
  const text = `The references of ${suite}@${revision} do not behave, so it judges nobody: mend the case or the reference.`;
  return [{ look: 'bad', text }];
}

function spentOf({ suite, bits }: SuiteStanding, budget: number | undefined): GateWarning[] {
  if (bits === undefined || budget === undefined) return [];
  if (bits >= budget) {
    return [{ look: 'bad', text: `The exposure budget of ${suite} is spent: it needs fresh cases.` }];
  }
  if (bits < nearlySpent * budget) return [];
  return [{ look: 'warn', text: `The exposure budget of ${suite} is nearly spent: write fresh cases.` }];
}
