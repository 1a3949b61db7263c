/**
 * The form of what is in a journal, a snapshot and a backup: records, each of which says how long it is and carries a SHA-256 of itself
 * and that of the record before it. So a record that was half written, changed, left out or moved is noticed.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';

/** What a record holds, as JSON text. The numbers are part of the format. */
export const recordKinds = {
  /** Begins a file: what it is, and of which version of the tables. */
  begin: 1,
  /** Rows that were put into tables, changed or removed, in the order in which that happened. */
  entries: 2,
  /** Ends a snapshot. */
  end: 3,
  /** A process opened the database: from here on it may be ahead of what is on the disk. */
  opened: 4,
  /** It was closed, and all of it is on the disk. */
  closed: 5,
  /** Ends a backup. */
  backup: 6,
} as const;
export type RecordKind = keyof typeof recordKinds;

export type JournalRecord = {
  kind: RecordKind;
  /** The number of the newest entry that was written with or before this. */
  sequence: number;
  text: string;
};

export const beginSchema = z.object({
  format: z.literal(1),
  what: z.enum(['log', 'snapshot', 'backup']),
  /** How many migrations the tables had behind them. */
  migrations: z.int().nonnegative(),
  /** The start of the machine at which it was written; null where that is not known. */
  boot: z.string().nullable(),
});
export type Begin = z.infer<typeof beginSchema>;

const magic = Buffer.from('HBJ1');
/** Magic, kind, whether it is compressed, two bytes of nothing, length, sequence: then the two digests. */
const sealedBytes = 24 + 32;
export const headerBytes = sealedBytes + 32;
/** Longer ones, in bytes, are worth compressing. */
const compressedFrom = 2_048;
/** No record is longer than this, in bytes: a candidate of 16 MiB is 32 MiB as text. */
const lengthMax = 512 * 2 ** 20;

const compress = promisify(zstdCompress);

/** What precedes the first record of a file that follows no other. */
export const noDigest = Buffer.alloc(32);

/** The bytes of a record, and its digest, which the next one carries. */
export async function encodeRecord(
  { kind, sequence, text }: JournalRecord,
  previous: Buffer,
): Promise<{ bytes: Buffer; digest: Buffer }> {
  const plain = Buffer.from(text, 'utf8');
  const isCompressed = plain.length >= compressedFrom;
  const payload = isCompressed ? await compress(plain) : plain;
  if (payload.length > lengthMax) throw new Error('a record of the journal would be too long');
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header[4] = recordKinds[kind];
  header[5] = isCompressed ? 1 : 0;
  header.writeUInt32LE(payload.length, 8);
  header.writeBigUInt64LE(BigInt(sequence), 16);
  previous.copy(header, 24);
  const digest = digestOf(header, payload);
  digest.copy(header, sealedBytes);
  return { bytes: Buffer.concat([header, payload]), digest };
}

function digestOf(header: Buffer, payload: Buffer): Buffer {
  return createHash('sha256').update(header.subarray(0, sealedBytes)).update(payload).digest();
}

/** How many bytes the record that begins with this header has after it; undefined where no record can begin so. */
export function payloadLengthOf(header: Buffer): number | undefined {
  if (header.length < headerBytes || !header.subarray(0, 4).equals(magic)) return undefined;
  const length = header.readUInt32LE(8);
  return length <= lengthMax ? length : undefined;
}

export type ReadRecord = JournalRecord & { previous: Buffer; digest: Buffer };

/** The record that a header and what follows it are, or undefined if they are none or not whole. */
export function decodeRecord(header: Buffer, payload: Buffer): ReadRecord | undefined {
  if (payloadLengthOf(header) !== payload.length) return undefined;
  const digest = Buffer.from(header.subarray(sealedBytes, headerBytes));
  if (!digestOf(header, payload).equals(digest)) return undefined;
  const kind = kindOf(header[4]);
  if (kind === undefined) return undefined;
  return {
    kind,
    sequence: Number(header.readBigUInt64LE(16)),
    text: (header[5] === 1 ? zstdDecompressSync(payload) : payload).toString('utf8'),
    previous: Buffer.from(header.subarray(24, sealedBytes)),
    digest,
  };
}

function kindOf(number: number | undefined): RecordKind | undefined {
  for (const kind of ['begin', 'entries', 'end', 'opened', 'closed', 'backup'] as const) {
    if (recordKinds[kind] === number) return kind;
  }
  return undefined;
}

/** Where the next record may begin, from a place in some bytes on; -1 if nowhere. */
export function nextBeginning(bytes: Buffer, from: number): number {
  return bytes.indexOf(magic, from);
}
