/** Sealing: clear text goes in, an age file comes out, and only the identity opens it again. */
import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { Decrypter, Encrypter } from 'age-encryption';
import { SuiteError } from '../errors.ts';
import type { Identity } from './identity.ts';

/** Enough for more than a hundred recipients. */
const headerBytesMax = 16_384;

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

  /** Whether what is sealed to this recipient opens here. */
  opens(recipient: string): boolean {
    return this.#identity.recipient === recipient || this.#identity.earlier.includes(recipient);
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

  /** Opens sealed bytes, an age file. Throws `seal_broken` when another identity sealed them or one bit has changed. */
  async open(sealed: Uint8Array): Promise<string> {
    // Every recipient in a header costs time, and whoever sealed the bytes may have put in any number.
    const headerEnd = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
      .subarray(0, headerBytesMax)
      .indexOf('\n--- ');
    const decrypter = new Decrypter();
    for (const secret of this.#identity.secrets) decrypter.addIdentity(secret);
    try {
      if (headerEnd === -1) throw new Error('the header is too long, or none');
      return await decrypter.decrypt(sealed, 'text');
    } catch (cause) {
      throw new SuiteError(
        'seal_broken',
        `sealed bytes do not open with the identity of ${this.recipient}: they were altered, or HOLDBACK_IDENTITY is not the one they were sealed to`,
        { cause },
      );
    }
  }

  /**
   * Seals what the service itself has made up. Anybody can seal something to a recipient, which is public; what is sealed here
   * carries a tag besides, that needs the identity.
   */
  async sealOwn(text: string): Promise<Sealed> {
    const [current = ''] = this.#identity.secrets;
    return this.seal(`${ownTag(current, text).toString('hex')}\n${text}`);
  }

  /** Opens what `sealOwn` sealed with one of the identities. Throws `seal_broken` for whatever else it is. */
  async openOwn(sealed: Uint8Array): Promise<string> {
    const opened = await this.open(sealed);
    const end = opened.indexOf('\n');
    const [tag, text] = [Buffer.from(opened.slice(0, Math.max(0, end)), 'hex'), opened.slice(end + 1)];
    const isOwn = this.#identity.secrets.some((secret) => isSame(tag, ownTag(secret, text)));
    if (isOwn) return text;
    throw new SuiteError('seal_broken', `what is sealed to ${this.recipient} was not sealed by this service`);
  }
}

/** Who has not the secret of an identity cannot make this. */
function ownTag(secret: string, text: string): Buffer {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'holdback own seal', 32));
  return createHmac('sha256', key).update(text).digest();
}

/** Whether two tags are the same, in a time that does not tell where they differ. */
export function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
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
