/**
 * The files below given paths, each once, and their bytes in pieces. What cannot be read is told, never passed over: a search
 * that missed a file has not found that there is nothing.
 */
import { createReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { usageError } from './errors.ts';

/** Folders that are not looked into unless asked: what is in them was written elsewhere, or is compressed. */
const foldersSkipped = ['node_modules', '.git'];

/** A file to read, standard input as `-`, a folder that was left out, or what could not be read and why. */
export type Entry =
  | { kind: 'file'; path: string }
  | { kind: 'skipped'; path: string }
  | { kind: 'unread'; path: string; why: string };

/**
 * All files below the paths, following symbolic links. A file or folder that two paths lead to is met once, so that no loop is
 * endless. Throws a usage error for a path that does not exist.
 */
export async function* filesBelow(paths: string[], { all }: { all: boolean }): AsyncGenerator<Entry> {
  const met = new Set<string>();
  // First, so that nothing is sent before a misspelt path is told.
  for (const path of paths) {
    if (path !== '-' && (await kindOf(path)).kind === 'missing') {
      throw usageError(`${path} cannot be read (there is no such file or folder)`);
    }
  }
  for (const path of paths) {
    if (path === '-') yield { kind: 'file', path };
    else yield* walk(path, { all, met, isGiven: true });
  }
}

type Walk = { all: boolean; met: Set<string>; isGiven: boolean };

async function* walk(path: string, { all, met, isGiven }: Walk): AsyncGenerator<Entry> {
  const found = await kindOf(path);
  if (found.kind === 'missing') yield { kind: 'unread', path, why: 'it leads nowhere' };
  if (found.kind === 'unread') yield { kind: 'unread', path, why: found.why };
  if ('real' in found) {
    if (met.has(found.real)) return;
    met.add(found.real);
  }
  // A pipe below a folder would never end; one that was given is what the user wants read.
  if (found.kind === 'file' || (found.kind === 'other' && isGiven)) yield { kind: 'file', path };
  if (found.kind !== 'folder') return;
  try {
    const entries = await readdir(path, { withFileTypes: true });
    for (const { name } of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const below = join(path, name);
      if (!all && foldersSkipped.includes(name)) yield { kind: 'skipped', path: below };
      else yield* walk(below, { all, met, isGiven: false });
    }
  } catch (error) {
    yield { kind: 'unread', path, why: whyOf(error) };
  }
}

type Kind =
  | { kind: 'file' | 'folder' | 'other'; real: string }
  | { kind: 'missing' }
  | { kind: 'unread'; why: string };

async function kindOf(path: string): Promise<Kind> {
  try {
    const found = await stat(path);
    const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
    // What is no file and no folder, as /dev/stdin, may have no path of its own.
    return { kind, real: kind === 'other' ? path : await realpath(path) };
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? { kind: 'missing' } : { kind: 'unread', why: whyOf(error) };
  }
}

/** A part of a file: its bytes, and how many lines come before it. */
export type Piece = { bytes: Uint8Array; linesBefore: number };

/**
 * A file, or standard input as `-`, in pieces of at most `bytesMax`, each of which begins with the last `overlap` bytes of the
 * one before, so that nothing is cut in two unseen. An empty file has none. Throws an Error that says why it cannot be read.
 */
export async function* piecesOf(path: string, bytesMax: number, overlap: number): AsyncGenerator<Piece> {
  let held: Uint8Array[] = [];
  let [length, linesBefore, isNew] = [0, 0, false];
  for await (const chunk of path === '-' ? process.stdin : createReadStream(path)) {
    if (!(chunk instanceof Uint8Array)) throw new Error(`${path} is not read as bytes`);
    held.push(chunk);
    length += chunk.length;
    isNew = true;
    while (length >= bytesMax) {
      const bytes = Buffer.concat(held);
      yield { bytes: bytes.subarray(0, bytesMax), linesBefore };
      linesBefore += linesIn(bytes.subarray(0, bytesMax - overlap));
      held = [bytes.subarray(bytesMax - overlap)];
      length -= bytesMax - overlap;
      isNew = length > overlap;
    }
  }
  if (isNew) yield { bytes: Buffer.concat(held), linesBefore };
}

function linesIn(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Why something cannot be read, in words where there are any. */
export function whyOf(error: unknown): string {
  const code = codeOf(error);
  const known: Record<string, string | undefined> = {
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    ELOOP: 'its symbolic links go round in a circle',
    ENOENT: 'it is gone',
    ENAMETOOLONG: 'its path is too long',
  };
  return known[code] ?? (code === '' ? 'reading it failed' : code);
}
