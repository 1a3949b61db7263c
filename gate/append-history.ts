/** Appends what happened: an attempt, and its verdict with all that comes with it, each in one statement. Rows are never changed. */
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { auditEntry } from '../migrations/append-audit.ts';
import type { Database } from '../migrations/open-database.ts';
import { rowsOf } from '../migrations/rows-of.ts';
import type { RevisionName } from '../suites/revisions.ts';
import { sealForStorage } from '../suites/sealing/seal-for-storage.ts';
import type { Sealed, Seals } from '../suites/sealing/sealing.ts';
import { type BlockReason, block, type CaseResult, type Decision, type SuiteScore } from './decide.ts';
import type { Alarm, Failure } from './disclosure/disclosed.ts';
import { GateError } from './errors.ts';
import { textOfFailures } from './failures.ts';
import type { Change } from './gate.ts';
import { happened } from './happened.ts';
import {
  type DecidedVerdict,
  findScoreByKey,
  isCurrent,
  type ScoreRecord,
  type StoredVerdict,
} from './history.ts';
import type { VisibleTests } from './visible-report.ts';

export type NewScore = {
  id: string;
  gate: string;
  policyVersion: number;
  change: Change;
  candidate: string;
  requestedBy: string;
  requestedAt: Date;
  deadlineAt: Date;
  idempotencyKey: string | undefined;
  requestDigest: string;
  /** What CI says of the tests that the author sees. */
  visibleTests: VisibleTests | undefined;
};

/**
 * Appends an attempt. With an idempotency key that was used before, gives the earlier attempt instead; throws
 * `idempotency_conflict` if that one was for another request.
 */
export async function appendScore(
  database: Database,
  score: NewScore,
): Promise<{ record: ScoreRecord; isNew: boolean }> {
  const { change, requestedBy: by } = score;
  const { id: changeId, ...changeRest } = change;
  const row = {
    id: score.id,
    gate: score.gate,
    policy_version: score.policyVersion,
    change_id: changeId,
    ...changeRest,
    candidate: score.candidate,
    requested_at: score.requestedAt,
    requested_by: by,
    deadline_at: score.deadlineAt,
    idempotency_key: score.idempotencyKey,
    request_digest: score.requestDigest,
    visible_passed: score.visibleTests?.passed,
    visible_total: score.visibleTests?.total,
  };
  const { id, gate, candidate } = score;
  const about = { score: id, gate, change: changeId, commit: change.commit, candidate };
  const entry = auditEntry({ by, action: 'score.accepted', about });
  const appended = await database.execute(
    sql`SELECT * FROM append_score(${JSON.stringify(row)}::jsonb, ${entry})`,
  );
  const [placed] = placesSchema.parse(rowsOf(appended));
  if (placed !== undefined) {
    const { idempotencyKey: _, ...rest } = score;
    return { record: { ...rest, ...placed, verdict: undefined }, isNew: true };
  }
  const earlier = await findScoreByKey(database, by, score.idempotencyKey ?? '');
  if (earlier?.requestDigest !== score.requestDigest) {
    throw new GateError(
      'idempotency_conflict',
      'this Idempotency-Key was used for another request: use a new key for each request',
    );
  }
  return { record: earlier, isNew: false };
}

const placesSchema = z.array(
  z
    .object({
      appended_sequence: z.coerce.number(),
      appended_attempt: z.number(),
      appended_first_requested_at: z.coerce.date(),
    })
    .transform((row) => ({
      sequence: row.appended_sequence,
      attempt: row.appended_attempt,
      firstRequestedAt: row.appended_first_requested_at,
    })),
);

export type NewVerdict = {
  scoreId: string;
  gate: string;
  policyVersion: number;
  decision: Decision;
  decidedAt: Date;
  /** What was scored, one result for each case; nothing where nothing ran. */
  scored: SuiteScore[];
  /** The earlier score of which this verdict is a repetition. */
  repeats: ScoreRecord | undefined;
  durationMs: number;
  /** What the suite's author may read, sealed as it is stored. */
  failures: Failure[];
  /** What the verdict, once disclosed, may teach about the cases of each revision, in bits. */
  charges: (RevisionName & { bits: number })[];
  alarms: Alarm[];
  /** What the inputs of generated cases were made from, 64 hexadecimal digits; null where nothing was run. */
  seed: string | null;
};

/** What the transaction that appends a verdict does first: it settles the score's job. Throws `lease_lost` where that is another's by now. */
export type Settle = (transaction: Database, decidedAt: Date) => Promise<void>;

/** What is appended where a failure of ours keeps a score from being decided. */
export function indeterminate(score: ScoreRecord): NewVerdict {
  return unscored(score, 'indeterminate');
}

/** What is appended for a score that was not run. */
export function unscored({ id, gate, policyVersion }: ScoreRecord, reason: BlockReason): NewVerdict {
  return {
    scoreId: id,
    gate,
    policyVersion,
    decision: block(reason),
    decidedAt: new Date(),
    scored: [],
    repeats: undefined,
    durationMs: 0,
    failures: [],
    charges: [],
    alarms: [],
    seed: null,
  };
}

/** Tells that a verdict was appended: after its transaction, never before. */
function tellDecided({ scoreId: score, gate, repeats }: NewVerdict, stored: DecidedVerdict): void {
  happened.emit('decided', {
    score,
    gate,
    verdict: stored.verdict,
    reason: stored.reason,
    repeats: repeats !== undefined,
    durationMs: stored.durationMs,
  });
}

/**
 * Appends the one verdict of a score with all its case results, charges and alarms, and settles its job, in one transaction. If meanwhile the policy
 * or an active revision has changed, a merge becomes `stale`: what was scored is not what the gate asks for now. Answers the
 * verdict as it was stored.
 */
export async function appendVerdict(
  { database, seals }: { database: Database; seals: Seals },
  verdict: NewVerdict,
  settle: Settle,
): Promise<StoredVerdict> {
  const { scoreId, scored, repeats, failures } = verdict;
  const names = repeats?.verdict?.revisions ?? scored.map(({ suite, revision }) => ({ suite, revision }));
  const counts = repeats?.verdict ?? {
    passed: scored.reduce((sum, { results }) => sum + passedOf(results), 0),
    total: scored.reduce((sum, { positions }) => sum + positions.length, 0),
  };
  const isMerge = verdict.decision.verdict === 'merge';
  const isStale = isMerge && !(await isCurrent(database, verdict.gate, verdict.policyVersion, names));
  const { verdict: answer, reason } = isStale ? block('stale') : verdict.decision;
  const stored: DecidedVerdict = {
    verdict: answer,
    reason,
    revisions: names,
    passed: counts.passed,
    total: counts.total,
    durationMs: verdict.durationMs,
    repeats: repeats?.id ?? null,
    seed: verdict.seed,
    decidedAt: verdict.decidedAt,
    bits: Math.max(0, ...verdict.charges.map(({ bits }) => bits)),
  };
  // Verdicts that are appended at once wait for each other, suite by suite, and so all in the same order.
  const inOneOrder = scored.toSorted((one, other) => (one.suite < other.suite ? -1 : 1));
  const append = (on: Database, sealed: Sealed | undefined) =>
    on.execute(sql`SELECT append_verdict(
      ${JSON.stringify({
        score_id: scoreId,
        verdict: answer,
        reason,
        revisions: names,
        passed: counts.passed,
        total: counts.total,
        duration_ms: verdict.durationMs,
        sealed_to: sealed?.recipient,
        repeats: stored.repeats,
        seed: verdict.seed,
        decided_at: verdict.decidedAt,
      })}::jsonb,
      ${sealed?.sealed ?? null}::bytea,
      ${JSON.stringify(inOneOrder.map((suite) => rowsOfSuite(suite, verdict.charges)))}::jsonb,
      ${JSON.stringify(verdict.alarms)}::jsonb,
      ARRAY(SELECT jsonb_array_elements_text(${JSON.stringify(auditOf(verdict, stored))}::jsonb))
    )`);
  const sealedFailures = await database.transaction(async (transaction) => {
    // First, because it locks the job: whoever comes second sees that it is settled.
    await settle(transaction, verdict.decidedAt);
    const sealed =
      failures.length === 0
        ? undefined
        : await sealForStorage(transaction, seals, textOfFailures(scoreId, failures));
    await append(transaction, sealed);
    return sealed?.sealed ?? null;
  });
  tellDecided(verdict, stored);
  return { ...stored, sealedFailures };
}

/** What is kept of one suite's part: one array for each column, however many rows there are. */
function rowsOfSuite({ suite, revision, positions, results }: SuiteScore, charges: NewVerdict['charges']) {
  const column = (of: (result: CaseResult) => string | number | boolean) => `{${results.map(of).join()}}`;
  return {
    suite,
    revision,
    passed: passedOf(results),
    total: positions.length,
    bits: charges.find((charge) => charge.suite === suite)?.bits ?? null,
    positions: column(({ position }) => position),
    outcomes: column(({ outcome }) => outcome),
    passes: column(({ passed }) => passed),
    durations: column(({ durationMs }) => durationMs),
  };
}

function passedOf(results: CaseResult[]): number {
  return results.filter(({ passed }) => passed).length;
}

/** What the audit tells of a verdict: its alarms, and then itself. */
function auditOf({ scoreId: score, gate, alarms }: NewVerdict, stored: DecidedVerdict): string[] {
  const { verdict, reason, revisions, passed, total, repeats, seed } = stored;
  const names = revisions.map(({ suite, revision }) => `${suite}@${revision}`);
  const about = { score, gate, verdict, reason, revisions: names, passed, total, repeats, seed };
  return [
    ...alarms.map((alarm) =>
      auditEntry({ by: 'service', action: 'alarm.raised', about: { score, gate, ...alarm } }),
    ),
    auditEntry({ by: 'service', action: 'verdict.decided', about }),
  ];
}
