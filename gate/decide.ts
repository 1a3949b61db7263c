/**
 * The decision, and nothing else: pure, total, and unable to answer `merge` without the evidence for it. An error is no
 * evidence, so no error can become a green.
 */
import { z } from 'zod';
import { outcomes } from '../runners/protocol.ts';
import type { InForce } from '../suites/expiry.ts';

/** The input on which a generated case failed. */
export const generatedFailureSchema = z.strictObject({
  run: z.int().nonnegative().describe('Which of the inputs of the case it is, from 0.'),
  runs: z.int().positive().describe('How many inputs the case has in a score.'),
  input: z.string().describe('The input as carried JSON text, cut where it is long.'),
});

/** How one case of a score ended. `message` and `name` are for the suite's author. */
export const caseResultSchema = z.strictObject({
  name: z.string(),
  position: z.int().nonnegative(),
  outcome: z.enum(outcomes),
  passed: z.boolean(),
  message: z.string(),
  durationMs: z.number(),
  generated: generatedFailureSchema.optional(),
  /** What was required and what came of it, for the suite's author, where it failed and that can be told. */
  expected: z.string().optional(),
  observed: z.string().optional(),
});
export type CaseResult = z.infer<typeof caseResultSchema>;

/**
 * One suite's part of a score: which revision, which of its cases were in force when the score began, and what came back. A
 * result keeps the case's position in the revision.
 */
export type SuiteScore = { suite: string; revision: number; results: CaseResult[] } & InForce;

/** Why a change may not merge. */
export const blockReasons = [
  'red',
  'not_scored',
  'stale',
  'superseded',
  'budget_exhausted',
  'indeterminate',
] as const;
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

/** How many cases of a suite's revision were in force when a verdict was asked for, how many are now, and whether one of these proves anything. */
export type Lapse = { suite: string; before: number; after: number; isSpent: boolean };

/**
 * What the expiry of cases since has made of an earlier verdict. The cases in force at two moments are nested, so that their numbers
 * tell which are the fewer. A green holds while none is asked that was not asked then, a red while all are that were; and where a
 * suite has no case left that proves anything, nothing is asked that a verdict could rest on.
 */
export function lapseOf(
  required: string[],
  reason: string,
  lapses: Lapse[],
): 'holds' | 'stale' | 'not_scored' {
  const own = required.map((suite) => lapses.filter((lapse) => lapse.suite === suite));
  if (
    required.length === 0 ||
    own.some(([lapse, ...more]) => lapse === undefined || more.length > 0 || lapse.isSpent)
  )
    return 'not_scored';
  const holds = ({ before, after }: Lapse) =>
    reason === 'green' ? after <= before && after > 0 : before <= after;
  return own.flat().every(holds) ? 'holds' : 'stale';
}

/**
 * Decides about a candidate that was scored before, against the same revisions: the same again. Undefined where that verdict does not
 * settle it, because it was decided about other cases as well, and the candidate has to be scored.
 */
export function decideAgain(
  required: string[],
  active: { suite: string; revision: number }[],
  earlier: Decided,
  lapses: Lapse[],
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
  if (lapseOf(required, earlier.reason, lapses) !== 'holds') return undefined;
  if (earlier.verdict === 'block' && earlier.reason === 'red') return block('red');
  const isGreen = earlier.verdict === 'merge' && earlier.reason === 'green' && passed === total && total > 0;
  return isGreen ? new Merge() : undefined;
}

/**
 * Decides from the suites that the gate requires and from what was scored. `merge` only if each required suite was
 * scored once, in the revision that is active, with exactly one passing result for each case in force, of which one at least
 * proves something.
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
    if (!(score.proving >= 1)) return block('not_scored');
    if (!allPassed(score)) return block('red');
  }
  const isRequired = (score: SuiteScore) => required.includes(score.suite);
  return scored.length === required.length && scored.every(isRequired) ? new Merge() : block('not_scored');
}

/** Whether there is exactly one result for each case in force, in sequence, and every one of them passed. */
export function allPassed({ positions, proving, results }: SuiteScore): boolean {
  const isInSequence = positions.every(
    (position, index) => Number.isSafeInteger(position) && position > (positions[index - 1] ?? -1),
  );
  const passed = results.filter(
    (result, index) =>
      result.position === positions[index] &&
      result.passed === true &&
      (result.outcome === 'returned' || result.outcome === 'threw'),
  ).length;
  const count = positions.length;
  return isInSequence && passed === count && results.length === count && proving >= 1 && proving <= count;
}
