/** How a change stands at a gate in a word, as agents may know it: what a badge shows. */
import type { Database } from '../migrations/open-database.ts';
import { isKnown } from './disclosure/disclosure.ts';
import { findNewestAttempt } from './history.ts';
import { askVerdict } from './verdict.ts';

export type ChangeState = 'merge' | 'block' | 'waiting' | 'not_scored';

export type ChangeQuestion = {
  gate: string;
  change: string;
  repository: string | undefined;
  /** The newest commit that was scored, unless said. */
  commit: string | undefined;
};

/** Whoever looks hears what agents hear. */
const hearer = { role: 'harness', suites: null } as const;

/**
 * How the newest attempt stands: while its verdict is not published, an older one is not told, which was of another build. Throws
 * `gate_not_found`.
 */
export async function findChangeState(
  { database, slotMs }: { database: Database; slotMs: number },
  question: ChangeQuestion,
): Promise<ChangeState> {
  const newest = await findNewestAttempt(database, question);
  if (newest === undefined) return 'not_scored';
  if (!isKnown(newest, hearer, slotMs)) {
    // Whoever was to decide is gone: there will be no verdict, and without one nothing merges.
    return newest.verdict === undefined && newest.deadlineAt <= new Date() ? 'block' : 'waiting';
  }
  const { candidate, change } = newest;
  const { gate, repository } = question;
  const asked = { gate, change: change.id, commit: change.commit, candidate, repository };
  return (await askVerdict({ database, slotMs }, asked, hearer)).verdict;
}
