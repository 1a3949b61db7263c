/**
 * A build against one suite: run on the cases in force, compared with what is wanted and with what references make of the same, and held
 * to its budgets. It is done in the same way whosever the build is, so that what a reference shows of a suite holds for a candidate.
 */
import type { ObservedCase } from '../runners/protocol.ts';
import type { Transformed } from '../runners/transformer.ts';
import type { SealedCase } from '../suites/case.ts';
import type { InForce } from '../suites/expiry.ts';
import type { SuiteContents } from '../suites/suite.ts';
import { overBudget } from './budget.ts';
import type { CaseResult } from './decide.ts';
import type { Grader } from './grader.ts';
import { observe } from './observe.ts';
import { type ObservedReference, observeReferences, type ReferenceObserving } from './observe-references.ts';
import { isComparable, requireSame } from './same-as.ts';

export type BuildScoring = ReferenceObserving & { grader: Grader };

export type BuildScore = {
  /** An observation for each case of the revision, of which only those in force have any. */
  observed: (ObservedCase | undefined)[];
  /** A result for each case in force. */
  results: CaseResult[];
  /** How many cases nobody can be judged by, because their reference itself came to grief. They did not pass. */
  unfit: number;
};

/** Runs and grades a build. `seed` decides the order of the cases and all chance in them. Throws RunnerErrors. */
export async function scoreBuild(
  scoring: BuildScoring,
  build: Transformed,
  contents: SuiteContents,
  { positions }: Pick<InForce, 'positions'>,
  seed: number,
): Promise<BuildScore> {
  const cases = positions.flatMap((position) => contents.cases[position] ?? []);
  const inForce = { ...contents, cases };
  // At the same time, so that how busy the machine is matters to both alike.
  const [ofCases, references] = await Promise.all([
    observe(scoring, build, inForce, seed),
    observeReferences(scoring, contents, cases, seed),
  ]);
  const observed: (ObservedCase | undefined)[] = contents.cases.map(() => undefined);
  for (const [index, position] of positions.entries()) observed[position] = ofCases[index];
  const graded = await scoring.grader.grade(contents, observed);
  const results = positions.flatMap((position) => graded[position] ?? []);
  await compare(scoring.grader, inForce, { ofCases, references, results });
  const unfit = references.filter((reference) => reference !== undefined && !isComparable(reference));
  return { observed, results, unfit: unfit.length };
}

type Compared = {
  ofCases: ObservedCase[];
  references: (ObservedReference | undefined)[];
  results: CaseResult[];
};

/** Changes the results of the cases that are compared with a reference. Each list is in the order of the cases. */
async function compare(
  grader: Grader,
  contents: SuiteContents,
  { ofCases, references, results }: Compared,
): Promise<void> {
  const asked: { index: number; testCase: SealedCase }[] = [];
  for (const [index, testCase] of contents.cases.entries()) {
    const [reference, result] = [references[index], results[index]];
    if (reference === undefined || result === undefined) continue;
    // Where nothing else is required, there was nothing to grade it by before.
    const isOpen = result.passed || testCase.expect === undefined;
    if (!isComparable(reference)) {
      const { outcome } = reference.observation;
      if (isOpen)
        fail(result, `nobody can be compared with reference ${reference.name}, which ended as ${outcome}`);
    } else if (testCase.sameAs !== undefined && isOpen) {
      asked.push({ index, testCase: requireSame(testCase, reference) });
    }
  }
  const same = await grader.grade(
    { ...contents, cases: asked.map(({ testCase }) => testCase) },
    asked.map(({ index }) => ofCases[index]),
  );
  for (const [at, { index, testCase }] of asked.entries()) {
    const [result, compared] = [results[index], same[at]];
    if (result === undefined) continue;
    if (compared?.passed === true) Object.assign(result, { passed: true, message: '' });
    else fail(result, `unlike reference ${testCase.sameAs}: ${compared?.message ?? 'it was not compared'}`);
  }
  for (const [index, { within }] of contents.cases.entries()) {
    const [reference, result, ofCase] = [references[index], results[index], ofCases[index]];
    if (within === undefined || result?.passed !== true) continue;
    const problem =
      reference === undefined || ofCase === undefined
        ? 'its processor time has nothing to be compared with'
        : overBudget(within, ofCase, reference);
    if (problem !== '') fail(result, problem);
  }
}

function fail(result: CaseResult, message: string): void {
  Object.assign(result, { passed: false, message });
}
