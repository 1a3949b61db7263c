/** Reads files of records from their beginning, and tells what is torn at their end from what is damaged. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { decodeRecord, headerBytes, nextBeginning, payloadLengthOf, type ReadRecord } from './record.ts';

/** So much is looked through at a time for a record behind a broken one, in bytes. */
const lookBytes = 2 ** 20;

/** A record with where it ends in its file, or where the file stops being readable and whether a whole record follows there. */
export type Reading =
  | { kind: 'record'; record: ReadRecord; end: number }
  | { kind: 'broken'; at: number; isFollowed: boolean };

/** The records of a file, one after the other; a `broken` one is the last. Throws what the file system throws. */
export function* readRecords(path: string): Generator<Reading> {
  const file = openSync(path, 'r');
  try {
    yield* readOpened(file, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

/** The same of a file that is open already, up to a length in bytes. */
export function* readOpened(file: number, size: number): Generator<Reading> {
  for (let at = 0; at < size; ) {
    const record = recordAt(file, at, size);
    if (record === undefined) {
      yield { kind: 'broken', at, isFollowed: isFollowed(file, at, size) };
      return;
    }
    at = record.end;
    yield { kind: 'record', ...record };
  }
}

function recordAt(file: number, at: number, size: number): { record: ReadRecord; end: number } | undefined {
  const header = read(file, at, headerBytes);
  const length = payloadLengthOf(header);
  const end = at + headerBytes + (length ?? 0);
  if (length === undefined || end > size) return undefined;
  const record = decodeRecord(header, read(file, at + headerBytes, length));
  return record && { record, end };
}

/**
 * Whether a whole record stands behind a broken one. What is torn at the end of a file was never acknowledged; what is followed by
 * another record was.
 */
function isFollowed(file: number, broken: number, size: number): boolean {
  for (let from = broken + 1; from < size; from += lookBytes) {
    // Three bytes more, because a beginning may lie across the border.
    const bytes = read(file, from, Math.min(lookBytes + 3, size - from));
    for (let at = nextBeginning(bytes, 0); at !== -1; at = nextBeginning(bytes, at + 1)) {
      if (recordAt(file, from + at, size) !== undefined) return true;
    }
  }
  return false;
}

function read(file: number, at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let got = 0;
  while (got < length) {
    const more = readSync(file, bytes, got, length - got, at + got);
    if (more === 0) break;
    got += more;
  }
  return bytes.subarray(0, got);
}
