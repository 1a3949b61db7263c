/**
 * Makes a database from a backup where there is none: in a data directory, or in an empty database of a PostgreSQL, whichever of the two
 * the backup is of. It is there whole or not at all.
 */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DrizzleQueryError } from 'drizzle-orm';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import { migrate as migratePostgres } from 'drizzle-orm/node-postgres/migrator';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator';
import pg from 'pg';
import { z } from 'zod';
import { openClient, queryOf } from './embedded-client.ts';
import { DatabaseError } from './errors.ts';
import { syncFiles } from './journal/database-files.ts';
import { textsOf } from './journal/open-journaled.ts';
import { replay } from './journal/replay.ts';
import type { Query } from './journal/rows.ts';
import { lockDirectory } from './lock-directory.ts';
import { makeFolder } from './make-folder.ts';
import { migrateTo, migrationsApplied, migrationsFolder, migrationsKnown } from './migrations.ts';
import { type Database, migrationLock, reasonOf } from './open-database.ts';
import { syncFolder } from './sync-folder.ts';
import { watchedSocket } from './watched-socket.ts';

export type RestoreOptions = {
  dataDir: string;
  databaseUrl?: string | undefined;
  /** The backup, which was read and found whole, and how many migrations its tables had behind them. */
  file: string;
  migrations: number;
};

/**
 * Restores, and answers what `finish` does, which is given the database in the transaction that fills it: what that throws leaves
 * nothing behind. Throws `restore_refused`, `data_directory_in_use`, `database_unavailable`, and `journal_damaged` where what the
 * backup holds does not hold together.
 */
export async function restoreDatabase<Answer>(
  options: RestoreOptions,
  finish: (database: Database) => Promise<Answer>,
): Promise<Answer> {
  if (options.migrations > migrationsKnown())
    throw refused('the backup was written by a newer version of Holdback: restore it with that one');
  return options.databaseUrl === undefined
    ? restorePglite(options, finish)
    : restorePostgres(options, options.databaseUrl, finish);
}

/** In a folder beside, which gets its name when all of it is on the disk. */
async function restorePglite<Answer>(
  { dataDir, file, migrations }: RestoreOptions,
  finish: (database: Database) => Promise<Answer>,
): Promise<Answer> {
  makeFolder(dataDir);
  const unlock = lockDirectory(dataDir);
  const path = join(dataDir, 'database');
  // A start of the service removes what is left of one that was interrupted.
  const draft = `${path}.recovering`;
  try {
    for (const name of ['database', 'journal']) {
      if (existsSync(join(dataDir, name)))
        throw refused(
          `there is a database in ${dataDir} already (${name}): choose another HOLDBACK_DATA_DIR, or move ${dataDir} away and keep its identity`,
        );
    }
    await rm(draft, { recursive: true, force: true });
    const client = await openClient(draft);
    let answer: Answer;
    try {
      const database = drizzlePglite({ client });
      const migrate = (folder: string) => migratePglite(database, { migrationsFolder: folder });
      await migrateTo(migrations, migrate);
      answer = await replay(queryOf(client), textsOf([file]), () => finish(database));
      await migrate(migrationsFolder);
    } finally {
      await client.close();
    }
    await syncFiles(draft);
    await rename(draft, path);
    await syncFolder(dataDir);
    return answer;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  } finally {
    unlock();
  }
}

/** In one transaction, while no other process of the service opens the database. */
async function restorePostgres<Answer>(
  { file, migrations }: RestoreOptions,
  databaseUrl: string,
  finish: (database: Database) => Promise<Answer>,
): Promise<Answer> {
  const client = new pg.Client({ connectionString: databaseUrl, stream: watchedSocket });
  client.on('error', () => {});
  const query: Query = async (statement, parameters) => (await client.query(statement, parameters)).rows;
  try {
    await client.connect();
    await query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await requireEmpty(query, migrations);
    const database = drizzlePostgres({ client });
    const migrate = (folder: string) => migratePostgres(database, { migrationsFolder: folder });
    await migrateTo(migrations, migrate);
    const answer = await replay(query, textsOf([file]), () => finish(database));
    await migrate(migrationsFolder);
    return answer;
  } catch (cause) {
    const told = cause instanceof DrizzleQueryError ? cause.cause : cause;
    if (told instanceof Error && 'severity' in told) throw refusalOf(told);
    if (told instanceof Error && 'syscall' in told)
      throw new DatabaseError(
        'database_unavailable',
        `the database that DATABASE_URL names could not be opened: ${reasonOf(cause)}`,
        { cause },
      );
    throw cause;
  } finally {
    await client.end().catch(() => {});
  }
}

const namesSchema = z.array(z.object({ name: z.string() }));

async function requireEmpty(query: Query, migrations: number): Promise<void> {
  const make = 'make a new one (createdb), and restore into that';
  const tables = namesSchema.parse(
    await query(`
      SELECT relname AS name FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname`),
  );
  for (const { name } of tables) {
    const rows = await query(`SELECT 1 FROM public."${name.replaceAll('"', '""')}" LIMIT 1`);
    if (rows.length > 0)
      throw refused(`the database that DATABASE_URL names is not empty (${name} has rows): ${make}`);
  }
  if ((await migrationsApplied(query)) > migrations)
    throw refused(`the database that DATABASE_URL names was set up by a newer version of Holdback: ${make}`);
}

/** Restoring writes history as it was, which a database lets nobody do who may not say so. */
function refusalOf(cause: Error): DatabaseError {
  const isForbidden = 'code' in cause && cause.code === '42501';
  const advice = isForbidden
    ? ': restore as a superuser, or have one say GRANT SET ON PARAMETER session_replication_role TO the role of DATABASE_URL'
    : '';
  return new DatabaseError('restore_refused', `PostgreSQL refuses it (${reasonOf(cause)})${advice}`, {
    cause,
  });
}

function refused(message: string): DatabaseError {
  return new DatabaseError('restore_refused', message);
}
