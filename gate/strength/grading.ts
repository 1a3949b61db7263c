/** How what was observed of mutants is graded: as a score grades it, but any number of observations of the same case. */
import type { HostPool } from '../../runners/pool.ts';
import type { ObservedCase } from '../../runners/protocol.ts';
import type { Transformer } from '../../runners/transformer.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import type { Grader } from '../scoring/grader.ts';
import { observeReferences } from '../scoring/observe-references.ts';
import { isComparable, requireSame } from '../scoring/same-as.ts';
import type { Trial, TrialResult } from '../scoring/trials.ts';

export type GradingParts = {
  grader: Grader;
  /** The hosts of candidates, in which references run that cases are compared with. */
  runners: HostPool;
  hosts: number;
  transformer: Transformer;
};

/** One result for each observation, with the name of its case; `run` counts the trials. Throws RunnerErrors. */
export type Grading = (
  observed: { run: number; observed: ObservedCase }[],
) => Promise<(TrialResult & { name: string })[]>;

/**
 * How observations are graded: by what a case expects, and by what its reference makes of the same. Budgets are left out: a mutant
 * that takes far too long is stopped anyway, and processor times of instrumented code say nothing.
 */
export async function gradingOf(
  parts: GradingParts,
  contents: SuiteContents,
  trials: Trial[],
  seed: number,
): Promise<Grading> {
  const { grader, runners, hosts, transformer } = parts;
  const compared = trials.map(({ testCase: { within: _, ...rest } }) => rest);
  const observing = { runners, hostsPerScore: hosts, transformer };
  const references = await observeReferences(observing, contents, compared, seed);
  const asReferences = trials.map((trial, run) => {
    const reference = references[run];
    const isFit = reference !== undefined && isComparable(reference);
    return isFit ? { ...trial, testCase: requireSame(trial.testCase, reference) } : trial;
  });
  const grade = (items: { run: number; observed: ObservedCase }[], by: Trial[]) =>
    grader.grade(
      contents,
      items.flatMap(({ run }) => by[run] ?? []),
      items.map(({ observed }) => ({ observed, related: undefined })),
    );
  return async (observed) => {
    const items = observed.filter(({ run }) => trials[run] !== undefined);
    const results = await grade(items, trials);
    const open = [...items.entries()].filter(
      ([index, { run }]) =>
        references[run] !== undefined &&
        (results[index]?.passed === true || trials[run]?.testCase.expect === undefined),
    );
    const same = await grade(
      open.map(([, item]) => item),
      asReferences,
    );
    for (const [at, [index, { run }]] of open.entries()) {
      const reference = references[run];
      const isFit = reference !== undefined && isComparable(reference);
      const { passed = false, message = '' } = same[at] ?? {};
      Object.assign(results[index] ?? {}, {
        passed: passed && isFit,
        message: isFit ? message : 'its reference came to grief itself',
      });
    }
    return results.map((result, index) => {
      const position = trials[items[index]?.run ?? -1]?.position ?? -1;
      return { ...result, name: contents.cases[position]?.name ?? '' };
    });
  };
}
