/**
 * What is known of a trial before the grader is asked, and what the grader is asked about it: of an observation that no expectation can
 * accept nothing is asked.
 */
import type { Observation } from '../../runners/protocol.ts';
import { type CaseStep, isScenario, type SealedCase, stepsOf } from '../../suites/case.ts';
import type { GradedCall, GradeItem } from '../../suites/grader/protocol.ts';
import { isTripwire } from '../../suites/tripwire.ts';
import type { ObservedTrial, Trial, TrialResult } from './trials.ts';

/** So many characters are told of what a candidate threw. */
const toldCharsMax = 600;

/** A failing result, until the grader says otherwise. A tripwire passes unless its answer turns up somewhere. */
export function ungraded(testCase: SealedCase, tried: ObservedTrial | undefined): TrialResult {
  const observation = tried?.observed.observation ?? { outcome: 'not_run' as const };
  const asksNothing = isTripwire(testCase) && !isScenario(testCase);
  const ended = observation.outcome === 'returned' || observation.outcome === 'threw';
  const durationMs = (tried?.observed.durationMs ?? 0) + (tried?.related?.durationMs ?? 0);
  const isPassed = asksNothing && ended && testCase.relate === undefined;
  const message = isPassed ? '' : `it ${wordsOf(observation)}`;
  const related = tried?.related?.observation;
  // Where the case itself returned, what is to blame is the input that was made from its own.
  if (observation.outcome === 'returned' && related !== undefined && related.outcome !== 'returned') {
    const { outcome } = related;
    return { outcome, passed: false, message: `for the related input it ${wordsOf(related)}`, durationMs };
  }
  return { outcome: observation.outcome, passed: isPassed, message, durationMs };
}

function wordsOf(observation: Observation): string {
  if (observation.outcome === 'threw') {
    const { name, message } = observation.error;
    return `threw ${name}: ${message}`.slice(0, toldCharsMax);
  }
  const detail = 'detail' in observation && observation.detail !== undefined ? `: ${observation.detail}` : '';
  return `ended as ${observation.outcome}${detail}`;
}

/** What the grader is asked about a trial, or undefined where only a failure is possible. */
export function gradeItem(
  { position, testCase, related }: Trial,
  tried: ObservedTrial | undefined,
): GradeItem | undefined {
  if (tried === undefined) return undefined;
  const { observation } = tried.observed;
  const relation = relationOf(tried);
  if (related !== undefined && relation === null) return undefined;
  if (isScenario(testCase)) return scenarioItem(testCase, observation, position, relation);
  const [only] = stepsOf(testCase);
  if (only === undefined || (only.expect === undefined && relation === null)) return undefined;
  const expect = only.expect ?? { any: true };
  if ('tripwire' in expect) return undefined;
  const calls = [gradedCall(only, '', relation !== null)];
  if ('predicate' in expect) {
    if (observation.outcome !== 'returned') return undefined;
    return { position, calls, exchanges: null, observation: observation.value, relation };
  }
  if (observation.outcome !== 'returned' && observation.outcome !== 'threw') return undefined;
  return { position, calls, exchanges: null, observation: JSON.stringify(observation), relation };
}

/** The outputs that a relation is asked about: only what returned has one. */
function relationOf({ observed, related }: ObservedTrial): GradeItem['relation'] {
  const [first, other] = [observed.observation, related?.observation];
  if (first.outcome !== 'returned' || other?.outcome !== 'returned') return null;
  return { output: first.value, other: other.value };
}

/** A scenario returns the observation of its steps, whatever became of them; any other outcome ended it. */
function scenarioItem(
  testCase: SealedCase,
  observation: Observation,
  position: number,
  relation: GradeItem['relation'],
): GradeItem | undefined {
  if (observation.outcome !== 'returned') return undefined;
  const steps = stepsOf(testCase);
  const calls = steps.map((step) => gradedCall(step, labelOf(step, steps.length), relation !== null));
  const exchanges = (testCase.http ?? []).map(({ request: { method = 'GET', url }, times }) => ({
    label: `${method.toUpperCase()} ${url}`,
    times: times ?? null,
  }));
  return { position, calls, exchanges, observation: observation.value, relation };
}

/** Where outputs are related, that may be all that is required. */
function gradedCall(
  { step: number, expect, input }: CaseStep,
  label: string,
  isRelated: boolean,
): GradedCall {
  const step = number ?? null;
  if (expect === undefined) return { step, label, expect: isRelated ? 'any' : null, input: '' };
  if ('predicate' in expect) return { step, label, expect: 'predicate', input };
  if ('tripwire' in expect) return { step, label, expect: 'any', input: '' };
  return { step, label, expect: { declared: JSON.stringify(expect) }, input: '' };
}

/** What the messages about a step begin with. */
function labelOf({ step, name, call }: CaseStep, count: number): string {
  return step === undefined ? '' : `step ${step + 1} of ${count} (${name ?? call}): `;
}
