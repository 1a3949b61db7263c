/**
 * How often one address, and one token, may ask, and how much it may send at once. Each process counts for itself, in memory that is
 * bounded, and forgets with every minute.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RequestError } from './problems.ts';

const minuteMs = 60_000;

/** Limits requests by where they come from, before anybody asks who it is. 0 is no limit. */
export function limitAddresses(app: FastifyInstance, perMinute: number): void {
  if (perMinute === 0) return;
  // The plugin's own key: an IPv4 address, or the network of an IPv6 address.
  const count = app.createRateLimit({ max: perMinute, timeWindow: minuteMs });
  addLimit(app, count, () => `at most ${perMinute} requests a minute are answered to one address`);
}

/** Limits requests by token, once it is known to be one. 0 is no limit. */
export function limitTokens(app: FastifyInstance, perMinute: number): void {
  if (perMinute === 0) return;
  const keyGenerator = ({ reader }: FastifyRequest) => reader?.tokenId ?? '';
  const count = app.createRateLimit({ max: perMinute, timeWindow: minuteMs, keyGenerator });
  addLimit(app, count, ({ reader }) =>
    reader === null ? undefined : `at most ${perMinute} requests a minute are answered to one token`,
  );
}

/** So many bytes of requests that are not answered yet are held in memory at once. */
const heldBytesMax = 256 << 20;

/**
 * Limits how much is sent at once: a body is read whole, and whoever sent many, however slowly, would take all memory. One token may hold
 * as much as it leaves to the others.
 */
export function limitBodies(app: FastifyInstance): void {
  const heldBy = new Map<string, number>();
  let held = 0;
  const change = (by: string, bytes: number) => {
    held += bytes;
    const own = (heldBy.get(by) ?? 0) + bytes;
    if (own === 0) heldBy.delete(by);
    else heldBy.set(by, own);
  };
  app.addHook('onRequest', async (request, reply) => {
    const bytes = bodyBytesOf(request);
    if (bytes === 0) return;
    const by = request.reader?.tokenId ?? request.ip;
    if ((heldBy.get(by) ?? 0) + bytes > heldBytesMax - held) {
      reply.header('retry-after', '1');
      throw new RequestError('rate_limited', 'too much is being sent at once: try again later');
    }
    change(by, bytes);
    // It comes once, when all is answered or nobody waits any more.
    reply.raw.once('close', () => change(by, -bytes));
  });
}

/** How long the body of a request is at most. */
function bodyBytesOf({ headers, routeOptions: { bodyLimit = 0 } }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return bodyLimit;
  return Math.min(Number(headers['content-length'] ?? 0), bodyLimit);
}

/** Where somebody signs in: so many tokens a minute are tried from one address, and no more than requests are answered at all. */
const guessesPerMinute = 30;

/** Limits a route on which tokens could be guessed; a `perMinute` of 0 is no limit here either. */
export function limitGuesses(app: FastifyInstance, perMinute: number) {
  const max = Math.min(guessesPerMinute, perMinute);
  const count = app.createRateLimit({ max, timeWindow: minuteMs });
  return async (request: FastifyRequest, reply: FastifyReply) => {
    if (perMinute === 0) return;
    await refuseTooMuch(count, request, reply, `at most ${max} tokens a minute are tried from one address`);
  };
}

/** Refuses what is too much, with the limit in words; `limitOf` gives no words for a request that does not count. */
function addLimit(
  app: FastifyInstance,
  count: ReturnType<FastifyInstance['createRateLimit']>,
  limitOf: (request: FastifyRequest) => string | undefined,
): void {
  app.addHook('onRequest', async (request, reply) => {
    const limit = limitOf(request);
    if (limit === undefined || request.routeOptions.config.rateLimit === false) return;
    await refuseTooMuch(count, request, reply, limit);
  });
}

async function refuseTooMuch(
  count: ReturnType<FastifyInstance['createRateLimit']>,
  request: FastifyRequest,
  reply: FastifyReply,
  limit: string,
): Promise<void> {
  const counted = await count(request);
  if (counted.isAllowed || !counted.isExceeded) return;
  reply.header('retry-after', `${counted.ttlInSeconds}`);
  throw new RequestError('rate_limited', `${limit}: try again in ${counted.ttlInSeconds} s`);
}
