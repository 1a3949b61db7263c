/** How what was observed of mutants is graded: as a score grades it, but any number of observations of the same case. */
import type { HostPool } from '../../runners/pool.ts';
import type { ObservedCase } from '../../runners/protocol.ts';
import type { Transformer } from '../../runners/transformer.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import type { CaseResult } from '../decide.ts';
import type { Grader } from '../grader.ts';
import { observeReferences } from '../observe-references.ts';
import { isComparable, requireSame } from '../same-as.ts';

export type GradingParts = {
  grader: Grader;
  /** The hosts of candidates, in which references run that cases are compared with. */
  runners: HostPool;
  hosts: number;
  transformer: Transformer;
};

/** One result for each observation; `run` counts the cases that are asked. Throws RunnerErrors. */
export type Grading = (observed: { run: number; observed: ObservedCase }[]) => Promise<CaseResult[]>;

/**
 * How observations are graded: by what a case expects, and by what its reference makes of the same. Budgets are left out: a mutant
 * that takes far too long is stopped anyway, and processor times of instrumented code say nothing.
 */
export async function gradingOf(
  parts: GradingParts,
  contents: SuiteContents,
  positions: number[],
  seed: number,
): Promise<Grading> {
  const { grader, runners, hosts, transformer } = parts;
  const cases = positions.flatMap((position) => contents.cases[position] ?? []);
  const compared = cases.map(({ within: _, ...rest }) => rest);
  const observing = { runners, hostsPerScore: hosts, transformer };
  const references = await observeReferences(observing, contents, compared, seed);
  const byPosition = new Map(positions.map((position, run) => [position, references[run]]));
  const asReferences = contents.cases.map((testCase, position) => {
    const reference = byPosition.get(position);
    return reference !== undefined && isComparable(reference) ? requireSame(testCase, reference) : testCase;
  });
  return async (observed) => {
    const items = observed.map((one) => ({ position: positions[one.run] ?? -1, observed: one.observed }));
    const results = await grader.gradeEach(contents, items);
    const open = [...items.entries()].filter(
      ([index, { position }]) =>
        byPosition.get(position) !== undefined &&
        (results[index]?.passed === true || contents.cases[position]?.expect === undefined),
    );
    const same = await grader.gradeEach(
      { ...contents, cases: asReferences },
      open.map(([, item]) => item),
    );
    for (const [at, [index, { position }]] of open.entries()) {
      const reference = byPosition.get(position);
      const isFit = reference !== undefined && isComparable(reference);
      const { passed = false, message = '' } = same[at] ?? {};
      Object.assign(results[index] ?? {}, {
        passed: passed && isFit,
        message: isFit ? message : 'its reference came to grief itself',
      });
    }
    return results;
  };
}
