/**
 * Opens the database and brings it up to date: PGlite inside the data directory, or the PostgreSQL that a URL names.
 * Several processes may start at once: on PostgreSQL they take turns at migrating, and a data directory
 * belongs to one process.
 */
import type { PGlite } from '@electric-sql/pglite';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import { migrate as migratePostgres } from 'drizzle-orm/node-postgres/migrator';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import pg from 'pg';
import { z } from 'zod';
import { DatabaseError } from './errors.ts';
import { type Backup, encodeBackup } from './journal/backup-file.ts';
import { type Durability, ownDurability } from './journal/durability.ts';
import { openJournaled } from './journal/open-journaled.ts';
import { type Query, readRows } from './journal/rows.ts';
import { Listener } from './listener.ts';
import { lockDirectory } from './lock-directory.ts';
import { makeFolder } from './make-folder.ts';
import { migrationsApplied, migrationsFolder, migrationsKnown, tooNew } from './migrations.ts';
import { Moments, momentStatement } from './moments.ts';
import { SteadyPool } from './steady-pool.ts';
import { connectMs, watchedSocket } from './watched-socket.ts';

export type Database = PgDatabase<PgQueryResultHKT, Record<string, never>>;

export type OpenDatabase = {
  database: Database;
  kind: 'pglite' | 'postgresql';
  moments: Moments;
  /** Whether what was committed outlives a loss of power. Whoever tells of something waits for it. */
  durability: Durability;
  /** Runs statements as they are, one or several, and answers all their rows. For libraries with SQL of their own. */
  run(statements: string): Promise<{ rows: object[] }>;
  /**
   * Calls `heard` with what `NOTIFY` tells on a channel from now on, and with `''` whenever something may have been missed: then
   * whoever listens looks for itself.
   */
  listen(channel: string, heard: (told: string) => void): Promise<void>;
  /** Sees that all processes on it have the same time slots, for as long as this one runs. Throws `settings_differ`. */
  requireSlots(slotMs: number): Promise<void>;
  /**
   * The bytes of a backup of all rows as they are at a moment after the first piece was asked for; nobody waits for it. To be read to its
   * end, or returned. Throws what the database throws, `journal_unwritable` and `journal_damaged`.
   */
  backUp(about: Omit<Backup, 'from'>): AsyncGenerator<Buffer>;
  close(): Promise<void>;
};

/** Any constant will do, as long as every version of the program uses the same. */
export const migrationLock = 7_276_551;

/** While a migration says nothing, TCP asks after so long whether the server is there, in milliseconds. */
const aliveMs = 10_000;

/** How many statements of one process PostgreSQL works at. */
const connectionsMax = 10;

/** Opens and migrates. Throws `data_directory_unusable`, `data_directory_in_use`, `database_unavailable`, `journal_damaged` and `journal_unwritable`. */
export async function openDatabase(options: {
  dataDir: string;
  databaseUrl?: string | undefined;
  /** Whether a PostgreSQL will do that may lose what it has acknowledged. */
  unsafeDatabase?: boolean;
}): Promise<OpenDatabase> {
  const { dataDir, databaseUrl, unsafeDatabase = false } = options;
  return databaseUrl === undefined ? openPglite(dataDir) : openPostgres(databaseUrl, unsafeDatabase);
}

async function openPglite(dataDir: string): Promise<OpenDatabase> {
  makeFolder(dataDir);
  const unlock = lockDirectory(dataDir);
  try {
    const { client, journal, close } = await openJournaled(dataDir);
    const database = drizzlePglite({ client });
    // The simple protocol takes half the time, and nothing is built.
    const askMoment = async () => momentOf((await client.exec(momentStatement))[0]?.rows);
    const before = client.messages;
    // Nobody else knows the database yet.
    await askMoment();
    const messagesPerQuestion = client.messages - before;
    return {
      database,
      kind: 'pglite',
      durability: journal,
      moments: new Moments(askMoment, { messages: () => client.messages, messagesPerQuestion }),
      run: (statements) => runOnPglite(client, statements),
      listen: async (channel, heard) => {
        await client.listen(channel, heard);
      },
      requireSlots: async () => {},
      backUp: (about) => encodeBackup(migrationsKnown(), journal.contents(), { ...about, from: 'pglite' }),
      close: async () => {
        await close();
        unlock();
      },
    };
  } catch (cause) {
    unlock();
    if (cause instanceof DatabaseError) throw cause;
    throw new DatabaseError(
      'database_unavailable',
      `the embedded database in ${dataDir} could not be opened: ${reasonOf(cause)}`,
      { cause },
    );
  }
}

async function runOnPglite(client: PGlite, statements: string): Promise<{ rows: object[] }> {
  try {
    const results = await client.exec(statements);
    return { rows: results.flatMap(({ rows }) => rows) };
  } catch (error) {
    // They may have begun a transaction, which on the one connection would be everybody's.
    await client.exec('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function openPostgres(databaseUrl: string, mayLose: boolean): Promise<OpenDatabase> {
  try {
    // The lock belongs to a session, so the migrations run on a connection of their own.
    // It may wait for long: for another process that migrates, or for a large table. Only a server that is gone is given up.
    const connection = new pg.Client({
      connectionString: databaseUrl,
      connectionTimeoutMillis: connectMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: aliveMs,
    });
    connection.on('error', () => {});
    await connection.connect();
    try {
      await requireSession(connection, databaseUrl);
      await connection.query('SELECT pg_advisory_lock($1)', [migrationLock]);
      const query: Query = async (statement, parameters) =>
        (await connection.query(statement, parameters)).rows;
      if ((await migrationsApplied(query)) > migrationsKnown())
        throw tooNew('the database that DATABASE_URL names');
      await migratePostgres(drizzlePostgres({ client: connection }), { migrationsFolder });
      if (!mayLose) requireDurable((await connection.query('SELECT name, setting FROM pg_settings')).rows);
    } finally {
      await connection.end();
    }
  } catch (cause) {
    if (cause instanceof DatabaseError) throw cause;
    throw new DatabaseError(
      'database_unavailable',
      `the database that DATABASE_URL names could not be opened: ${reasonOf(cause)}`,
      { cause },
    );
  }
  const pool = new SteadyPool(databaseUrl, connectionsMax);
  // Statements that begin transactions by themselves have a connection of their own, so that no other gets into one.
  const single = new SteadyPool(databaseUrl, 1);
  const listener = new Listener(databaseUrl);
  return {
    database: drizzlePostgres({ client: pool }),
    kind: 'postgresql',
    durability: ownDurability,
    moments: new Moments(async () =>
      momentOf((await pool.query({ name: 'moment', text: momentStatement })).rows),
    ),
    // After an error its connection is not used again, and what was begun on it is over.
    run: async (statements) => ({
      rows: [await single.query(statements)].flat().flatMap(({ rows }) => rows),
    }),
    listen: (channel, heard) => listener.listen(channel, heard),
    requireSlots: async (slotMs) => {
      const [other] = await listener.show(slotMs);
      if (other === undefined) return;
      throw new DatabaseError(
        'settings_differ',
        `HOLDBACK_SLOT_MS is ${slotMs} here and ${other} in another process on the same database: verdicts would be told at other times than they are charged for. Give all the same; to change it, stop all of them first`,
      );
    },
    backUp: (about) => backUpPostgres(databaseUrl, { ...about, from: 'postgresql' }),
    close: async () => {
      await Promise.all([listener.close(), single.close(), pool.close()]);
    },
  };
}

/** On a connection of its own, which sees one moment of the database. */
async function* backUpPostgres(databaseUrl: string, backup: Backup): AsyncGenerator<Buffer> {
  const connection = new pg.Client({ connectionString: databaseUrl, stream: watchedSocket });
  connection.on('error', () => {});
  await connection.connect();
  try {
    const query: Query = async (statement, parameters) =>
      (await connection.query(statement, parameters)).rows;
    await query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    yield* encodeBackup(await migrationsApplied(query), entriesOf(query), backup);
  } finally {
    await connection.end();
  }
}

async function* entriesOf(query: Query): AsyncGenerator<string> {
  for await (const { entry } of readRows(query)) yield `[${entry}]`;
}

const pidsSchema = z.tuple([z.object({ pid: z.int() })]);

/**
 * Sees that a connection is a session of PostgreSQL's, to which locks, `LISTEN` and prepared statements belong. A pooler that lends
 * sessions for a transaction has just taken this one's back, and lends it to whoever asks next. Throws `database_unavailable`.
 */
async function requireSession(connection: pg.Client, databaseUrl: string): Promise<void> {
  const pidOf = async (client: pg.Client) =>
    pidsSchema.parse((await client.query('SELECT pg_backend_pid() AS pid')).rows)[0].pid;
  const other = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: connectMs });
  other.on('error', () => {});
  try {
    const pid = await pidOf(connection);
    await other.connect();
    await other.query('BEGIN');
    if ((await pidOf(other)) !== pid && (await pidOf(connection)) === pid) return;
  } finally {
    await other.end();
  }
  throw new DatabaseError(
    'database_unavailable',
    'DATABASE_URL leads to a pooler, such as PgBouncer, that lends connections for a transaction: let it pool sessions, or name PostgreSQL itself',
  );
}

const settingsSchema = z.array(z.object({ name: z.string(), setting: z.string() }));

/**
 * Sees that PostgreSQL brings a commit to the disk before it acknowledges it (Write-Ahead Log settings, chapter 19.5 of its manual).
 * Throws `database_not_durable`.
 */
function requireDurable(rows: unknown): void {
  const settings = new Map(settingsSchema.parse(rows).map(({ name, setting }) => [name, setting]));
  const wrong = ['fsync', 'synchronous_commit', 'full_page_writes'].filter(
    (name) => settings.get(name) === 'off',
  );
  if (wrong.length === 0) return;
  throw new DatabaseError(
    'database_not_durable',
    `PostgreSQL may lose verdicts that it has acknowledged, because ${wrong.join(' and ')} ${wrong.length === 1 ? 'is' : 'are'} off: turn that on, or set HOLDBACK_UNSAFE_DATABASE=1 where losing them does not matter`,
  );
}

const momentsSchema = z.array(z.object({ moment: z.string().min(1) })).length(1);

function momentOf(rows: unknown): string {
  return momentsSchema
    .parse(rows)
    .map(({ moment }) => moment)
    .join();
}

/** What the files of the embedded database throw, which is no Error, with the number that WASI gives it. */
const faultSchema = z.object({ name: z.literal('ErrnoError'), errno: z.number() });
const noSpace = 51;

/** Why a database does not open or answer, in one line: what the innermost error says. No driver puts the password there. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  const { data: fault } = faultSchema.safeParse(error);
  if (fault !== undefined)
    return fault.errno === noSpace ? 'no space is left for it' : `its files: error ${fault.errno}`;
  if (!(error instanceof Error)) return `${error}`;
  if (error.cause instanceof Error) return reasonOf(error.cause);
  return error.message.split('\n', 1)[0] || error.name;
}
