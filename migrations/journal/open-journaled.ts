/**
 * Opens the embedded database together with its journal. Where the database is missing, does not open, is damaged, lacks what the
 * journal has, or may be all that after a loss of power, it is put aside, and a new one is made from the journal.
 */
import { existsSync, rmSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import { z } from 'zod';
import { openClient, queryOf } from '../embedded-client.ts';
import { migrateTo, migrationsApplied, migrationsFolder, migrationsKnown, tooNew } from '../migrations.ts';
import type { PreparedPglite } from '../prepared-pglite.ts';
import { syncFolder } from '../sync-folder.ts';
import { type Exec, emptyOutbox, journalChannel, positionsOf, startCapture, stopCapture } from './capture.ts';
import { bootOfMachine, putAside, syncFiles } from './database-files.ts';
import { Journal, unwritable } from './journal.ts';
import { type JournalState, noteOpening, numbersOf, readJournal, removeBefore } from './journal-folder.ts';
import { findDamagedPage } from './page-checksums.ts';
import { readRecords } from './record-file.ts';
import { replay } from './replay.ts';

export type Journaled = {
  client: PreparedPglite;
  journal: Journal;
  /** Brings everything to the disk and closes both. */
  close(): Promise<void>;
};

/** What is unusual is told as a warning. Throws `journal_damaged`, `journal_unwritable`, and what the database throws. */
export async function openJournaled(dataDir: string): Promise<Journaled> {
  const [path, folder] = [join(dataDir, 'database'), join(dataDir, 'journal')];
  const say = (line: string) => process.emitWarning(line);
  const boot = bootOfMachine();
  let state = readJournal(folder, say);
  const known = migrationsKnown();
  if ((state?.migrations ?? 0) > known) throw tooNew(`what is in ${dataDir}`);
  await rm(`${path}.recovering`, { recursive: true, force: true });
  let client: PreparedPglite;
  if (state === undefined) client = await openClient(path);
  else {
    const before = state;
    await removeBefore(folder, numbersOf(folder, 'snapshot').at(-1) ?? 0);
    state = await noteOpening(before, { migrations: known, boot }).catch((cause: unknown) => {
      throw unwritable(cause);
    });
    client = await openOrRecover(path, { ...state, boot: before.boot }, boot, say);
  }
  try {
    const exec = execOf(client);
    const positions = await positionsOf(exec);
    if (state !== undefined && (positions?.first ?? 0) > state.sequence) {
      const aside = await putAside(folder, 'behind');
      say(
        `the journal ends at entry ${state.sequence}, and the database has forgotten what came before entry ${positions?.first}: a new journal is begun from the database; the earlier one is in ${aside}`,
      );
      state = undefined;
    } else if (state === undefined && existsSync(folder)) rmSync(folder, { recursive: true });
    const options = { folder, exec, query: queryOf(client), migrations: known, boot };
    const journal = new Journal(options, state, positions?.last ?? 0);
    if (state !== undefined) {
      await journal.resume();
      // What was committed and not written down before the end of the process before.
      journal.noticed();
      await journal.settled();
    }
    const applied = await migrationsApplied(queryOf(client));
    if (applied > known) throw tooNew(`what is in ${dataDir}`);
    if (applied < known) {
      await stopCapture(exec);
      await migrate(drizzle({ client }), { migrationsFolder });
    }
    await startCapture(exec);
    await client.listen(journalChannel, () => journal.noticed());
    if (state?.migrations !== known) await journal.renew();
    return {
      client,
      journal,
      close: () =>
        journal.close(async () => {
          await client.close();
          await syncFiles(path);
        }),
    };
  } catch (error) {
    await client.close().catch(() => {});
    throw error;
  }
}

async function openOrRecover(
  path: string,
  state: JournalState,
  boot: string | null,
  say: (line: string) => void,
): Promise<PreparedPglite> {
  const opened = await openTrusted(path, state, boot);
  if ('client' in opened) return opened.client;
  const { fault } = opened;
  say(`the embedded database ${fault}: it is made anew from the journal`);
  await recover(`${path}.recovering`, state);
  const aside = existsSync(path) ? await putAside(path, 'broken') : undefined;
  await rename(`${path}.recovering`, path);
  await syncFolder(join(path, '..'));
  const kept =
    aside === undefined ? '' : `; the earlier one is in ${aside}, and nobody needs it but to look into it`;
  say(`the embedded database was made anew from the journal, up to entry ${state.sequence}${kept}`);
  return openClient(path);
}

/** The database, if it can be believed; else why not. */
async function openTrusted(
  path: string,
  state: JournalState,
  boot: string | null,
): Promise<{ client: PreparedPglite } | { fault: string }> {
  if (!existsSync(join(path, 'PG_VERSION'))) return { fault: 'is not there' };
  if (!state.isClosed && (boot === null || boot !== state.boot))
    return { fault: 'was open when the machine stopped, and what it wrote last may be lost or torn' };
  let client: PreparedPglite;
  try {
    client = await openClient(path);
  } catch (error) {
    return { fault: `does not open (${firstLineOf(error)})` };
  }
  const fault = await faultOf(client, path, state).catch((error) => `cannot be read (${firstLineOf(error)})`);
  if (fault === undefined) return { client };
  await client.close().catch(() => {});
  return { fault };
}

async function faultOf(client: PGlite, path: string, state: JournalState): Promise<string | undefined> {
  const exec = execOf(client);
  if (!state.isClosed) {
    const page = findDamagedPage(path);
    if (page !== undefined) return `is damaged: ${page}`;
    const table = await findTornTable(exec);
    if (table !== undefined) return `is damaged: table ${table} and its index do not have the same rows`;
  }
  const last = (await positionsOf(exec))?.last ?? -1;
  if (last < state.sequence)
    return `ends at entry ${last}, and the journal at entry ${state.sequence}: it has lost what was written last`;
  return undefined;
}

const namesSchema = z.array(z.object({ name: z.string() }));
const countsSchema = z.array(z.object({ name: z.string(), rows: z.coerce.number() }));

/** The first table that has other rows than its index, which therefore has lost some, or its index has. Throws where pages are missing. */
async function findTornTable(exec: Exec): Promise<string | undefined> {
  const [tables] = await exec(`
    SELECT pg_class.oid::regclass::text AS name FROM pg_class JOIN pg_index ON indrelid = pg_class.oid AND indisprimary
    WHERE relkind IN ('r', 'p') AND NOT relispartition
      AND relnamespace IN ('public'::regnamespace, to_regnamespace('journal'))`);
  const count = namesSchema
    .parse(tables?.rows)
    .map(({ name }) => `SELECT '${name}' AS name, count(*) AS rows FROM ${name}`)
    .join(' UNION ALL ');
  if (count === '') return undefined;
  const counted = await exec(`${count}; SET enable_seqscan = off; ${count}; RESET enable_seqscan`);
  const [whole = [], indexed = []] = counted
    .filter(({ rows }) => rows.length > 0)
    .map(({ rows }) => countsSchema.parse(rows));
  return whole.find(({ name, rows }) => indexed.find((other) => other.name === name)?.rows !== rows)?.name;
}

/** Makes a database from the journal alone. */
async function recover(path: string, state: JournalState): Promise<void> {
  const client = await openClient(path);
  try {
    const exec = execOf(client);
    await migrateTo(state.migrations, (folder) => migrate(drizzle({ client }), { migrationsFolder: folder }));
    await replay(queryOf(client), textsOf([state.snapshot, ...state.logs]), async () => {});
    await startCapture(exec);
    await emptyOutbox(exec, state.sequence);
  } finally {
    await client.close();
  }
  await syncFiles(path);
}

/** What the entries in files of records say. */
export function* textsOf(paths: string[]): Generator<string> {
  for (const path of paths) {
    for (const reading of readRecords(path)) {
      if (reading.kind === 'record' && reading.record.kind === 'entries') yield reading.record.text;
    }
  }
}

function execOf(client: PGlite): Exec {
  return (statements) => client.exec(statements);
}

function firstLineOf(error: unknown): string {
  return (error instanceof Error ? error.message : `${error}`).split('\n', 1)[0] ?? '';
}
