/**
 * Overrides: humans who let one blocked commit and candidate merge, each with a reason. The score and its verdict stay as they
 * are; what an override changes is the answer to whether to merge.
 */
import { and, asc, eq, sql } from 'drizzle-orm';
import { appendAudit } from '../migrations/append-audit.ts';
import type { Database } from '../migrations/open-database.ts';
import { overrides, scores } from '../migrations/tables.ts';
import type { DisclosedOverride } from './disclosure/disclosed.ts';
import { GateError } from './errors.ts';
import type { ScoreRecord } from './history.ts';
import { findGate } from './policies.ts';

export type Approver = {
  /** The id of the token. */
  tokenId: string;
  /** Whose token it is: of one person only the first approval counts. */
  person: string;
};

/**
 * Approves that a blocked score's commit and candidate may merge at its gate. Throws `override_not_needed` where the verdict is
 * not a block, and `override_given` where this person has approved before.
 */
export async function approveOverride(
  database: Database,
  score: ScoreRecord,
  approver: Approver,
  reason: string,
): Promise<void> {
  if (score.verdict?.verdict !== 'block') {
    throw new GateError('override_not_needed', `score ${score.id} has no verdict that blocks`);
  }
  await database.transaction(async (transaction) => {
    // Two people who approve at once count as two, one who does so twice as one.
    await transaction.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${score.candidate}, 3))`);
    const earlier = await findApprovals(transaction, score);
    if (earlier.some(({ person }) => person === approver.person)) {
      throw new GateError('override_given', 'you have approved this already: another person has to');
    }
    const { tokenId: by, person } = approver;
    await transaction.insert(overrides).values({ scoreId: score.id, approvedBy: by, person, reason });
    const { gate, change, candidate } = score;
    const about = {
      score: score.id,
      gate,
      change: change.id,
      commit: change.commit,
      candidate,
      person,
      reason,
    };
    await appendAudit(transaction, { by, action: 'verdict.overridden', about });
  });
}

/** The approvals of a blocked score and how many the gate asks for now; undefined where nobody has approved, or nothing blocks. */
export async function findOverride(
  database: Database,
  score: ScoreRecord,
): Promise<Omit<DisclosedOverride, 'scored'> | undefined> {
  if (score.verdict?.verdict === 'merge') return undefined;
  const approvals = await findApprovals(database, score);
  if (approvals.length === 0) return undefined;
  const { overrideApprovals: needed } = await findGate(database, score.gate);
  return { needed, approvals };
}

/** Approvals are for one gate, change, commit and candidate, in whichever of its scores they were given. */
async function findApprovals(
  database: Database,
  { gate, change, candidate }: ScoreRecord,
): Promise<DisclosedOverride['approvals']> {
  const rows = await database
    .select({ person: overrides.person, reason: overrides.reason, approvedAt: overrides.approvedAt })
    .from(overrides)
    .innerJoin(scores, eq(scores.id, overrides.scoreId))
    .where(
      and(
        eq(scores.gate, gate),
        eq(scores.changeId, change.id),
        eq(scores.commit, change.commit),
        eq(scores.candidate, candidate),
        sql`${scores.repository} IS NOT DISTINCT FROM ${change.repository ?? null}`,
      ),
    )
    .orderBy(asc(overrides.sequence));
  return rows.map((row) => ({ ...row, approvedAt: row.approvedAt.toISOString() }));
}
