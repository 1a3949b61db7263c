/**
 * Opens the database and brings it up to date: PGlite inside the data directory, or the PostgreSQL that a URL names.
 * Several processes may start at once: on PostgreSQL they take turns at migrating, and a data directory
 * belongs to one process.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { PGlite, types } from '@electric-sql/pglite';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator';
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js';
import { migrate as migratePostgres } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { z } from 'zod';
import { DatabaseError } from './errors.ts';
import { Moments, momentStatement } from './moments.ts';

export type Database = PgDatabase<PgQueryResultHKT, Record<string, never>>;

export type OpenDatabase = {
  database: Database;
  kind: 'pglite' | 'postgresql';
  moments: Moments;
  close(): Promise<void>;
};

const migrationsFolder = join(fileURLToPath(new URL('.', import.meta.url)), 'sql');

/** Any constant will do, as long as every version of the program uses the same. */
const migrationLock = 7_276_551;

/** So long may statements take that are under way when the database is closed, in seconds. */
const closeSeconds = 2;

/** Opens and migrates. Throws `data_directory_in_use` and `database_unavailable`. */
export async function openDatabase(options: {
  dataDir: string;
  databaseUrl?: string | undefined;
}): Promise<OpenDatabase> {
  const { dataDir, databaseUrl } = options;
  return databaseUrl === undefined ? openPglite(dataDir) : openPostgres(databaseUrl);
}

async function openPglite(dataDir: string): Promise<OpenDatabase> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(dataDir);
  try {
    const client = await PGlite.create(join(dataDir, 'database'), {
      // Of PostgreSQL's 128 MB all is touched when it opens. A process that is smaller by 200 MB also starts others in half the time.
      startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=32MB'],
      // PGlite's own conversion of bytes takes 20 ms for a candidate of 70 KB; Buffer's takes none.
      serializers: { [types.BYTEA]: (bytes: Uint8Array) => `\\x${Buffer.from(bytes).toString('hex')}` },
      parsers: { [types.BYTEA]: (hex) => Buffer.from(hex.slice(2), 'hex') },
    });
    const database = drizzlePglite({ client });
    await migratePglite(database, { migrationsFolder });
    return {
      database,
      kind: 'pglite',
      // The simple protocol takes half the time, and nothing is built: this is asked with almost every request.
      moments: new Moments(async () => momentOf((await client.exec(momentStatement))[0]?.rows)),
      close: async () => {
        await client.close();
        unlock();
      },
    };
  } catch (cause) {
    unlock();
    throw new DatabaseError(
      'database_unavailable',
      `the embedded database in ${dataDir} could not be opened: ${reasonOf(cause)}`,
      { cause },
    );
  }
}

/** SQLite's file lock is let go by the kernel when its process dies, however it dies, so it is never stale. */
function lockDirectory(dataDir: string): () => void {
  const lock = new DatabaseSync(join(dataDir, 'lock'));
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new DatabaseError(
      'data_directory_in_use',
      `another holdback process uses ${dataDir}: stop it, choose another HOLDBACK_DATA_DIR, or set DATABASE_URL to share a PostgreSQL`,
      { cause },
    );
  }
  return () => lock.close();
}

async function openPostgres(databaseUrl: string): Promise<OpenDatabase> {
  const options = { onnotice: () => {}, connect_timeout: 10 };
  try {
    // The lock belongs to a session, so the migrations run on a connection of their own.
    const connection = postgres(databaseUrl, { ...options, max: 1 });
    try {
      await connection`SELECT pg_advisory_lock(${migrationLock})`;
      await migratePostgres(drizzlePostgres({ client: connection }), { migrationsFolder });
    } finally {
      await connection.end({ timeout: 1 });
    }
  } catch (cause) {
    throw new DatabaseError(
      'database_unavailable',
      `the database that DATABASE_URL names could not be opened: ${reasonOf(cause)}`,
      { cause },
    );
  }
  // What is asked here takes milliseconds: to compile it takes longer.
  const client = postgres(databaseUrl, { ...options, connection: { jit: 'off' } });
  return {
    database: drizzlePostgres({ client }),
    kind: 'postgresql',
    moments: new Moments(async () => momentOf(await client.unsafe(momentStatement, [], { prepare: true }))),
    // After a crash of the server a connection may wait for ever to be ended.
    close: () => client.end({ timeout: closeSeconds }),
  };
}

const momentsSchema = z.array(z.object({ moment: z.string().min(1) })).length(1);

function momentOf(rows: unknown): string {
  return momentsSchema
    .parse(rows)
    .map(({ moment }) => moment)
    .join();
}

/** Why a database does not open or answer, in one line: what the innermost error says. No driver puts the password there. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return `${error}`;
  if (error.cause instanceof Error) return reasonOf(error.cause);
  return error.message.split('\n', 1)[0] || error.name;
}
