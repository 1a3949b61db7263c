/**
 * A build against one suite: contents → trials → observed → graded → one result for each case in force. It is compared with what is
 * wanted and with what references make of the same, and held to its budgets. It is done in the same way whosever the build is, so that
 * what a reference shows of a suite holds for a candidate.
 */
import type { ObservedCase } from '../../runners/protocol.ts';
import type { Transformed } from '../../runners/transformer.ts';
import type { InForce } from '../../suites/expiry.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import type { CaseResult } from '../decide.ts';
import { overBudget } from './budget.ts';
import type { Grader } from './grader.ts';
import { observe } from './observe.ts';
import { type ObservedReference, observeReferences, type ReferenceObserving } from './observe-references.ts';
import type { Progress } from './progress.ts';
import { isComparable, requireSame } from './same-as.ts';
import {
  casesOf,
  makeTrials,
  type ObservedTrial,
  observedOf,
  resultsOf,
  type Trial,
  type TrialResult,
} from './trials.ts';

export type BuildScoring = ReferenceObserving & { grader: Grader };

/** What chance decides, so that the same seeds give the same again. */
export type Seeds = {
  /** Decides the order of the trials, and all chance in the realms. */
  realms: number;
  /** What the inputs of generated cases are made from: 64 hexadecimal digits. */
  inputs: string;
};

export type BuildScore = {
  trials: Trial[];
  /** Everything that was observed: see `observedOf`. */
  observed: ObservedCase[];
  /** A result for each case in force. */
  results: CaseResult[];
  /** How many cases nobody can be judged by, because their reference itself came to grief. They did not pass. */
  unfit: number;
};

/** Runs and grades a build, and writes down how far it has come. Throws RunnerErrors. */
export async function scoreBuild(
  scoring: BuildScoring,
  build: Transformed,
  contents: SuiteContents,
  { positions }: Pick<InForce, 'positions'>,
  seeds: Seeds,
  progress?: Progress,
): Promise<BuildScore> {
  const made = await makeTrials(contents, positions, seeds.inputs, scoring.grader.draw(contents));
  const { trials } = made;
  const { observed, results, unfit } = await runTrials(
    scoring,
    build,
    contents,
    trials,
    seeds.realms,
    progress,
  );
  return { trials, observed, results: resultsOf(contents, positions, made, results), unfit };
}

/** One result for each trial, in their order, and all that was observed. `seed` is that of the realms. */
export async function runTrials(
  scoring: BuildScoring,
  build: Transformed,
  contents: SuiteContents,
  trials: Trial[],
  seed: number,
  progress?: Progress,
): Promise<Pick<BuildScore, 'observed' | 'unfit'> & { results: TrialResult[] }> {
  const { suite, limits } = contents;
  const run = casesOf(trials);
  if (progress !== undefined)
    Object.assign(progress, { stage: 'running', suite, trials: run.cases.length, observed: 0 });
  // At the same time, so that how busy the machine is matters to both alike.
  const [observed, references] = await Promise.all([
    observe(scoring, build, { ...run, limits, tally: progress }, seed),
    observeReferences(
      scoring,
      contents,
      trials.map(({ testCase }) => testCase),
      seed,
    ),
  ]);
  if (progress !== undefined) progress.stage = 'grading';
  const tried = observedOf(trials, observed);
  const results = await scoring.grader.grade(contents, trials, tried);
  await compare(scoring.grader, contents, { trials, tried, references, results });
  const unfit = trials.filter((_, index) => {
    const reference = references[index];
    return reference !== undefined && !isComparable(reference);
  });
  return { observed, results, unfit: new Set(unfit.map(({ position }) => position)).size };
}

type Compared = {
  trials: Trial[];
  tried: ObservedTrial[];
  references: (ObservedReference | undefined)[];
  results: TrialResult[];
};

/** Changes the results of the trials that are compared with a reference. Each list is in the order of the trials. */
async function compare(
  grader: Grader,
  contents: SuiteContents,
  { trials, tried, references, results }: Compared,
): Promise<void> {
  const asked: { index: number; trial: Trial }[] = [];
  for (const [index, trial] of trials.entries()) {
    const [reference, result] = [references[index], results[index]];
    if (reference === undefined || result === undefined) continue;
    const { testCase } = trial;
    // Where nothing else is required, there was nothing to grade it by before.
    const isOpen = result.passed || (testCase.expect === undefined && testCase.relate === undefined);
    if (!isComparable(reference)) {
      const { outcome } = reference.observation;
      if (isOpen)
        fail(result, `nobody can be compared with reference ${reference.name}, which ended as ${outcome}`);
    } else if (testCase.sameAs !== undefined && isOpen) {
      const { relate: _, ...alone } = requireSame(testCase, reference);
      asked.push({ index, trial: { ...trial, testCase: alone, related: undefined } });
    }
  }
  const same = await grader.grade(
    contents,
    asked.map(({ trial }) => trial),
    asked.flatMap(({ index }) => {
      const one = tried[index];
      return one === undefined ? [] : [{ ...one, related: undefined }];
    }),
  );
  for (const [at, { index, trial }] of asked.entries()) {
    const [result, compared] = [results[index], same[at]];
    if (result === undefined) continue;
    if (compared?.passed === true) Object.assign(result, { passed: true, message: '', compared: undefined });
    else {
      const why = compared?.message ?? 'it was not compared';
      fail(result, `unlike reference ${trial.testCase.sameAs}: ${why}`, compared?.compared);
    }
  }
  for (const [index, { testCase }] of trials.entries()) {
    const [reference, result, one] = [references[index], results[index], tried[index]];
    if (testCase.within === undefined || result?.passed !== true) continue;
    const problem =
      reference === undefined || one === undefined
        ? 'its processor time has nothing to be compared with'
        : overBudget(testCase.within, one.observed, reference);
    if (problem !== '') fail(result, problem);
  }
}

function fail(result: TrialResult, message: string, compared?: TrialResult['compared']): void {
  Object.assign(result, { passed: false, message, compared });
}
