/**
 * Makes an embedded database once, migrated, with a queue, and empty, that tests start from: making one takes seconds, copying it does not.
 * What every service does on an empty folder is tested where that is the matter.
 */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ScoreQueue } from '../gate/queue/score-queue.ts';
import { openDatabase } from '../migrations/open-database.ts';
import { memoryFolder } from './memory-folder.ts';
import { reachablePostgres } from './reachable-postgres.ts';
import { temporaryFolder } from './temporary-folder.ts';

export default async function setup(): Promise<() => Promise<void>> {
  // Whoever has named a folder wants that one.
  const inMemory = process.env.TMPDIR === undefined ? await memoryFolder() : undefined;
  if (inMemory !== undefined) process.env.TMPDIR = inMemory;
  const [dataDir, programs] = await Promise.all([temporaryFolder(), temporaryFolder()]);
  await setUp({ dataDir });
  process.env.HOLDBACK_TEST_TEMPLATE = join(dataDir, 'database');
  // For the commands and services that tests start: most of a short process's time goes into reading its code.
  process.env.NODE_COMPILE_CACHE = join(dataDir, 'compiled');
  process.env.HOLDBACK_TEST_POSTGRES = await reachablePostgres(programs);
  return async () => {
    // A process that is just ending may still write what it has compiled.
    await rm(dataDir, { recursive: true, force: true, maxRetries: 20 });
    await rm(programs, { recursive: true, force: true });
  };
}

/** Does what the first start of a service does with a database. */
export async function setUp(options: { dataDir: string; databaseUrl?: string }): Promise<void> {
  const database = await openDatabase(options);
  const queue = await ScoreQueue.open(database, { backend: 'postgres', slotMs: 0 });
  await queue.close();
  await database.close();
}

/** Puts a copy of it into a data directory. */
export async function copyTemplate(dataDir: string): Promise<void> {
  const template = process.env.HOLDBACK_TEST_TEMPLATE;
  if (template === undefined) return;
  // Of a thousand files: Node's own `cp` takes eight times the time.
  await promisify(execFile)('cp', ['-R', template, join(dataDir, 'database')]);
}
