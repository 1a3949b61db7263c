/**
 * A folder in memory for all that tests write, where the machine has one. They make and remove tens of thousands of short-lived files,
 * mostly of databases, and on a disk finding places for these takes a sixth of the processor time of all tests.
 */
import { rmSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

const memory = '/dev/shm';
/** Containers may share the memory, and not the numbers of processes. */
const prefix = `holdback-tests-${hostname()}-`;
/** What has to be free, in bytes: several times what the tests have there at once. */
const freeBytesMin = 4 * 2 ** 30;

/** Makes the folder, which is removed when this process ends. Undefined where there is no such memory, too little of it, or none from which programs may be run. */
export async function memoryFolder(): Promise<string | undefined> {
  if (!(await isUsable())) return undefined;
  await removeLeft();
  const folder = join(memory, `${prefix}${process.pid}`);
  await mkdir(folder);
  // The user whom PostgreSQL runs as has to pass.
  await chmod(folder, 0o755);
  // Also after an interruption. A process that is just ending may still write.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 20 }));
  return folder;
}

async function isUsable(): Promise<boolean> {
  try {
    const mount = (await readFile('/proc/mounts', 'utf8'))
      .split('\n')
      .map((line) => line.split(' '))
      .findLast(([, path]) => path === memory);
    const [, , type, options] = mount ?? [];
    if (type !== 'tmpfs' || options === undefined || /\b(?:noexec|ro)\b/.test(options)) return false;
    const { bavail, bsize } = await statfs(memory);
    return Math.min(bavail * bsize, process.availableMemory()) >= freeBytesMin;
  } catch {
    return false;
  }
}

/** Removes what runs that were killed have left, because it takes up memory. */
async function removeLeft(): Promise<void> {
  const left = (await readdir(memory)).filter(
    (name) => name.startsWith(prefix) && !isRunning(Number(name.slice(prefix.length))),
  );
  await Promise.all(left.map((name) => rm(join(memory, name), { recursive: true, force: true })));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Another user's.
    return error instanceof Error && Reflect.get(error, 'code') === 'EPERM';
  }
}
