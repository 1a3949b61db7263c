/**
 * Keeps the service's own code as the engine compiled it, so that the next start does not compile it again, which is a quarter of
 * what a start takes. It lies in the data directory, where whoever can write has the identity and the database anyway; in a
 * folder that others share, the code that we run could be theirs.
 */
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

/** Where a service keeps what it keeps, unless its settings say otherwise. */
export const usualDataDir = '.holdback';

/**
 * From now on, so before the settings are read, whose reader is code as well. Nothing is kept before there is a data directory, because
 * it is for others to make, with the right permissions.
 */
export function keepCompiledCode(): void {
  const dataDir = process.env.HOLDBACK_DATA_DIR || usualDataDir;
  if (existsSync(dataDir)) enableCompileCache(join(dataDir, 'compiled'));
}
