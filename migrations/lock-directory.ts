/** A data directory belongs to one process at a time. */
import { chmodSync, closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DatabaseError } from './errors.ts';

/**
 * Locks it until the answer is called. SQLite's file lock is let go by the kernel when its process dies, however it dies, so it is
 * never stale. Throws `data_directory_in_use`.
 */
export function lockDirectory(dataDir: string): () => void {
  const path = join(dataDir, 'lock');
  closeSync(openSync(path, 'a', 0o600));
  // Whoever may read a file may lock it, and so could keep the service from starting.
  chmodSync(path, 0o600);
  const lock = new DatabaseSync(path);
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
