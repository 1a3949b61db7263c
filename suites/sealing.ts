/** Sealing: clear text goes in, an age file comes out, and only the identity opens it again. */
import { createHash } from 'node:crypto';
import { Decrypter, Encrypter } from 'age-encryption';
import { SuiteError } from './errors.ts';
import type { Identity } from './identity.ts';

/** Sealed bytes, and the service's recipient that they are sealed to. */
export type Sealed = { sealed: Uint8Array; recipient: string };

/** What seals and opens for the whole service: it holds the identity, which can be exchanged while it runs. */
export class Seals {
  #identity: Identity;

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  /** `age1…`: what is sealed to it, this service opens. */
  get recipient(): string {
    return this.#identity.recipient;
  }

  /** From now on seals and opens with this identity. */
  exchange(identity: Identity): void {
    this.#identity = identity;
  }

  /** Seals text, which must be well-formed Unicode: JSON text written by JSON.stringify is. */
  async seal(text: string): Promise<Sealed> {
    const { recipient, recipients } = this.#identity;
    return { sealed: await seal(text, [recipient, ...recipients]), recipient };
  }

  /** Opens sealed bytes. Throws `seal_broken` when another identity sealed them or one bit has changed. */
  async open(sealed: Uint8Array): Promise<string> {
    const decrypter = new Decrypter();
    for (const secret of this.#identity.secrets) decrypter.addIdentity(secret);
    try {
      return await decrypter.decrypt(sealed, 'text');
    } catch (cause) {
      throw new SuiteError(
        'seal_broken',
        `sealed bytes do not open with the identity of ${this.recipient}: is HOLDBACK_IDENTITY the one they were sealed to?`,
        { cause },
      );
    }
  }
}

/** Encrypts text to recipients (`age1…`), each of which can open it. */
export async function seal(text: string, recipients: string[]): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return encrypter.encrypt(text);
}

/** The SHA-256 of a text or of bytes, as `sha256:` and hexadecimal digits. */
export function digestOf(data: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}
