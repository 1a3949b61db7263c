/**
 * A build against one suite: run on the cases in force, and graded. It is done in the same way whosever the build is, so that what a
 * reference shows of a suite holds for a candidate.
 */
import type { ObservedCase } from '../runners/protocol.ts';
import type { Transformed } from '../runners/transformer.ts';
import type { InForce } from '../suites/expiry.ts';
import type { SuiteContents } from '../suites/suite.ts';
import type { CaseResult } from './decide.ts';
import type { Grader } from './grader.ts';
import { type Observing, observe } from './observe.ts';

export type BuildScoring = Observing & { grader: Grader };

/** What came of a build: an observation for each case of the revision, of which only those in force have any, and their results. */
export type BuildScore = { observed: (ObservedCase | undefined)[]; results: CaseResult[] };

/** Runs and grades a build. `seed` decides the order of the cases and all chance in them. Throws RunnerErrors. */
export async function scoreBuild(
  scoring: BuildScoring,
  build: Transformed,
  contents: SuiteContents,
  { positions }: Pick<InForce, 'positions'>,
  seed: number,
): Promise<BuildScore> {
  const cases = positions.flatMap((position) => contents.cases[position] ?? []);
  const ofCases = await observe(scoring, build, { ...contents, cases }, seed);
  const observed: (ObservedCase | undefined)[] = contents.cases.map(() => undefined);
  for (const [index, position] of positions.entries()) observed[position] = ofCases[index];
  const graded = await scoring.grader.grade(contents, observed);
  return { observed, results: positions.flatMap((position) => graded[position] ?? []) };
}
