/**
 * The public keys of one issuer, found as OpenID Connect Discovery describes it and kept for a while. Nothing that a token says
 * decides where they are fetched from.
 */
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { isLoopback, isTrustworthy } from './issuers.ts';
import { RequestError } from './problems.ts';

/** Where the keys are is asked again after this long, and the keys themselves are fetched again after this long, in milliseconds. */
const discoveryKeptMs = 3_600_000;
const keysKeptMs = 600_000;

/** For a key that is not among them they are fetched again at most so often, in milliseconds. */
const refetchMs = 30_000;

/** After an issuer did not answer it is left alone for so long, in milliseconds: anybody can name a key that nobody has. */
const pauseMs = 5_000;

const answerMsMax = 5_000;
const answerBytesMax = 1 << 20;

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.string() });

export class IssuerKeys {
  readonly #issuer: string;
  #found: Promise<JWTVerifyGetKey> | undefined;
  #foundAtMs = 0;
  #pausedUntilMs = 0;

  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  /** The key that a token says it is signed with. Throws jose's errors for a key that is not there, else `issuer_unavailable`. */
  readonly get: JWTVerifyGetKey = async (header, token) => {
    try {
      const keys = await this.#find();
      return await keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
        throw error;
      }
      throw new RequestError(
        'issuer_unavailable',
        'the keys of the issuer of this token cannot be had: try again later',
        { cause: error },
      );
    }
  };

  /** Looks for the keys once, however many ask. A failure is not kept. */
  #find(): Promise<JWTVerifyGetKey> {
    if (this.#found !== undefined && Date.now() < this.#foundAtMs + discoveryKeptMs) return this.#found;
    const found = this.#discover();
    this.#found = found;
    this.#foundAtMs = Date.now();
    found.catch(() => {
      if (this.#found === found) this.#found = undefined;
    });
    return found;
  }

  async #discover(): Promise<JWTVerifyGetKey> {
    const address = `${this.#issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const answer = await this.#fetch(address);
    if (answer.status !== 200) throw new Error(`${address} answered ${answer.status}`);
    const { issuer, jwks_uri: keysAt } = discoverySchema.parse(await answer.json());
    if (issuer !== this.#issuer) throw new Error(`${address} is about another issuer`);
    // An issuer elsewhere does not send us to a service of this machine.
    if (!isTrustworthy(keysAt) || (isLoopback(keysAt) && !isLoopback(this.#issuer))) {
      throw new Error(`${address} names keys at an address that is not trustworthy`);
    }
    return createRemoteJWKSet(new URL(keysAt), {
      cacheMaxAge: keysKeptMs,
      cooldownDuration: refetchMs,
      [customFetch]: (url) => this.#fetch(url),
    });
  }

  /** An answer that was read to its end, within bounds of time and size, without following anybody elsewhere. */
  async #fetch(url: string): Promise<Response> {
    if (Date.now() < this.#pausedUntilMs) throw new Error(`${this.#issuer} did not answer a moment ago`);
    try {
      const signal = AbortSignal.timeout(answerMsMax);
      const headers = { accept: 'application/json' };
      const { body, status } = await fetch(url, { headers, signal, redirect: 'error' });
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of body ?? []) {
        bytes += chunk.length;
        if (bytes > answerBytesMax) throw new Error(`${url} answers more than ${answerBytesMax} bytes`);
        chunks.push(chunk);
      }
      return new Response(Buffer.concat(chunks), { status });
    } catch (error) {
      this.#pausedUntilMs = Date.now() + pauseMs;
      throw error;
    }
  }
}
