/**
 * Makes an embedded database once, migrated and empty, that tests start from: making one takes seconds, copying it does not.
 * What every service does on an empty folder is tested where that is the matter.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openDatabase } from '../migrations/open-database.ts';
import { temporaryFolder } from './temporary-folder.ts';

export default async function setup(): Promise<() => Promise<void>> {
  const dataDir = await temporaryFolder();
  const database = await openDatabase({ dataDir });
  await database.close();
  process.env.HOLDBACK_TEST_TEMPLATE = join(dataDir, 'database');
  return () => rm(dataDir, { recursive: true, force: true });
}

/** Puts a copy of it into a data directory. */
export async function copyTemplate(dataDir: string): Promise<void> {
  const template = process.env.HOLDBACK_TEST_TEMPLATE;
  if (template !== undefined) await cp(template, join(dataDir, 'database'), { recursive: true });
}
