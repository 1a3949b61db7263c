/**
 * The files of a journal: a snapshot of all rows, and the logs of what was done since the snapshot was begun, each a file of records.
 * Snapshot N is valid with log N and those after it. A snapshot gets its name once all of it is on the disk, and only then are earlier
 * files removed.
 */
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { DatabaseError } from '../errors.ts';
import { syncFolder } from '../sync-folder.ts';
import { type Begin, beginSchema, encodeRecord, noDigest } from './record.ts';
import { readRecords } from './record-file.ts';

export type JournalState = {
  /** The paths of the snapshot and of its logs, in their order. */
  snapshot: string;
  logs: string[];
  /** The number of the last log. */
  number: number;
  /** Where the last log ends, in bytes, and the digest of its last record. */
  length: number;
  digest: Buffer;
  /** The number of the newest entry. */
  sequence: number;
  /** How many migrations the tables had behind them. */
  migrations: number;
  /** The start of the machine at which the database was opened last; null where that is not known. */
  boot: string | null;
  /** Whether the database was closed, and all of it was on the disk then. */
  isClosed: boolean;
  /** How many bytes the snapshot and all logs have. */
  snapshotBytes: number;
  logBytes: number;
};

/** What ends a snapshot: it is of a database that had come so far when the last of its rows was read. */
export const endSchema = z.object({ upTo: z.int().nonnegative(), rows: z.int().nonnegative() });

export const nameOf = (number: number, kind: 'log' | 'snapshot') =>
  `${`${number}`.padStart(10, '0')}.${kind}`;

/** Numbers of the files of one kind, in their order. */
export function numbersOf(folder: string, kind: 'log' | 'snapshot'): number[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const [, number] = new RegExp(`^(\\d{10})\\.${kind}$`).exec(name) ?? [];
      return number === undefined ? [] : [Number(number)];
    })
    .toSorted((one, other) => one - other);
}

/**
 * Reads and checks the whole journal; undefined where there is none. What is torn at the end of the last log, and so was never
 * acknowledged, is cut off, put aside, and told to `say`. Throws `journal_damaged` for whatever else is not whole.
 */
export function readJournal(folder: string, say: (line: string) => void): JournalState | undefined {
  const first = numbersOf(folder, 'snapshot').at(-1);
  const numbers = numbersOf(folder, 'log');
  if (first === undefined) {
    if (numbers.length === 0 || isBeginning(folder, numbers)) return undefined;
    throw damaged(folder, 'it has no snapshot');
  }
  const snapshot = join(folder, nameOf(first, 'snapshot'));
  const ofSnapshot = readFile(snapshot);
  if (ofSnapshot.broken !== undefined || ofSnapshot.end === undefined)
    throw damaged(snapshot, `it is damaged at byte ${ofSnapshot.broken?.at ?? ofSnapshot.length}`);
  const later = numbers.filter((number) => number >= first);
  const logs = later.map((number) => join(folder, nameOf(number, 'log')));
  let previous: Buffer | undefined;
  let sequence = ofSnapshot.begun?.sequence ?? 0;
  let [length, logBytes] = [0, 0];
  let digest: Buffer = noDigest;
  let last: { boot: string | null; isClosed: boolean } = { boot: null, isClosed: false };
  for (const [index, path] of logs.entries()) {
    if (later[index] !== first + index) throw damaged(folder, `log ${first + index} is missing`);
    const log = readFile(path, previous);
    if (log.broken !== undefined) {
      const { at, isFollowed } = log.broken;
      if (isFollowed || index < logs.length - 1) throw damaged(path, `it is damaged at byte ${at}`);
      writeFileSync(`${path}.torn`, readFileSync(path).subarray(at), { mode: 0o600 });
      truncateSync(path, at);
      say(
        `the journal ends with a record that was not written to its end, and so was never acknowledged: it was cut off at byte ${at} of ${path}; what there was is in ${path}.torn`,
      );
    }
    // A log of which not even the beginning was written is begun again.
    if (log.begun === undefined && index < logs.length - 1) throw damaged(path, 'it has no beginning');
    sequence = Math.max(sequence, log.sequence);
    previous = log.digest ?? previous;
    digest = previous ?? noDigest;
    length = log.length;
    logBytes += log.length;
    last = log.begun === undefined ? last : log;
  }
  if (sequence < ofSnapshot.end.upTo)
    throw damaged(
      folder,
      `its log ends at entry ${sequence}, and its snapshot goes to ${ofSnapshot.end.upTo}`,
    );
  return {
    snapshot,
    logs,
    number: later.at(-1) ?? first,
    length,
    digest,
    sequence,
    migrations: ofSnapshot.begun?.begin.migrations ?? 0,
    boot: last.boot,
    isClosed: last.isClosed,
    snapshotBytes: ofSnapshot.length,
    logBytes,
  };
}

/** Whether a first snapshot was under way: until it is there, nothing was acknowledged. */
function isBeginning(folder: string, numbers: number[]): boolean {
  return numbers.length === 1 && existsSync(join(folder, `${nameOf(numbers[0] ?? 0, 'snapshot')}.part`));
}

type Read = {
  length: number;
  sequence: number;
  boot: string | null;
  isClosed: boolean;
  digest?: Buffer;
  begun?: { begin: Begin; sequence: number };
  end?: z.infer<typeof endSchema>;
  broken?: { at: number; isFollowed: boolean };
};

function readFile(path: string, previous?: Buffer): Read {
  const read: Read = { length: 0, sequence: 0, boot: null, isClosed: false };
  for (const reading of readRecords(path)) {
    if (reading.kind === 'broken') {
      read.broken = reading;
      return read;
    }
    const { record, end } = reading;
    const before = read.digest ?? previous;
    if (before !== undefined && !record.previous.equals(before))
      throw damaged(path, `a record is missing or moved before byte ${end}`);
    if (record.kind === 'begin' || record.kind === 'opened') {
      const begin = beginSchema.parse(JSON.parse(record.text));
      read.begun ??= { begin, sequence: record.sequence };
      read.boot = begin.boot;
    }
    if (record.kind === 'end') read.end = endSchema.parse(JSON.parse(record.text));
    read.isClosed = record.kind === 'closed';
    read.sequence = record.sequence;
    read.digest = record.digest;
    read.length = end;
  }
  return read;
}

function damaged(path: string, what: string): DatabaseError {
  return new DatabaseError(
    'journal_damaged',
    `the journal is not whole: ${path}: ${what}. Nothing was changed. Put back a copy of the folder, or restore a backup; or, if the database beside it is known to be whole, move the folder of the journal away: then a new one is begun from the database`,
  );
}

/** What begins a file, and what says that a process opens the database. */
export function beginText(
  what: Begin['what'],
  { migrations, boot }: { migrations: number; boot: string | null },
): string {
  return JSON.stringify({ format: 1, what, migrations, boot } satisfies Begin);
}

/**
 * Says at the end of the journal that a process opens the database, which may be ahead of what is on the disk from here on. To be called
 * before it is opened. Answers the journal as it is then.
 */
export async function noteOpening(
  state: JournalState,
  options: { migrations: number; boot: string | null },
): Promise<JournalState> {
  const path = join(dirname(state.snapshot), nameOf(state.number, 'log'));
  const isNew = state.length === 0;
  const { bytes, digest } = await encodeRecord(
    { kind: isNew ? 'begin' : 'opened', sequence: state.sequence, text: beginText('log', options) },
    state.digest,
  );
  const file = await open(path, isNew ? 'w' : 'r+');
  await writeAt(file, bytes, state.length).finally(() => file.close());
  await syncFolder(dirname(path));
  const logs = state.logs.includes(path) ? state.logs : [...state.logs, path];
  const [length, logBytes] = [state.length + bytes.length, state.logBytes + bytes.length];
  return { ...state, logs, length, logBytes, digest };
}

/** Removes all that a later snapshot has replaced, and snapshots that never came to their end. */
export async function removeBefore(folder: string, number: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const [, earlier, draft] = /^(\d{10})\.(?:log|snapshot)(?:\.torn|(\.part))?$/.exec(name) ?? [];
    if (earlier !== undefined && (draft !== undefined || Number(earlier) < number))
      await rm(join(folder, name), { force: true });
  }
  await syncFolder(folder);
}

/** Writes all bytes at a place, and brings them to the disk. */
export async function writeAt(file: FileHandle | undefined, bytes: Buffer, at: number): Promise<void> {
  if (file === undefined) throw new Error('no log is open');
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, at + written);
    written += bytesWritten;
  }
  await file.datasync();
}
