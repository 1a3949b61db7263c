/**
 * The decision, and nothing else: pure, total, and unable to answer `merge` without the evidence for it. An error is no
 * evidence, so no error can become a green.
 */
import { z } from 'zod';
import { outcomes } from '../runners/protocol.ts';

/** How one case of a score ended. `message` and `name` are for the suite's author. */
export const caseResultSchema = z.strictObject({
  name: z.string(),
  position: z.int().nonnegative(),
  outcome: z.enum(outcomes),
  passed: z.boolean(),
  message: z.string(),
  durationMs: z.number(),
});
export type CaseResult = z.infer<typeof caseResultSchema>;

/** One suite's part of a score: which revision, how many cases it has, and what came back. */
export type SuiteScore = { suite: string; revision: number; caseCount: number; results: CaseResult[] };

/** Why a change may not merge. */
export const blockReasons = ['red', 'not_scored', 'stale', 'budget_exhausted', 'indeterminate'] as const;
export type BlockReason = (typeof blockReasons)[number];

/** The decision to merge. The class is not exported and has a private member, so that only `decide` can make one. */
class Merge {
  readonly verdict = 'merge';
  readonly canMerge = true;
  readonly reason = 'green';
  readonly #decided = true;

  /** Whether a value is a decision that `decide` made. */
  static is(value: object): boolean {
    return #decided in value;
  }
}

/** The decision not to merge. */
export type Block = { readonly verdict: 'block'; readonly canMerge: false; readonly reason: BlockReason };

/** `merge` comes with one reason alone, and every other reason blocks. */
export type Decision = Merge | Block;

/** What humans made of a block: the one other way to merge. As with Merge, only this file can make one. */
class Override {
  readonly verdict = 'merge';
  readonly canMerge = true;
  readonly reason = 'overridden';
  readonly #agreed = true;

  static is(value: object): boolean {
    return #agreed in value;
  }
}

/** A block, or what humans made of it: a merge only if as many different people as are needed have agreed. */
export function overrule(
  decision: Block,
  override: { needed: number; approvals: { person: string }[] } | undefined,
): Block | Override {
  if (override === undefined) return decision;
  const people = new Set(override.approvals.map(({ person }) => person));
  return override.needed >= 1 && people.size >= override.needed ? new Override() : decision;
}

/** This is all that an error can become. */
export function block(reason: BlockReason): Block {
  return { verdict: 'block', canMerge: false, reason };
}

/** A verdict that was decided earlier, as it is stored. */
export type Decided = {
  verdict: string;
  reason: string;
  revisions: { suite: string; revision: number }[];
  passed: number;
  total: number;
};

/**
 * Decides about a candidate that was scored before, against the same revisions: the same again. Undefined where that verdict does not
 * settle it, and the candidate has to be scored.
 */
export function decideAgain(
  required: string[],
  active: { suite: string; revision: number }[],
  earlier: Decided,
): Decision | undefined {
  const { revisions, passed, total } = earlier;
  const sameRevisions =
    revisions.length === required.length &&
    required.every((suite) => {
      const [name, ...more] = active.filter((candidate) => candidate.suite === suite);
      const scored = revisions.filter((candidate) => candidate.suite === suite);
      return more.length === 0 && scored.length === 1 && scored[0]?.revision === name?.revision;
    });
  if (required.length === 0 || !sameRevisions) return undefined;
  if (earlier.verdict === 'block' && earlier.reason === 'red') return block('red');
  const isGreen = earlier.verdict === 'merge' && earlier.reason === 'green' && passed === total && total > 0;
  return isGreen ? new Merge() : undefined;
}

/**
 * Decides from the suites that the gate requires and from what was scored. `merge` only if each required suite was
 * scored once, in the revision that is active, with exactly one passing result for each of at least one case.
 */
export function decide(
  required: string[],
  active: { suite: string; revision: number }[],
  scored: SuiteScore[],
): Decision {
  if (required.length === 0 || scored.length === 0) return block('not_scored');
  for (const suite of required) {
    const activeRevisions = active.filter((candidate) => candidate.suite === suite);
    const scores = scored.filter((candidate) => candidate.suite === suite);
    const [score] = scores;
    if (activeRevisions.length !== 1 || scores.length !== 1 || score === undefined)
      return block('not_scored');
    if (activeRevisions[0]?.revision !== score.revision) return block('stale');
    if (!allPassed(score)) return block('red');
  }
  const isRequired = (score: SuiteScore) => required.includes(score.suite);
  return scored.length === required.length && scored.every(isRequired) ? new Merge() : block('not_scored');
}

/** Whether there is exactly one result for each case, in sequence, and every one of them passed. */
export function allPassed({ caseCount, results }: SuiteScore): boolean {
  const passed = results.filter(
    (result, index) =>
      result.position === index &&
      result.passed === true &&
      (result.outcome === 'returned' || result.outcome === 'threw'),
  ).length;
  return passed === caseCount && results.length === caseCount && caseCount > 0;
}
