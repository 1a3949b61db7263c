/**
 * What a token looks like: `hb_`, 32 random base62 characters and their CRC32, so that secret scanners can know one (GitHub's scheme).
 * Other services' look otherwise.
 */
import { randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const randomLength = 32;
const checksumLength = 6;
const prefix = 'hb_';
const formPattern = new RegExp(`^${prefix}[0-9A-Za-z]{${randomLength + checksumLength}}$`);

/** A fresh token: `hb_` + 32 base62 + 6-character CRC32 of these. */
export function makeToken(): string {
  const random = Array.from({ length: randomLength }, () => alphabet[randomInt(alphabet.length)]).join('');
  return `${prefix}${random}${checksum(random)}`;
}

/** Whether a text looks like a token made here and cannot be one: it was mistyped, cut, or guessed. */
export function isMistyped(text: string): boolean {
  if (!formPattern.test(text)) return false;
  const random = text.slice(prefix.length, prefix.length + randomLength);
  return text.slice(prefix.length + randomLength) !== checksum(random);
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let index = 0; index < checksumLength; index++) {
    digits = `${alphabet[rest % alphabet.length]}${digits}`;
    rest = Math.floor(rest / alphabet.length);
  }
  return digits;
}

/** Whether a text has the form of a JSON Web Token: three parts, of which the last may be empty. */
export function isJwt(text: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text);
}
