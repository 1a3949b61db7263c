/** The data directory is made where there is none, and whoever starts a service hears why where it cannot be. */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseError } from './errors.ts';

/**
 * Makes a folder, and those above it, for its owner alone, unless they are there. Throws `data_directory_unusable`. One after the other, because
 * below `/proc`, where nothing can be made, Node's own recursive way never ends.
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let above = path; !existsSync(above); above = dirname(above)) missing.unshift(above);
  try {
    for (const folder of missing) makeOne(folder);
    // Only of a folder may the path end so.
    accessSync(`${path}/`, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new DatabaseError(
      'data_directory_unusable',
      `the data directory ${path} cannot be used (${cause instanceof Error ? cause.message : cause}): set HOLDBACK_DATA_DIR to a folder that this user may make, or write to`,
      { cause },
    );
  }
}

function makeOne(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it just now.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}
