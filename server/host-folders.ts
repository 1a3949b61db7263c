/**
 * The folders from which hosts load their code. A service holds its own for as long as it lives, by a lock that the kernel lets go of
 * however it dies, whatever process ids look like from where somebody looks; those of one that was killed are removed by the next.
 */
import { lstat, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDirectory } from '../migrations/lock-directory.ts';

/** A folder that was made just now may not be held yet, in milliseconds. */
const freshMs = 60_000;

/** Those of this process: it holds what it locks as a whole, and to look whether it does would let go of it. */
const held = new Set<string>();

/** The same code, whose folder nobody takes for left until it is removed. */
export function holdFolder<Code extends { folder: string; remove(): Promise<void> }>(code: Code): Code {
  const { folder } = code;
  const unlock = lockDirectory(folder);
  held.add(folder);
  const remove = async () => {
    await code.remove();
    if (held.delete(folder)) unlock();
  };
  return { ...code, remove };
}

/** Removes the folders, by how their names begin, of this user's services that are gone. What cannot be removed is left to the next start. */
export async function removeLeftFolders(prefix: string): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(prefix));
  for (const name of names) {
    const folder = join(tmpdir(), name);
    if (held.has(folder) || !(await isOursAndOld(folder))) continue;
    try {
      lockDirectory(folder)();
    } catch {
      // Its service lives.
      continue;
    }
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Whether it is a folder that this user alone may write to, and was held a while ago. Links are not followed. */
async function isOursAndOld(folder: string): Promise<boolean> {
  try {
    const [itself, lock] = [await lstat(folder), await lstat(join(folder, 'lock'))];
    const isOurs = itself.uid === process.getuid?.() && (itself.mode & 0o022) === 0;
    return itself.isDirectory() && lock.isFile() && isOurs && Date.now() - lock.mtimeMs > freshMs;
  } catch {
    // It is gone, or was never held.
    return false;
  }
}
