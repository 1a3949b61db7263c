/**
 * The identity of a case: a keyed digest of what it asks. A case that is renamed, tagged, or copied to another suite is still
 * the same case, so that what its verdicts have taught is not forgotten. Without the key nobody can try contents against one.
 */
import { createHmac } from 'node:crypto';
import type { SealedCase } from './case.ts';

/**
 * 64 hexadecimal digits: HMAC-SHA-256 of the input and the declared expectation, in whatever order their keys were written.
 * Of a predicate the input alone counts, so that rewording one does not make a spent case look fresh.
 */
export function caseDigest(key: Uint8Array, { input, expect }: Pick<SealedCase, 'input' | 'expect'>): string {
  const asked =
    'predicate' in expect
      ? { input: JSON.parse(input), predicate: true }
      : { input: JSON.parse(input), expect };
  return createHmac('sha256', key).update(canonical(asked)).digest('hex');
}

/** JSON text with the keys of every object in order. JSON.stringify writes lone surrogates as escapes, so all of it is ASCII-safe. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}
