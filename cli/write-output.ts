/** Writes what a command made to the file that was named for it. */
import { rename, writeFile } from 'node:fs/promises';
import { usageError } from './errors.ts';

/** Whatever is at that place, a link included, is replaced as a whole or not at all. Throws a usage error. */
export async function writeOutput(path: string, text: string): Promise<void> {
  try {
    const draft = `${path}.${process.pid}.draft`;
    await writeFile(draft, text, { flag: 'wx' });
    await rename(draft, path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
    throw usageError(`${path} cannot be written (${code})`, { cause });
  }
}
