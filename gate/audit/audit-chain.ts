/**
 * When the audit holds. Each record's hash covers the hash before it, so that no record can be changed, left out, put in or
 * moved without a break; heads, which are records' hashes that the service signed, say which history that was and how far it
 * had come. Pure, so that whoever reads the audit checks it on a machine of their own.
 *
 * It proves that the records are those that were there when the heads were signed. It does not prove that a record is true, nor
 * that what was never recorded did not happen: whoever owns the database can append a record as the service does, and can cut off
 * what was appended since the newest head, about a second's worth. Whoever owns the service's key too can write another history
 * and sign it; a head that was kept elsewhere finds them out.
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { z } from 'zod';

/** A record as it is stored, whatever that is: what a record must be is for `verifyChain` to say. */
export const auditRecordSchema = z.strictObject({
  sequence: z.number().describe('Records are numbered from 1, without gaps.'),
  entry: z.string().describe('JSON text, exactly as it was hashed: {at, by, action, about}.'),
  hash: z
    .string()
    .describe(
      'SHA-256 in hexadecimal of the hash before it (empty for the first), the number and the entry, joined by line feeds.',
    ),
});
export type AuditRecord = z.infer<typeof auditRecordSchema>;

/** A record's hash, signed. */
export const auditHeadSchema = z.strictObject({
  sequence: z.number().describe('The number of the record.'),
  hash: z.string().describe('Its hash.'),
  signature: z
    .string()
    .describe(
      'Ed25519 in base64 over three lines: `holdback audit head`, the number and the hash, without a line feed at the end.',
    ),
  publicKey: z.string().describe('The Ed25519 key that it was signed with: SubjectPublicKeyInfo in base64.'),
});
export type AuditHead = z.infer<typeof auditHeadSchema>;

/** What an entry says. A newer service may record actions that this version does not know. */
export const auditEntrySchema = z.object({
  at: z.iso.datetime(),
  by: z.string(),
  action: z.string(),
  about: z.record(z.string(), z.unknown()),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

/** What is wrong first. That something is, is certain; the kind is what most likely was done. */
export const auditFaultSchema = z.strictObject({
  of: z.enum(['record', 'head']),
  sequence: z.number(),
  kind: z.enum(['edited', 'dropped', 'reordered', 'duplicated', 'unreadable', 'forged']),
  detail: z.string(),
});
export type AuditFault = z.infer<typeof auditFaultSchema>;

/** How far the chain has been followed: the number and hash of the last record. */
export type Link = { sequence: number; hash: string };

/** Before the first record. */
export const chainStart: Link = { sequence: 0, hash: '' };

/** Whether the chain goes on over some records; `last` is how far it does. */
export type ChainCheck = { ok: true; last: Link } | { ok: false; last: Link; fault: AuditFault };

/**
 * Follows the chain over records in the order in which they were read, from where it was followed to before: from the start
 * unless told otherwise. That records are missing at the end is for `verifyHeads` to find.
 */
export function verifyChain(records: readonly AuditRecord[], previous: Link = chainStart): ChainCheck {
  let last = previous;
  for (const record of records) {
    const due = last.sequence + 1;
    const fault =
      record.sequence === due ? wrongWithin(record, last, records) : wrongPlace(record, due, records);
    if (fault !== undefined) return { ok: false, last, fault };
    last = { sequence: record.sequence, hash: record.hash };
  }
  return { ok: true, last };
}

/**
 * What is wrong with the first of these heads that does not hold, if one does not: each must be signed with the key, and be that of
 * the record with its number. `hashes` has the hash of every such record of a chain that holds.
 */
export function verifyHeads(
  heads: readonly AuditHead[],
  hashes: ReadonlyMap<number, string>,
  publicKey: string,
): AuditFault | undefined {
  const key = parsePublicKey(publicKey);
  for (const head of heads) {
    const { sequence } = head;
    const fault = (kind: AuditFault['kind'], detail: string) => ({
      ...({ of: 'head', sequence } as const),
      kind,
      detail,
    });
    if (key === undefined) return fault('forged', 'there is no Ed25519 key to check its signature with');
    if (head.publicKey !== publicKey) return fault('forged', 'it is signed with another key');
    if (!isSignedWith(key, head)) return fault('forged', 'its signature does not hold');
    const hash = hashes.get(sequence);
    if (hash === undefined) {
      return fault('dropped', 'there is no record of this number: records were dropped from the end');
    }
    if (hash !== head.hash) {
      return fault(
        'edited',
        'the record of this number is not the one that was signed: it, or one before it, was rewritten',
      );
    }
  }
  return undefined;
}

/** What an entry says, or undefined if it is not of the form of one. */
export function readEntry(entry: string): AuditEntry | undefined {
  try {
    return auditEntrySchema.safeParse(JSON.parse(entry)).data;
  } catch {
    return undefined;
  }
}

/** The text that a head's signature is over. No other text that the service signs begins like it. */
export function headText({ sequence, hash }: Link): Buffer {
  return Buffer.from(`holdback audit head\n${sequence}\n${hash}`, 'utf8');
}

/** An Ed25519 key from SubjectPublicKeyInfo in base64, or undefined if the text is not that of one. */
export function parsePublicKey(text: string): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

function isSignedWith(key: KeyObject, head: AuditHead): boolean {
  return verify(null, headText(head), key, Buffer.from(head.signature, 'base64'));
}

function hashOf(previousHash: string, sequence: number, entry: string): string {
  return createHash('sha256').update(`${previousHash}\n${sequence}\n${entry}`, 'utf8').digest('hex');
}

/** What is wrong with a record that has the number that is due. */
function wrongWithin(
  record: AuditRecord,
  last: Link,
  records: readonly AuditRecord[],
): AuditFault | undefined {
  const { sequence, entry, hash } = record;
  if (hash !== hashOf(last.hash, sequence, entry)) {
    const original = records.find((other) => other.hash === hashOf(last.hash, sequence, other.entry));
    if (original !== undefined) {
      return recordFault(sequence, 'reordered', `what was appended here stands at ${original.sequence}`);
    }
    const before = sequence === 1 ? '' : `, or record ${last.sequence} was rewritten`;
    return recordFault(sequence, 'edited', `it is not what was appended here${before}`);
  }
  if (readEntry(entry) !== undefined) return undefined;
  return recordFault(sequence, 'unreadable', 'its entry does not say who did what and when');
}

/** What is wrong where a record has another number than the one that is due. */
function wrongPlace({ sequence }: AuditRecord, due: number, records: readonly AuditRecord[]): AuditFault {
  if (sequence >= 1 && sequence < due) {
    return recordFault(sequence, 'duplicated', 'there is more than one of this number');
  }
  if (records.some((other) => other.sequence === due)) {
    return recordFault(due, 'reordered', `it comes after record ${sequence}`);
  }
  return recordFault(due, 'dropped', `after record ${due - 1} comes record ${sequence}`);
}

function recordFault(sequence: number, kind: AuditFault['kind'], detail: string): AuditFault {
  return { of: 'record', sequence, kind, detail };
}
