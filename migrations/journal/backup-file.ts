/**
 * A backup is one file of records, as those of a journal: a beginning, entries that make every row, and a record that closes it. Each
 * carries a SHA-256 of itself and of the one before it, so a file that was cut off, or changed at any place, is not taken for a
 * backup. Nothing of that is a secret: whoever can write a backup can write the database that is made from it.
 */
import { statSync } from 'node:fs';
import { z } from 'zod';
import { beginSchema, encodeRecord, noDigest, type RecordKind } from './record.ts';
import { readRecords } from './record-file.ts';

/** What the record that closes a backup says of it. */
export const backupSchema = z.strictObject({
  /** When it was begun: what was committed before is in it. */
  takenAt: z.iso.datetime(),
  /** From which kind of database. */
  from: z.enum(['pglite', 'postgresql']),
  /** `age1…`: whose identity opens what is sealed in it. That is not in it. */
  recipient: z.string().regex(/^age1[a-z0-9]+$/),
});
export type Backup = z.infer<typeof backupSchema>;

/** The bytes of a backup, piece by piece, from the entries that make all rows. */
export async function* encodeBackup(
  migrations: number,
  entries: AsyncIterable<string>,
  backup: Backup,
): AsyncGenerator<Buffer> {
  let digest: Buffer = noDigest;
  let sequence = 0;
  const encode = async (kind: RecordKind, text: string): Promise<Buffer> => {
    const encoded = await encodeRecord({ kind, sequence: sequence++, text }, digest);
    digest = encoded.digest;
    return encoded.bytes;
  };
  yield encode('begin', JSON.stringify({ format: 1, what: 'backup', migrations, boot: null }));
  for await (const text of entries) yield encode('entries', text);
  yield encode('backup', JSON.stringify(backup));
}

/** What a whole backup says of itself, or why a file is none. */
export type BackupRead = { backup: Backup; migrations: number; bytes: number } | { fault: string };

/** Reads all of a file and checks it. Throws what the file system throws. */
export function readBackup(path: string): BackupRead {
  const bytes = statSync(path).size;
  let previous: Buffer = noDigest;
  let migrations: number | undefined;
  let backup: Backup | undefined;
  let length = 0;
  for (const reading of readRecords(path)) {
    if (backup !== undefined) return { fault: `something follows its end at byte ${length}` };
    if (reading.kind === 'broken') {
      if (reading.at === 0) return { fault: 'it does not begin as a backup of Holdback does' };
      return { fault: `it is damaged or was cut off at byte ${reading.at} of ${bytes}` };
    }
    const { record, end } = reading;
    if (!record.previous.equals(previous))
      return { fault: `something is missing, or was moved, before byte ${end}` };
    if (migrations === undefined) {
      const begin = record.kind === 'begin' ? beginSchema.safeParse(parseJson(record.text)).data : undefined;
      if (begin?.what !== 'backup')
        return { fault: 'it is no backup, or one of a newer version of Holdback' };
      migrations = begin.migrations;
    } else if (record.kind === 'backup') {
      backup = backupSchema.safeParse(parseJson(record.text)).data;
      if (backup === undefined) return { fault: 'its end is of a newer version of Holdback' };
    } else if (record.kind !== 'entries') return { fault: `what ends at byte ${end} belongs to no backup` };
    previous = record.digest;
    length = end;
  }
  if (migrations === undefined || backup === undefined)
    return { fault: bytes === 0 ? 'it is empty' : `it has no end: it was cut off at byte ${bytes}` };
  return { backup, migrations, bytes };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
