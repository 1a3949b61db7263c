/**
 * Whether a form comes from a page of ours: by what the browser says of its origin, which no page can forge, and, once somebody is
 * signed in, by a token that only our pages hold.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { RequestError } from '../problems.ts';

/** The token that a session's forms carry: nobody can make it who does not hold the session's secret. */
export function csrfTokenOf(sessionSecret: string): string {
  return createHmac('sha256', sessionSecret).update('holdback csrf').digest('base64url');
}

/**
 * Throws `form_refused` unless the browser says that the request comes from this very origin. Browsers send `Sec-Fetch-Site` over
 * https and on loopback, and `Origin` with every form: what says neither is no browser that we know.
 */
export function requireSameOrigin({ headers, host }: FastifyRequest): void {
  const site = headers['sec-fetch-site'];
  const { origin } = headers;
  const isOurs = origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
  if (
    (site === undefined || site === 'same-origin') &&
    (origin === undefined ? site !== undefined : isOurs)
  ) {
    return;
  }
  throw new RequestError('form_refused', 'open the page here and send its form again');
}

/** Throws `form_refused` unless the token is the session's own. */
export function requireCsrfToken(sessionSecret: string, given: unknown): void {
  const wanted = Buffer.from(csrfTokenOf(sessionSecret));
  const sent = Buffer.from(typeof given === 'string' ? given : '');
  if (sent.length === wanted.length && timingSafeEqual(sent, wanted)) return;
  throw new RequestError('form_refused', 'the page is of an earlier session: open it again and repeat');
}
