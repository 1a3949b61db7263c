/**
 * Looks after the months that results of cases are kept in: there is one ahead of need, and those that are older than they have to be
 * are dropped whole, which the audit records. Scores, verdicts, the counts of suites and the audit stay.
 */
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { appendAudit } from '../migrations/append-audit.ts';
import { type Database, reasonOf } from '../migrations/open-database.ts';
import { rowsOf } from '../migrations/rows-of.ts';

/** How often it is looked after, in milliseconds: what could not be done is tried again soon. */
const lookMs = 3_600_000;

/** So many months ahead have their partition, should nobody look after them for a while. */
const monthsAhead = 2;

/** Longer than this, in milliseconds, scores do not wait for a partition to be made or dropped. */
const lockMs = 5_000;

/** The same for all processes of the service, as in the function that makes partitions. */
const lock = 7_276_555;

const partitionsSchema = z.array(z.object({ name: z.string().regex(/^case_results_\d{4}_\d{2}$/) }));
const countSchema = z.tuple([z.object({ count: z.coerce.number(), newest: z.coerce.date().nullable() })]);

export class ResultMonths {
  readonly #database: Database;
  readonly #keepMonths: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  /** Results are kept for at least `keepMonths`, or for ever. */
  constructor(database: Database, keepMonths: number | undefined) {
    this.#database = database;
    this.#keepMonths = keepMonths;
  }

  /** Looks after them now and every hour. A failure is a warning: results then go where there is room, and are kept longer. */
  start(): void {
    const look = () => {
      this.#looking = this.tend().catch((error: unknown) => {
        process.emitWarning(`the months of results are not looked after: ${reasonOf(error)}`);
      });
    };
    this.#timer ??= setInterval(look, lookMs).unref();
    look();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Makes the partitions of this month and the next ones, and drops those that are old enough. Throws what the database throws. */
  async tend(now = new Date()): Promise<void> {
    for (let ahead = 0; ahead <= monthsAhead; ahead++) {
      const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead)).toISOString();
      await this.#withLock((transaction) =>
        transaction.execute(sql`SELECT make_result_partition(${month}::timestamptz)`),
      );
    }
    if (this.#keepMonths === undefined) return;
    const keptFrom = monthsBefore(now, this.#keepMonths);
    for (const name of await partitionsOf(this.#database)) {
      if (endOf(name) <= keptFrom) await this.#drop(name);
    }
    await this.#emptyDefault(keptFrom);
  }

  async #drop(name: string): Promise<void> {
    await this.#withLock(async (transaction) => {
      // Another process may have done it meanwhile.
      if (!(await partitionsOf(transaction)).includes(name)) return;
      const [{ count }] = await countOf(transaction, name);
      await transaction.execute(sql`DROP TABLE ${sql.identifier(name)}`);
      const about = { month: name.slice(-7).replace('_', '-'), results: count };
      await appendAudit(transaction, { by: 'service', action: 'results.dropped', about });
    });
  }

  /** What is of no month with a partition goes once all of it is old enough. */
  async #emptyDefault(keptFrom: Date): Promise<void> {
    const name = 'case_results_default';
    await this.#withLock(async (transaction) => {
      const [{ count, newest }] = await countOf(transaction, name);
      if (newest === null || newest >= keptFrom) return;
      await transaction.execute(sql`DROP TABLE case_results_default`);
      await transaction.execute(sql`CREATE TABLE case_results_default PARTITION OF case_results DEFAULT`);
      await transaction.execute(sql`SELECT guard_results('case_results_default')`);
      const about = { month: null, before: keptFrom.toISOString(), results: count };
      await appendAudit(transaction, { by: 'service', action: 'results.dropped', about });
    });
  }

  async #withLock(run: (transaction: Database) => Promise<unknown>): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await transaction.execute(sql`SELECT set_config('lock_timeout', ${`${lockMs}ms`}, true)`);
      await transaction.execute(sql`SELECT pg_advisory_xact_lock(${lock})`);
      await run(transaction);
    });
  }
}

/** The partitions of months, the oldest first. */
async function partitionsOf(database: Database): Promise<string[]> {
  const rows = await database.execute(sql`
    SELECT relname AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'case_results'::regclass AND relname <> 'case_results_default' ORDER BY relname`);
  return partitionsSchema.parse(rowsOf(rows)).map(({ name }) => name);
}

async function countOf(database: Database, name: string): Promise<z.infer<typeof countSchema>> {
  const rows = await database.execute(
    sql`SELECT count(*) AS count, max(at) AS newest FROM ${sql.identifier(name)}`,
  );
  return countSchema.parse(rowsOf(rows));
}

/** The instant so many months before another; on the last of the month where that has fewer days. */
function monthsBefore(now: Date, months: number): Date {
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth() - months];
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const before = new Date(now);
  before.setUTCFullYear(year, month, Math.min(now.getUTCDate(), lastDay));
  return before;
}

/** When the month of a partition ends. */
function endOf(name: string): Date {
  const [, year = '', month = ''] = /_(\d{4})_(\d{2})$/.exec(name) ?? [];
  return new Date(Date.UTC(Number(year), Number(month)));
}
