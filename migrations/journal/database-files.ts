/** The files of an embedded database: brought to the disk when it is closed, and put aside when it is broken, never removed. */
import { readFileSync } from 'node:fs';
import { open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { syncFolder } from '../sync-folder.ts';

/** So many are brought to the disk at once. */
const atOnce = 4;

/** Brings a folder and all below it to the disk. */
export async function syncFiles(folder: string): Promise<void> {
  const turns = pLimit(atOnce);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  await Promise.all(
    entries.map((entry) =>
      turns(async () => {
        const path = join(entry.parentPath, entry.name);
        if (entry.isDirectory()) return syncFolder(path);
        if (!entry.isFile()) return;
        const file = await open(path, 'r+');
        await file.datasync().finally(() => file.close());
      }),
    ),
  );
  await syncFolder(folder);
}

/** Gives a folder another name beside it, which says what it is and since when. Answers the new path. */
export async function putAside(path: string, what: string): Promise<string> {
  const aside = `${path}.${what}-${new Date().toISOString().replaceAll(':', '-')}`;
  await rename(path, aside);
  return aside;
}

/** A text that another start of this machine does not have; null where the system gives none. */
export function bootOfMachine(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return null;
  }
}
