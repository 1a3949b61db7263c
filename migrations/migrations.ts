/** The SQL migrations: how many there are, how many a database has behind it, and migrating no further than an older one had come. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { DatabaseError } from './errors.ts';
import type { Query } from './journal/rows.ts';

export const migrationsFolder = fileURLToPath(new URL('sql', import.meta.url));

const journalSchema = z.looseObject({ entries: z.array(z.looseObject({ tag: z.string() })) });
const namesSchema = z.tuple([z.object({ name: z.string().nullable() })]);
const countsSchema = z.tuple([z.object({ count: z.coerce.number() })]);

function readJournal(): z.infer<typeof journalSchema> {
  return journalSchema.parse(
    JSON.parse(readFileSync(join(migrationsFolder, 'meta', '_journal.json'), 'utf8')),
  );
}

/** How many migrations this version of the program has. */
export function migrationsKnown(): number {
  return readJournal().entries.length;
}

/** How many migrations a database has behind it. */
export async function migrationsApplied(query: Query): Promise<number> {
  const [{ name }] = namesSchema.parse(
    await query("SELECT to_regclass('drizzle.__drizzle_migrations')::text AS name"),
  );
  if (name === null) return 0;
  return countsSchema.parse(await query('SELECT count(*) AS count FROM drizzle.__drizzle_migrations'))[0]
    .count;
}

/** Of what has more migrations behind it than this version knows: who knows less of the tables may write what does not belong there. */
export function tooNew(what: string): DatabaseError {
  return new DatabaseError(
    'database_unavailable',
    `${what} was written by a newer version of Holdback: start that one`,
  );
}

/** Has `migrate` apply the first migrations alone, as many as are given, from the folder that it is told. */
export async function migrateTo(count: number, migrate: (folder: string) => Promise<void>): Promise<void> {
  const only = mkdtempSync(join(tmpdir(), 'holdback-migrations-'));
  try {
    const journal = readJournal();
    const entries = journal.entries.slice(0, count);
    mkdirSync(join(only, 'meta'));
    writeFileSync(join(only, 'meta', '_journal.json'), JSON.stringify({ ...journal, entries }));
    for (const { tag } of entries) cpSync(join(migrationsFolder, `${tag}.sql`), join(only, `${tag}.sql`));
    await migrate(only);
  } finally {
    rmSync(only, { recursive: true, force: true });
  }
}
