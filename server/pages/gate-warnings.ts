/** What of a gate needs somebody, as sentences that say what to do. Pure. */
import { chargeOf } from '../../gate/disclosure/charge.ts';
import type { GateStanding, SuiteStanding } from '../../gate/standing.ts';

/** How a gate's budget is told of before it is spent. */
const nearlySpent = 0.8;

export type GateWarning = { look: 'bad' | 'warn'; text: string };

export function gateWarnings({ gate, suites }: GateStanding): GateWarning[] {
  const budget = gate.exposureBudgetBits;
  const cases = suites.reduce((sum, suite) => sum + (suite.cases ?? 0), 0);
  const least = chargeOf({ disclosure: gate.disclosure, cases, slot: 1 });
  return suites.flatMap((suite) => [...stateOf(suite), ...spentOf(suite, budget, least)]);
}

function stateOf({ suite, revision, referencesBehave }: SuiteStanding): GateWarning[] {
  if (revision === null) {
    return [{ look: 'bad', text: `${suite} has no active revision, so nothing merges: activate one.` }];
  }
  if (referencesBehave !== false) return [];
  const text = `The references of ${suite}@${revision} do not behave, so it judges nobody: mend the case or the reference.`;
  return [{ look: 'bad', text }];
}

/** `leastBits` is what the cheapest verdict costs: a candidate for which less is left is not scored. */
function spentOf(
  { suite, bits }: SuiteStanding,
  budget: number | undefined,
  leastBits: number,
): GateWarning[] {
  if (bits === undefined || budget === undefined) return [];
  if (bits + leastBits > budget) {
    const text = `The exposure budget of ${suite} is spent: less is left than a verdict costs. It needs fresh cases.`;
    return [{ look: 'bad', text }];
  }
  if (bits < nearlySpent * budget) return [];
  return [{ look: 'warn', text: `The exposure budget of ${suite} is nearly spent: write fresh cases.` }];
}
