/**
 * The queue of scores, on the same database as everything else, kept by pg-boss. A job is a score that has no verdict yet, under the
 * score's own id. Whoever fetches one holds a lease that lapses without heartbeats; a verdict is appended in the transaction that
 * completes the job, and only by who still holds the lease. So each score gets one verdict, whoever dies.
 */
import { sql } from 'drizzle-orm';
import { type Db, fromDrizzle, PgBoss } from 'pg-boss';
import { z } from 'zod';
import type { Database, OpenDatabase } from '../../migrations/open-database.ts';
import { rowsOf } from '../../migrations/rows-of.ts';
import { within } from '../../migrations/within.ts';
import { publishedAt } from '../disclosure/publication.ts';
import { GateError } from '../errors.ts';
import { type Change, concurrencyMax, type Priority, priorities } from '../gate.ts';
import type { ScoreRecord } from '../history.ts';

/** The database that pg-boss is told it runs on; `place_in_queue` and our tables have been tried on `postgres` and `pglite` alone. */
export const queueBackends = ['postgres', 'citus', 'yugabytedb', 'cockroachdb'] as const;
export type QueueBackend = (typeof queueBackends)[number];

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

/** Finished jobs are kept until no slot can hold their place any more, and nothing takes longer to score, in seconds. */
const keepSeconds = 2 * 3_600;

/** Far apart, so that no number of turns makes one priority another. As in `place_in_queue`. */
const priorityStep = 100_000_000;

const jobSchema = z.object({ score: z.uuid(), change: z.string(), commit: z.string() });
type Job = z.infer<typeof jobSchema>;

/** A claim on a job: which, and which attempt at it. Of two claims on one job the later alone is good. */
export type Lease = { id: string; retryCount: number };

/** Where an attempt stands that is being accepted. */
export type Place = {
  /** Its turn among the jobs of its priority. */
  turn: number;
  /** How many wait to run, and how many places are taken by these, by those that run, and by those that are not published. */
  waiting: number;
  places: number;
  /** Scores that wait for other commits of the same change, for which nobody waits any more. */
  superseded: string[];
};

const placesSchema = z.array(
  z.object({
    turn: z.number(),
    waiting: z.number(),
    places: z.number(),
    superseded: z.array(z.uuid()),
  }),
);

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
      monitorVacuum: false,
      reindex: !isAlone,
      // Nobody else's lease can lapse where there is nobody else.
      superviseIntervalSeconds: isAlone ? 60 : superviseSeconds,
      monitorIntervalSeconds: isAlone ? 60 : superviseSeconds,
    });
    boss.on('error', (error) => process.emitWarning(`the queue: ${error.message}`));
    await boss.start();
    await boss.createQueue(lost, { expireInSeconds: 60, retryLimit: 1_000, deleteAfterSeconds: keepSeconds });
    await boss.createQueue(scores, {
      // Of one candidate at one gate one score runs at a time; the next of them gets the same verdict without being run.
      policy: 'singleton',
      retryLimit,
      expireInSeconds: keepSeconds,
      retentionSeconds: keepSeconds,
      deleteAfterSeconds: keepSeconds,
      deadLetter: lost,
      ...(isAlone ? {} : { heartbeatSeconds: leaseSeconds }),
    });
    return new ScoreQueue(boss, opened, slotMs);
  }

  /**
   * Appends the job of an attempt, in the transaction that appends the attempt and under its lock, and tells nodes that wait for
   * work. Throws `queue_full` where `placesMax` places are taken.
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
        ${gate}, ${keyOf(gate, change)}, ${change.commit}, ${rank}, ${this.#slotMs} * interval '1 millisecond'
      )`);
    const [place] = placesSchema.parse(rowsOf(found));
    if (place === undefined) throw new Error('the queue does not tell places');
    if (place.places >= placesMax) {
      throw new GateError('queue_full', 'too many scores are waiting: try again later');
    }
    await this.#send(inTransaction(transaction), score, rank * priorityStep - place.turn, concurrency);
    return place;
  }

  async #send(db: Db, score: ScoreRecord, priority: number, concurrency: number | undefined) {
    const { id, gate, change, candidate } = score;
    const job: Job = { score: id, change: keyOf(gate, change), commit: change.commit };
    await this.#boss.send(scores, job, {
      id,
      priority,
      singletonKey: `${gate} ${candidate}`,
      group: { id: gate, ...(concurrency === undefined ? {} : { tier: `${concurrency}` }) },
      db,
    });
  }

  /**
   * Queues attempts that have no verdict and no job: of a release without a queue, or of a database that was restored. Where no other
   * node can be at work, what an earlier process of ours was at is given up for it.
   */
  async adopt(undecided: ScoreRecord[]): Promise<void> {
    for (const score of undecided) await this.#send(on(this.#opened), score, 2 * priorityStep, undefined);
    if (this.#opened.kind !== 'pglite') return;
    const active = z
      .array(z.object({ id: z.uuid() }))
      .parse(
        rowsOf(
          await this.#opened.database.execute(
            sql`SELECT id FROM pgboss.job WHERE name = ${scores} AND state = 'active'`,
          ),
        ),
      );
    if (active.length > 0)
      await this.#boss.fail(
        scores,
        active.map(({ id }) => id),
        { message: 'its process ended' },
      );
  }

  /** Claims the job whose turn it is, if one waits whose gate may have another score run. */
  async fetch(): Promise<Lease | undefined> {
    const [job] = await this.#boss.fetch(scores, { groupConcurrency: gatesAtOnce });
    return job && { id: job.id, retryCount: job.retryCount };
  }

  /** Claims a job that was lost for good, and tells which score it was of. */
  async fetchLost(): Promise<{ lease: Lease; score: string } | undefined> {
    const [job] = await this.#boss.fetch(lost);
    return (
      job && { lease: { id: job.id, retryCount: job.retryCount }, score: jobSchema.parse(job.data).score }
    );
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
    if (z.array(z.unknown()).parse(rowsOf(waiting)).length !== 1) throw lostLease(score.id);
    const from = publishedAt(score.requestedAt, decidedAt, this.#slotMs);
    await this.#boss.complete(scores, score.id, { publishedAt: from }, { db, includeQueued: true });
  }

  /** Gives up a job because of a failure of ours: another node tries it, or it is lost for good. Does nothing to a lease that is lost. */
  async fail(lease: Lease, message: string): Promise<void> {
    await this.#boss.fail(scores, lease, { message });
  }

  /** Puts a job back as if it had not been begun, because its node stops. Does nothing to a lease that is lost. */
  async giveBack(lease: Lease): Promise<void> {
    await this.#opened.database.transaction(async (transaction) => {
      const db = inTransaction(transaction);
      if (!hasSettled(await this.#boss.cancel(scores, lease, { db }))) return;
      await this.#boss.resume(scores, lease.id, { db });
      // The claim that was given back is no failure.
      await this.#boss.update(scores, undefined, {
        id: lease.id,
        retryLimit: lease.retryCount + 1 + retryLimit,
        db,
      });
      await transaction.execute(sql`SELECT pg_notify('holdback_jobs', '')`);
    });
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
    await this.#boss.stop({ graceful: false });
  }
}

/** How many scores of a gate run at once, by the tier of its jobs; where its policy says nothing, any number. */
const gatesAtOnce = {
  default: 1_000_000,
  tiers: Object.fromEntries(
    Array.from({ length: concurrencyMax }, (_, index) => [`${index + 1}`, index + 1]),
  ),
};

/** A change is a repository's, at a gate. */
function keyOf(gate: string, { repository, id }: Change): string {
  return JSON.stringify([gate, repository ?? null, id]);
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
  const execute = async (statement: unknown) => ({
    rows: rowsSchema.parse(rowsOf(await transaction.execute(sql`${statement}`))),
  });
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

function lostLease(score: string): GateError {
  return new GateError('lease_lost', `score ${score} is another's by now`);
}
