/**
 * Overrides: humans who let one blocked commit and candidate merge, each with a reason. The score and its verdict stay as they
 * are; what an override changes is the answer to whether to merge.
 */
import { and, asc, eq, or, sql } from 'drizzle-orm';
import { appendAudit } from '../migrations/append-audit.ts';
import type { Database } from '../migrations/open-database.ts';
import { overrides, scores } from '../migrations/tables.ts';
import type { DisclosedOverride } from './disclosure/disclosed.ts';
import { GateError } from './errors.ts';
import { type AttemptRecord, changeOf, type ScoreRecord } from './history.ts';
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
    const earlier = (await findOverride(transaction, score))?.approvals ?? [];
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

export type ApprovedOverride = Omit<DisclosedOverride, 'scored'>;

/** The approvals of a blocked score and how many the gate asks for now; undefined where nobody has approved, or nothing blocks. */
export async function findOverride(
  database: Database,
  score: AttemptRecord,
): Promise<ApprovedOverride | undefined> {
  return (await findOverrides(database, [score])).get(score.id);
}

/** The same of several scores at once, by their ids. */
export async function findOverrides(
  database: Database,
  listed: AttemptRecord[],
): Promise<Map<string, ApprovedOverride>> {
  const blocked = listed.filter(({ verdict }) => verdict?.verdict !== 'merge');
  const approvals = await findApprovals(database, blocked);
  const found = new Map<string, ApprovedOverride>();
  const needed = new Map<string, number>();
  for (const score of blocked) {
    const { gate } = score;
    const given = approvals.get(questionOf(score)) ?? [];
    if (given.length === 0) continue;
    const count = needed.get(gate) ?? (await findGate(database, gate)).overrideApprovals;
    needed.set(gate, count);
    found.set(score.id, { needed: count, approvals: given });
  }
  return found;
}

/** Approvals are for one gate, change, commit and candidate, in whichever of its scores they were given. */
async function findApprovals(
  database: Database,
  blocked: AttemptRecord[],
): Promise<Map<string, DisclosedOverride['approvals']>> {
  const asked = new Map(blocked.map((score) => [questionOf(score), score]));
  if (asked.size === 0) return new Map();
  const { gate, changeId, commit, candidate, repository } = scores;
  const rows = await database
    .select({
      ...{ gate, changeId, commit, candidate, repository },
      ...{ person: overrides.person, reason: overrides.reason, approvedAt: overrides.approvedAt },
    })
    .from(overrides)
    .innerJoin(scores, eq(scores.id, overrides.scoreId))
    .where(
      or(
        ...[...asked.values()].map((score) =>
          and(
            eq(gate, score.gate),
            eq(changeId, score.change.id),
            eq(commit, score.change.commit),
            eq(candidate, score.candidate),
            sql`${repository} IS NOT DISTINCT FROM ${score.change.repository ?? null}`,
          ),
        ),
      ),
    )
    .orderBy(asc(overrides.sequence));
  const approvals = new Map<string, DisclosedOverride['approvals']>();
  for (const { person, reason, approvedAt, ...row } of rows) {
    const { gate, candidate } = row;
    const key = questionOf({ gate, candidate, change: changeOf(row) });
    const given = approvals.get(key) ?? [];
    given.push({ person, reason, approvedAt: approvedAt.toISOString() });
    approvals.set(key, given);
  }
  return approvals;
}

/** What an approval is about, as a key. */
function questionOf({
  gate,
  change,
  candidate,
}: Pick<AttemptRecord, 'gate' | 'change' | 'candidate'>): string {
  return JSON.stringify([gate, change.id, change.repository ?? null, change.commit, candidate]);
}
