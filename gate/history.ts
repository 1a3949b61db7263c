/** One function for each question asked of the database about scores and verdicts. `append-history.ts` appends them. */
import { and, type Column, desc, eq, inArray, isNull, lt, type SQL, sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Database } from '../migrations/open-database.ts';
import { rowsOf } from '../migrations/rows-of.ts';
import { scores, verdicts } from '../migrations/tables.ts';
import type { RevisionName } from '../suites/revisions.ts';
import { revisionNamesSchema, type VerdictQuestion } from './disclosure/disclosed.ts';
import { marginMs } from './disclosure/publication.ts';
import { GateError } from './errors.ts';
import type { Change, Gate } from './gate.ts';
import { activeRevisions, findGateIfAny } from './policies.ts';
import type { VisibleTests } from './visible-report.ts';

/** A score as it is listed: the attempt, and its verdict once there is one, without what is sealed. */
export type AttemptRecord = {
  id: string;
  sequence: number;
  gate: string;
  policyVersion: number;
  change: Change;
  candidate: string;
  requestedAt: Date;
  requestedBy: string;
  deadlineAt: Date;
  requestDigest: string;
  /** Which attempt of its change at the gate it is, from 1, and when the first of these was requested. */
  attempt: number;
  firstRequestedAt: Date;
  /** What CI said of the tests that the author sees. */
  visibleTests: VisibleTests | undefined;
  verdict: DecidedVerdict | undefined;
};

/** A score as it is stored. */
export type ScoreRecord = Omit<AttemptRecord, 'verdict'> & { verdict: StoredVerdict | undefined };

/** A verdict read back: what was decided then, which need not hold now. */
export type DecidedVerdict = {
  verdict: 'merge' | 'block';
  reason: string;
  revisions: RevisionName[];
  passed: number;
  total: number;
  durationMs: number;
  /** The score whose verdict this repeats. */
  repeats: string | null;
  /** What the inputs of generated cases were made from. */
  seed: string | null;
  decidedAt: Date;
  /** What it was charged for each case that was asked, in bits. */
  bits: number;
};

/** With what the suite's author may read of the failures. */
export type StoredVerdict = DecidedVerdict & { sealedFailures: Uint8Array | null };

/** Whether a policy version and revisions are those in force. An empty list of revisions is never current. */
export async function isCurrent(
  database: Database,
  gate: string,
  version: number,
  scored: RevisionName[],
): Promise<boolean> {
  const found = await findGateIfAny(database, gate);
  return found !== undefined && isInForce(found, version, scored);
}

/** Whether a gate asks for a policy version and for revisions, as it was read. An empty list of revisions is never asked for. */
export function isInForce(gate: Gate, version: number, scored: RevisionName[]): boolean {
  if (scored.length === 0 || gate.version !== version) return false;
  // The same version names the same suites, so that the gate's active revisions are those to compare with.
  const active = activeRevisions(gate);
  return scored.every(({ suite, revision }) =>
    active.some((name) => name.suite === suite && name.revision === revision),
  );
}

/** Throws `score_not_found`. */
export async function findScore(database: Database, id: string): Promise<ScoreRecord> {
  const [row] = await select(database).where(eq(scores.id, id));
  if (row === undefined) throw new GateError('score_not_found', `there is no score ${id}`);
  return toRecord(row);
}

/** The attempt of somebody's request with an idempotency key, if there is one. */
export async function findScoreByKey(
  database: Database,
  requestedBy: string,
  idempotencyKey: string,
): Promise<ScoreRecord | undefined> {
  const [row] = await select(database).where(
    and(eq(scores.requestedBy, requestedBy), eq(scores.idempotencyKey, idempotencyKey)),
  );
  return row === undefined ? undefined : toRecord(row);
}

/**
 * The newest attempt with this very gate, change, commit and candidate that has a verdict; with `slotMs`, the newest whose verdict is
 * published at the ends of slots of this length by now, however many others there are that are not.
 */
export async function findNewestVerdict(
  database: Database,
  asked: VerdictQuestion,
  slotMs: number | undefined,
): Promise<ScoreRecord | undefined> {
  const [row] = await select(database)
    .where(
      and(
        eq(scores.gate, asked.gate),
        eq(scores.changeId, asked.change),
        eq(scores.commit, asked.commit),
        eq(scores.candidate, asked.candidate),
        sql`${scores.repository} IS NOT DISTINCT FROM ${asked.repository ?? null}`,
        sql`${verdicts.scoreId} IS NOT NULL`,
        slotMs === undefined ? undefined : isPublished(slotMs),
      ),
    )
    .orderBy(desc(scores.sequence))
    .limit(1);
  return row === undefined ? undefined : toRecord(row);
}

/** The newest attempt of a change at a gate, or of one commit of it, whether or not it has a verdict. */
export async function findNewestAttempt(
  database: Database,
  asked: { gate: string; change: string; repository: string | undefined; commit: string | undefined },
): Promise<ScoreRecord | undefined> {
  const [row] = await select(database)
    .where(
      and(
        eq(scores.gate, asked.gate),
        eq(scores.changeId, asked.change),
        asked.commit === undefined ? undefined : eq(scores.commit, asked.commit),
        sql`${scores.repository} IS NOT DISTINCT FROM ${asked.repository ?? null}`,
      ),
    )
    .orderBy(desc(scores.sequence))
    .limit(1);
  return row === undefined ? undefined : toRecord(row);
}

/** That a verdict's slot has ended, for a question to the database about `scores` and `verdicts`. */
export function isPublished(slotMs: number): SQL {
  return sql`${publishedFrom(slotMs)} <= ${new Date().toISOString()}::timestamptz`;
}

/** What `publishedAt` says, for a question to the database: about `scores` and `verdicts` unless other columns are given. */
export function publishedFrom(
  slotMs: number,
  requestedAt: SQL | Column = scores.requestedAt,
  decidedAt: SQL | Column = verdicts.decidedAt,
): SQL {
  if (slotMs === 0) return sql`${decidedAt}`;
  const tookMs = sql`greatest(0, extract(epoch FROM ${decidedAt} - ${requestedAt}) * 1000)`;
  const slots = sql`(floor((${tookMs} + ${marginMs(slotMs)}::numeric) / ${slotMs}::numeric) + 1)`;
  return sql`(${requestedAt} + ${slots}::double precision * ${slotMs}::double precision * interval '1 millisecond')`;
}

/** Verdicts that settle a candidate at a gate under the same policy, from before this attempt, newest first. */
export async function findSettled(database: Database, score: ScoreRecord): Promise<ScoreRecord | undefined> {
  const [row] = await select(database)
    .where(
      and(
        eq(scores.gate, score.gate),
        eq(scores.candidate, score.candidate),
        eq(scores.policyVersion, score.policyVersion),
        lt(scores.sequence, score.sequence),
        inArray(verdicts.reason, ['green', 'red']),
      ),
    )
    .orderBy(desc(scores.sequence))
    .limit(1);
  return row === undefined ? undefined : toRecord(row);
}

/** Attempts that have no verdict yet and no job in the queue, the oldest first. */
export async function listForgotten(database: Database): Promise<ScoreRecord[]> {
  const rows = await select(database)
    .where(
      and(
        isNull(verdicts.scoreId),
        sql`NOT EXISTS (SELECT FROM pgboss.job WHERE name = 'scores' AND id = ${scores.id})`,
      ),
    )
    .orderBy(scores.sequence);
  return rows.map(toRecord);
}

/** Whether the database takes writes: a standby, or one that was set read only, answers and takes none. Throws what its driver throws. */
export async function takesWrites(database: Database): Promise<boolean> {
  const answered = await database.execute(sql`SELECT current_setting('transaction_read_only') AS read_only`);
  return readOnlySchema.parse(rowsOf(answered))[0]?.read_only === 'off';
}

const readOnlySchema = z.array(z.object({ read_only: z.enum(['on', 'off']) }));

function select(database: Database) {
  return database.select().from(scores).leftJoin(verdicts, eq(verdicts.scoreId, scores.id)).$dynamic();
}

/** The change of a stored attempt. */
export function changeOf({
  changeId: id,
  commit,
  repository,
  author,
  agent,
  model,
}: Pick<typeof scores.$inferSelect, 'changeId' | 'commit' | 'repository'> &
  Partial<Pick<typeof scores.$inferSelect, 'author' | 'agent' | 'model'>>): Change {
  const optional = Object.entries({ repository, author, agent, model }).filter(
    ([, text]) => text !== null && text !== undefined,
  );
  return { id, commit, ...Object.fromEntries(optional) };
}

function toRecord(row: {
  scores: typeof scores.$inferSelect;
  verdicts: typeof verdicts.$inferSelect | null;
}): ScoreRecord {
  const { verdict, ...attempt } = toAttempt(row);
  if (verdict === undefined || row.verdicts === null) return { ...attempt, verdict: undefined };
  return { ...attempt, verdict: { ...verdict, sealedFailures: row.verdicts.sealedFailures } };
}

/** An attempt as it is read from its row and its verdict's. */
export function toAttempt({
  scores: score,
  verdicts: verdict,
}: {
  scores: typeof scores.$inferSelect;
  verdicts: Omit<typeof verdicts.$inferSelect, 'sealedFailures'> | null;
}): AttemptRecord {
  return {
    id: score.id,
    sequence: score.sequence,
    gate: score.gate,
    policyVersion: score.policyVersion,
    change: changeOf(score),
    candidate: score.candidate,
    requestedAt: score.requestedAt,
    requestedBy: score.requestedBy,
    deadlineAt: score.deadlineAt,
    requestDigest: score.requestDigest,
    attempt: score.attempt,
    firstRequestedAt: score.firstRequestedAt,
    visibleTests:
      score.visiblePassed === null || score.visibleTotal === null
        ? undefined
        : { passed: score.visiblePassed, total: score.visibleTotal },
    verdict: verdict === null ? undefined : toVerdict(verdict),
  };
}

function toVerdict(row: Omit<typeof verdicts.$inferSelect, 'sealedFailures'>): DecidedVerdict {
  return {
    verdict: row.verdict === 'merge' ? 'merge' : 'block',
    reason: row.reason,
    revisions: revisionNamesSchema.parse(row.revisions),
    passed: row.passed,
    total: row.total,
    durationMs: row.durationMs,
    repeats: row.repeats,
    seed: row.seed,
    decidedAt: row.decidedAt,
    bits: row.bits,
  };
}
