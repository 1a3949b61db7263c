/**
 * The queue of scores, on the same database as everything else, kept by pg-boss. A job is a score that has no verdict yet, under the
 * score's own id. Whoever fetches one holds a lease that lapses without heartbeats; a verdict is appended in the transaction that
 * completes the job, and only by who still holds the lease. So each score gets one verdict, whoever dies.
 */
import { DrizzleQueryError, sql } from 'drizzle-orm';
import { type Db, fromDrizzle, PgBoss } from 'pg-boss';
import { z } from 'zod';
import type { Database, OpenDatabase } from '../../migrations/open-database.ts';
import { rowsOf } from '../../migrations/rows-of.ts';
import { within } from '../../migrations/within.ts';
import { publishedAt } from '../disclosure/publication.ts';
import { GateError } from '../errors.ts';
import { concurrencyMax, type Priority, priorities } from '../gate.ts';
import type { ScoreRecord } from '../history.ts';
import type { QueueBackend } from './queue-backend.ts';

const scores = 'scores';
/** Where jobs go whose nodes died, or failed to say what became of them, as often as is allowed. */
const lost = 'lost-scores';

/** A job whose node fails, however it fails, is tried once more; the second failure of ours makes the score indeterminate. */
const retryLimit = 1;

/** A lease without a heartbeat for so long has lapsed, in seconds; pg-boss takes no less. */
const leaseSeconds = 10;
export const heartbeatMs = 3_000;

/** A statement that takes longer counts as lost, in milliseconds. */
const answerMs = 10_000;

/** How often some node looks for lapsed leases, in seconds. */
const superviseSeconds = 5;

/** Nothing takes longer to score, in seconds: whoever has had a job for so long has lost it. */
const runSeconds = 2 * 3_600;

/** Finished jobs are kept until no slot can hold their place any more, in seconds. */
const finishedSeconds = 4 * 3_600;

/** Jobs that wait for longer are deleted: never. Who has waited for too long is told so when its turn comes, in seconds. */
const waitingSeconds = 10 * 366 * 86_400;

/** Nodes claim jobs one after the other, so that each sees what runs already. Any constant will do. */
const claimLock = 7_276_556;

/** When the process ends, so long is waited for what the queue is at, in milliseconds. */
const closeMs = 1_000;

/** Far apart, so that no number of turns makes one priority another. As in `place_in_queue`. */
const priorityStep = 100_000_000;

/**
 * A gate gets no more places when it has so many for each that is free: so one alone leaves a tenth of them to others, however often its
 * own are asked for (dynamic thresholds, Choudhury and Hahne, 1998).
 */
const ownPerFree = 9;

/** `change` tells apart what may supersede what: see `keyOf`. */
const jobSchema = z.object({ score: z.uuid(), change: z.string(), commit: z.string() });
type Job = z.infer<typeof jobSchema>;

/** A claim on a job: which, and which attempt at it. Of two claims on one job the later alone is good. */
export type Lease = { id: string; retryCount: number };

/** A claim that was made just now, with how long ago its attempt was accepted: measured, so that no two machines' clocks are compared. */
export type Claim = Lease & { elapsedMs(): number };

/** Where an attempt stands that is being accepted. */
export type Place = {
  /** Its turn among the jobs of its priority. */
  turn: number;
  /** How many wait to run, and how many places are taken by these, by those that run, and by those that are not published. */
  waiting: number;
  places: number;
  /** How many of these places the gate has. */
  own: number;
  /** Scores that wait for earlier commits of the same change, for which nobody waits any more. */
  superseded: string[];
};

const placesSchema = z.array(
  z.object({
    turn: z.number(),
    waiting: z.number(),
    places: z.number(),
    own: z.number(),
    superseded: z.array(z.uuid()),
  }),
);

/** Why a job was given up: what its node said, or pg-boss, where the node said nothing any more. */
const whySchema = z
  .union([
    z.object({ message: z.string() }).transform(({ message }) => message),
    z.object({ value: z.object({ message: z.string() }) }).transform(({ value }) => value.message),
  ])
  .catch('for an unknown reason');

/** When a job was queued and claimed, by the database's clock. */
const timesSchema = z.object({ createdOn: z.coerce.date(), startedOn: z.coerce.date() });

export type ScoreQueueOptions = { backend: QueueBackend; slotMs: number };

export class ScoreQueue {
  readonly #boss: PgBoss;
  readonly #opened: OpenDatabase;
  readonly #slotMs: number;

  private constructor(boss: PgBoss, opened: OpenDatabase, slotMs: number) {
    this.#boss = boss;
    this.#opened = opened;
    this.#slotMs = slotMs;
  }

  /** Opens the queue, and makes it the first time. Several processes may do so at once. */
  static async open(opened: OpenDatabase, { backend, slotMs }: ScoreQueueOptions): Promise<ScoreQueue> {
    const isAlone = opened.kind === 'pglite';
    const boss = new PgBoss({
      db: on(opened),
      backend: isAlone ? 'pglite' : backend,
      schedule: false,
      registerInstance: false,
      // It would send a trace each time that it looks for a job, and the statement of one that fails.
      openTelemetry: { enabled: false },
      monitorVacuum: false,
      reindex: !isAlone,
      // Nobody else's lease can lapse where there is nobody else.
      superviseIntervalSeconds: isAlone ? 60 : superviseSeconds,
      monitorIntervalSeconds: isAlone ? 60 : superviseSeconds,
    });
    boss.on('error', (error) => process.emitWarning(`the queue: ${error.message}`));
    const kept = { retentionSeconds: waitingSeconds, deleteAfterSeconds: finishedSeconds };
    const ofLost = { expireInSeconds: 60, retryLimit: 1_000, ...kept };
    const ofScores = {
      retryLimit,
      expireInSeconds: runSeconds,
      deadLetter: lost,
      ...kept,
      ...(isAlone ? {} : { heartbeatSeconds: leaseSeconds }),
    };
    try {
      await boss.start();
      // To make one that is there already does nothing, and takes as long as to make it.
      const there = new Set((await boss.getQueues([lost, scores])).map(({ name }) => name));
      if (!there.has(lost)) await boss.createQueue(lost, ofLost);
      // Of one candidate at one gate one score runs at a time; the next of them gets the same verdict without being run.
      if (!there.has(scores)) await boss.createQueue(scores, { policy: 'singleton', ...ofScores });
      // A queue that is there is left as it was made, perhaps by an earlier release.
      await boss.updateQueue(lost, ofLost);
      await boss.updateQueue(scores, ofScores);
    } catch (error) {
      await boss.stop({ graceful: false });
      throw error;
    }
    return new ScoreQueue(boss, opened, slotMs);
  }

  /**
   * Appends the job of an attempt, in the transaction that appends the attempt and under its lock, and tells nodes that wait for
   * work. Throws `queue_full` where `placesMax` places are taken, or the gate has its part of them.
   */
  async place(
    transaction: Database,
    score: ScoreRecord,
    priority: Priority,
    { concurrency, placesMax }: { concurrency: number | undefined; placesMax: number },
  ): Promise<Place> {
    const rank = priorities.indexOf(priority) + 1;
    const { gate, change } = score;
    const found = await transaction.execute(sql`
      SELECT *, pg_notify('holdback_jobs', '') FROM place_in_queue(
        ${gate}, ${keyOf(score)}, ${change.commit}, ${rank}, ${this.#slotMs} * interval '1 millisecond'
      )`);
    const [place] = placesSchema.parse(rowsOf(found));
    if (place === undefined) throw new Error('the queue does not tell places');
    const free = placesMax - place.places;
    if (free <= 0 || place.own >= ownPerFree * free) throw queueFull();
    const job = jobOf(score, rank * priorityStep - place.turn, concurrency);
    await this.#boss.insert(scores, [job], { db: inTransaction(transaction) });
    if (place.superseded.length === 0 || !(await wasAskedBefore(transaction, score))) return place;
    // A job of CI that is run again: the commit is no later one.
    return { ...place, superseded: [] };
  }

  /**
   * Queues attempts that have no verdict and no job, in their order: of a release without a queue, or of a database that was restored.
   * `concurrencyOf` tells the bound of a gate. Several nodes may do so at once.
   */
  async adopt(
    undecided: ScoreRecord[],
    concurrencyOf: (gate: string) => Promise<number | undefined>,
  ): Promise<void> {
    const rank = priorities.indexOf('change') + 1;
    const bounds = new Map<string, number | undefined>();
    for (const { gate } of undecided) if (!bounds.has(gate)) bounds.set(gate, await concurrencyOf(gate));
    const jobs = undecided.map((score, turn) =>
      jobOf(score, rank * priorityStep - turn, bounds.get(score.gate)),
    );
    for (let from = 0; from < jobs.length; from += adoptedAtOnce)
      await this.#boss.insert(scores, jobs.slice(from, from + adoptedAtOnce));
  }

  /** Gives up what an earlier process was at, where there can be no other node that still is. */
  async giveUpLeft(): Promise<void> {
    if (this.#opened.kind !== 'pglite') return;
    const left = await this.#opened.database.execute(
      sql`SELECT id FROM pgboss.job WHERE name = ${scores} AND state = 'active'`,
    );
    const ids = z.array(z.object({ id: z.uuid() })).parse(rowsOf(left));
    if (ids.length === 0) return;
    await this.#boss.fail(
      scores,
      ids.map(({ id }) => id),
      { message: 'its process ended' },
    );
  }

  /** Claims the job whose turn it is, if one waits whose gate may have another score run. */
  async fetch(): Promise<Claim | undefined> {
    const askedAtMs = performance.now();
    const claim = async (db: Db): Promise<Claim | undefined> => {
      const options = { groupConcurrency: gatesAtOnce, includeMetadata: true, db } as const;
      const [job] = await this.#boss.fetch(scores, options);
      if (job === undefined) return undefined;
      const { createdOn, startedOn } = timesSchema.parse(job);
      const waitedMs = startedOn.getTime() - createdOn.getTime();
      return {
        id: job.id,
        retryCount: job.retryCount,
        elapsedMs: () => waitedMs + performance.now() - askedAtMs,
      };
    };
    if (this.#opened.kind === 'pglite') return claim(on(this.#opened));
    const claiming = this.#opened.database.transaction(async (transaction) => {
      // Of two nodes that claim at once neither would see what the other is about to run for the same gate.
      await transaction.execute(sql`SELECT pg_advisory_xact_lock(${claimLock})`);
      return claim(inTransaction(transaction));
    });
    const claimed = within(answerMs, claiming);
    // A claim that is made all the same is nobody's: it would lapse, as if a node had died at it.
    claimed.catch(() => claiming.then((late) => late && this.giveBack(late)).catch(() => {}));
    return claimed;
  }

  /** Claims a job that was lost for good, and tells which score it was of, and what was the last that failed. */
  async fetchLost(): Promise<{ lease: Lease; score: string; why: string } | undefined> {
    const [job] = await this.#boss.fetch(lost, { includeMetadata: true });
    if (job === undefined) return undefined;
    const { id, retryCount, sourceOutput } = job;
    return {
      lease: { id, retryCount },
      score: jobSchema.parse(job.data).score,
      why: whySchema.parse(sourceOutput),
    };
  }

  /** Whether leases lapse without heartbeats. Nobody else's can where there is nobody else. */
  get leasesLapse(): boolean {
    return this.#opened.kind !== 'pglite';
  }

  /** Keeps a lease. Answers whether it still was ours. */
  async beat(lease: Lease): Promise<boolean> {
    return hasSettled(await this.#boss.touch(scores, lease));
  }

  /** Completes a job in the transaction that appends its verdict. Throws `lease_lost` where it is not ours any more. */
  async complete(transaction: Database, lease: Lease, score: ScoreRecord, decidedAt: Date): Promise<void> {
    const from = publishedAt(score.requestedAt, decidedAt, this.#slotMs);
    const db = inTransaction(transaction);
    if (!hasSettled(await this.#boss.complete(scores, lease, { publishedAt: from }, { db })))
      throw lostLease(score.id);
  }

  /** The same for a job that was lost for good. */
  async completeLost(transaction: Database, lease: Lease, score: ScoreRecord): Promise<void> {
    const db = inTransaction(transaction);
    if (!hasSettled(await this.#boss.complete(lost, lease, null, { db }))) throw lostLease(score.id);
  }

  /** Takes a job that nobody has begun out of the queue, in the transaction that appends its verdict. Throws `lease_lost` if somebody has. */
  async withdraw(transaction: Database, score: ScoreRecord, decidedAt: Date): Promise<void> {
    const db = inTransaction(transaction);
    const waiting = await transaction.execute(
      sql`SELECT id FROM pgboss.job WHERE name = ${scores} AND id = ${score.id} AND state < 'active' FOR UPDATE`,
    );
    if (rowsSchema.parse(rowsOf(waiting)).length !== 1) throw lostLease(score.id);
    const from = publishedAt(score.requestedAt, decidedAt, this.#slotMs);
    await this.#boss.complete(scores, score.id, { publishedAt: from }, { db, includeQueued: true });
  }

  /** Gives up a job because of a failure of ours: another node tries it, or it is lost for good. Does nothing to a lease that is lost. */
  async fail(lease: Lease, message: string): Promise<void> {
    await this.#boss.fail(scores, lease, { message });
  }

  /** Puts a job back as if it had not been begun, because its node stops. Does nothing to a lease that is lost. */
  async giveBack(lease: Lease): Promise<void> {
    const giving = this.#opened.database.transaction(async (transaction) => {
      const db = inTransaction(transaction);
      if (!hasSettled(await this.#boss.cancel(scores, lease, { db }))) return;
      await this.#boss.resume(scores, lease.id, { db });
      // Each claim but the first counts as a retry, and this one is no failure.
      await transaction.execute(sql`
        UPDATE pgboss.job SET retry_limit = retry_limit + 1 WHERE name = ${scores} AND id = ${lease.id}`);
      await transaction.execute(sql`SELECT pg_notify('holdback_jobs', '')`);
    });
    await within(answerMs, giving);
  }

  /** Calls `wake` whenever a job may wait. */
  async onJobs(wake: () => void): Promise<void> {
    await this.#opened.listen('holdback_jobs', wake);
  }

  /** How many jobs wait and run, and how long the oldest of those that wait has waited, in seconds. */
  async depth(): Promise<{ waiting: number; running: number; oldestSeconds: number }> {
    const counted = await this.#opened.database.execute(sql`
      SELECT
        count(*) FILTER (WHERE state < 'active')::integer AS waiting,
        count(*) FILTER (WHERE state = 'active')::integer AS running,
        coalesce(extract(epoch FROM now() - min(created_on) FILTER (WHERE state < 'active')), 0)::double precision AS oldest
      FROM pgboss.job WHERE name = ${scores} AND state < 'completed'`);
    const [row] = z
      .array(z.object({ waiting: z.number(), running: z.number(), oldest: z.number() }))
      .parse(rowsOf(counted));
    return { waiting: row?.waiting ?? 0, running: row?.running ?? 0, oldestSeconds: row?.oldest ?? 0 };
  }

  /** How many jobs come before a score's, if it waits. */
  async ahead(score: string): Promise<number | undefined> {
    const counted = await this.#opened.database.execute(sql`
      SELECT (
        SELECT count(*) FROM pgboss.job AS other
        WHERE other.name = ${scores} AND other.state < 'active'
          AND (other.priority > own.priority OR (other.priority = own.priority AND other.created_on < own.created_on))
      )::integer AS ahead
      FROM pgboss.job AS own WHERE own.name = ${scores} AND own.id = ${score} AND own.state < 'active'`);
    const [row] = z.array(z.object({ ahead: z.number() })).parse(rowsOf(counted));
    return row?.ahead;
  }

  /** Ends what the queue does by itself. The database stays open. */
  async close(): Promise<void> {
    await within(closeMs, this.#boss.stop({ graceful: false })).catch(() => {});
  }
}

/** How many scores of a gate run at once, by the tier of its jobs; where its policy says nothing, any number. */
const gatesAtOnce = {
  default: 1_000_000,
  tiers: Object.fromEntries(
    Array.from({ length: concurrencyMax }, (_, index) => [`${index + 1}`, index + 1]),
  ),
};

/** So many jobs are adopted by one statement. */
const adoptedAtOnce = 1_000;

/** The job of a score, with the priority that tells its turn. */
function jobOf(score: ScoreRecord, priority: number, concurrency: number | undefined) {
  const { id, gate, change, candidate } = score;
  const data: Job = { score: id, change: keyOf(score), commit: change.commit };
  const group = { id: gate, ...(concurrency === undefined ? {} : { tier: `${concurrency}` }) };
  return { id, data, priority, singletonKey: `${gate} ${candidate}`, group };
}

/** A change is a repository's, at a gate; and nobody's pushes supersede what another has asked for. */
function keyOf({ gate, change: { repository, id }, requestedBy }: ScoreRecord): string {
  return JSON.stringify([gate, repository ?? null, id, requestedBy]);
}

/** Whether there was an attempt at the same commit of the change before this one. */
async function wasAskedBefore(transaction: Database, score: ScoreRecord): Promise<boolean> {
  const { id, commit, repository } = score.change;
  const asked = await transaction.execute(sql`
    SELECT 1 FROM scores
    WHERE gate = ${score.gate} AND change_id = ${id} AND commit = ${commit}
      AND repository IS NOT DISTINCT FROM ${repository ?? null} AND sequence < ${score.sequence}
    LIMIT 1`);
  return rowsSchema.parse(rowsOf(asked)).length > 0;
}

/** pg-boss on the database, outside of any transaction. Each statement has so long to be answered: no node waits for ever. */
function on({ database, run }: OpenDatabase): Db {
  const { executeSql } = inTransaction(database);
  return {
    executeSql: (text, values = []) =>
      within(answerMs, values.length === 0 ? run(text) : executeSql(text, values)),
  };
}

/** pg-boss on a transaction of ours. */
function inTransaction(transaction: Database): Db {
  const execute = async (statement: unknown) => {
    try {
      return { rows: rowsSchema.parse(rowsOf(await transaction.execute(sql`${statement}`))) };
    } catch (error) {
      // It goes by the codes of the database's own errors.
      throw error instanceof DrizzleQueryError && error.cause !== undefined ? error.cause : error;
    }
  };
  const { executeSql } = fromDrizzle({ execute }, sql);
  // It leaves it to drivers to write objects as JSON, and Drizzle does not have them do it.
  const written = (value: unknown) =>
    typeof value === 'object' && value?.constructor === Object ? JSON.stringify(value) : value;
  return { executeSql: (text, values) => executeSql(text, values?.map(written)) };
}

const rowsSchema = z.array(z.unknown()).transform((rows) => [...rows]);

/** Whether a call settled or touched the one job that it was about. pg-boss's types do not tell what it answers. */
function hasSettled(answer: unknown): boolean {
  return z.object({ affected: z.number() }).parse(answer).affected === 1;
}

/** What a caller is told for whose score there is no place. */
export function queueFull(): GateError {
  return new GateError('queue_full', 'too many scores are waiting: try again later');
}

/** What is thrown to a node that acts on a score whose lease it has not, or no longer. */
export function lostLease(score: string): GateError {
  return new GateError('lease_lost', `score ${score} is another's by now`);
}
