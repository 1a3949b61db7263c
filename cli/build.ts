/** The build that a command is about: the bytes of a file as they are, or of an entry bundled first, and their digest. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { candidateBytesMax } from '../runners/protocol.ts';
import type { Arguments } from './arguments.ts';
import { bundleModule } from './bundle.ts';
import type { Flag } from './command.ts';
import { usageError } from './errors.ts';

export type Build = { bytes: Uint8Array<ArrayBuffer>; digest: string };

export const entryFlag: Flag = {
  value: 'MODULE',
  about: 'Bundle this module with what it imports, and take the bundle instead of FILE.',
};

/** The build that a user named, by FILE or --entry. Throws a usage error. */
export async function readGivenBuild(given: Arguments): Promise<Build> {
  const [file, entry] = [given.positional(0), given.text('entry')];
  if (file !== undefined && entry !== undefined) throw given.wrong('give either FILE or --entry, not both');
  if (entry !== undefined) return readBuild({ entry });
  if (file !== undefined) return readBuild({ file });
  throw given.wrong('give the build: FILE, or --entry MODULE to bundle one');
}

/** The bytes of a file as they are, or of an entry bundled with what it imports. Throws a usage error. */
export async function readBuild(from: { file: string } | { entry: string }): Promise<Build> {
  if ('file' in from) return buildOf(await readBytes(from.file), from.file);
  await readBytes(from.entry);
  return buildOf(await bundleModule(from.entry), from.entry);
}

/** The bytes of a file. Throws a usage error. */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    throw usageError(`${path} cannot be read (${code === 'ENOENT' ? 'there is no such file' : code})`, {
      cause,
    });
  }
}

function buildOf(bytes: Uint8Array<ArrayBuffer>, name: string): Build {
  if (bytes.length === 0) throw usageError(`${name} is empty`);
  if (bytes.length > candidateBytesMax) {
    throw usageError(`${name} has ${bytes.length} bytes; a candidate has at most ${candidateBytesMax}`);
  }
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}
