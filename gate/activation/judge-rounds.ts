/**
 * What rounds of a reference say of a suite. Pure, and phrased so that whatever is missing counts against the suite: a build that is
 * right must pass every case in every round, one that is wrong must be blocked in every round, and no case may go both ways.
 */
import type { Reference } from '../../suites/reference.ts';
import { allPassed, type CaseResult, type SuiteScore } from '../decide.ts';
import type { PreflightFinding } from './preflight-report.ts';

const detailCharsMax = 300;

/** What is said of a reference whose output depends on chance. */
export const unsteady =
  'what it makes of this case depends on chance or on the order of cases: nobody can be compared with it (give the case a seed)';

/**
 * What is wrong, if anything. `rounds` are the scores of one reference, one for each round. A case that generates its inputs has others
 * in each, so that without being flaky it may miss a wrong build now and then, and a right one may rightly return or throw; that some
 * case blocks the wrong one, and that the right one passes every time, is demanded all the same.
 */
export function judgeRounds(
  { name: reference, verdict }: Pick<Reference, 'name' | 'verdict'>,
  rounds: SuiteScore[],
  isGenerated: (position: number) => boolean = () => false,
): PreflightFinding[] {
  if (rounds.length === 0) return [{ reference, case: null, kind: 'failed', detail: 'it was not run' }];
  const [first] = rounds;
  const findings = (first?.results ?? []).flatMap(({ name, position }, index) => {
    // In each round the same cases were asked, in the same sequence.
    const results = rounds.map((round) => {
      const result = round.results[index];
      return result?.position === position ? result : undefined;
    });
    if (verdict === 'block' && isGenerated(position)) return [];
    const finding = judgeCase(results, verdict, isGenerated(position));
    return finding === undefined ? [] : [{ reference, case: name, ...finding }];
  });
  if (verdict === 'merge') {
    const isSound = rounds.every(allPassed) || findings.length > 0;
    return isSound ? findings : [{ reference, case: null, kind: 'failed', detail: 'a case has no result' }];
  }
  const green = rounds.findIndex(allPassed);
  if (green === -1) return findings;
  const detail = `every case passed in round ${green + 1}`;
  return [{ reference, case: null, kind: 'passed', detail }, ...findings];
}

type CaseFinding = Pick<PreflightFinding, 'kind' | 'detail'>;

function judgeCase(
  results: (CaseResult | undefined)[],
  verdict: Reference['verdict'],
  hasOtherInputs: boolean,
): CaseFinding | undefined {
  const passes = results.filter((result) => result?.passed === true).length;
  const failing = results.findIndex((result) => result?.passed !== true);
  const message = shortened(results[failing]?.message ?? 'it has no result');
  if (passes > 0 && passes < results.length) {
    const detail = `it passed in ${passes} of ${results.length} rounds; in round ${failing + 1}: ${message}`;
    return { kind: 'flaky', detail };
  }
  const outcomes = new Set(results.map((result) => result?.outcome));
  if (outcomes.size > 1 && !(hasOtherInputs && passes === results.length)) {
    const detail = `it ended now as ${[...outcomes].join(', now as ')}`;
    return { kind: 'flaky', detail };
  }
  return passes === 0 && verdict === 'merge' ? { kind: 'failed', detail: message } : undefined;
}

function shortened(text: string): string {
  return text.length <= detailCharsMax ? text : `${text.slice(0, detailCharsMax)}…`;
}
