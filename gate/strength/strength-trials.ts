/**
 * The trials on which mutants are run. A generated case has fewer inputs here than in a score, always the same, because hundreds of
 * mutants meet each of them. Relations are left out: which inputs a mutant meets is decided one by one, and they are asked about two.
 */
import { createHash } from 'node:crypto';
import type { SuiteContents } from '../../suites/suite.ts';
import type { Grader } from '../scoring/grader.ts';
import { makeTrials, type Trial } from '../scoring/trials.ts';

/** Of a generated case so many inputs are made. */
const runsMeasured = 20;

/** The trials of the cases at these positions. A case of which nothing but a relation is required has none. */
export async function strengthTrials(
  grader: Grader,
  contents: SuiteContents,
  positions: number[],
): Promise<Trial[]> {
  const cases = contents.cases.map(({ generate, relate: _, ...testCase }) => ({
    ...testCase,
    ...(generate === undefined
      ? {}
      : { generate: { ...generate, runs: Math.min(generate.runs, runsMeasured) } }),
  }));
  const required = positions.filter((position) => {
    const { expect, sameAs, steps } = cases[position] ?? {};
    return [expect, sameAs, steps].some((each) => each !== undefined);
  });
  const seed = createHash('sha256').update(`inputs for the mutants of ${contents.suite}`).digest('hex');
  const { trials } = await makeTrials({ ...contents, cases }, required, seed, grader.draw(contents));
  return trials;
}
