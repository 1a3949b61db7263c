/** Sealing: clear text goes in, an age file comes out, and only the identity opens it again. */
import { createHash } from 'node:crypto';
import { Decrypter, Encrypter } from 'age-encryption';
import { SuiteError } from './errors.ts';
import type { Identity } from './identity.ts';

/** Encrypts text to a recipient. The text must be well-formed Unicode: JSON text written by JSON.stringify is. */
export async function seal(text: string, recipient: string): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return encrypter.encrypt(text);
}

/** Opens sealed bytes. Throws `seal_broken` when another identity sealed them or one bit has changed. */
export async function unseal(sealed: Uint8Array, identity: Identity): Promise<string> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity.secret);
  try {
    return await decrypter.decrypt(sealed, 'text');
  } catch (cause) {
    throw new SuiteError(
      'seal_broken',
      `sealed bytes do not open with the identity of ${identity.recipient}: is HOLDBACK_IDENTITY the one they were sealed to?`,
      { cause },
    );
  }
}

/** The SHA-256 of a text or of bytes, as `sha256:` and hexadecimal digits. */
export function digestOf(data: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}
