/**
 * Who is looking at a page. A cookie names the session, and it is believed by the pages alone: the API asks for a token in each
 * request, so that no other site can make a browser use it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Database } from '../../migrations/open-database.ts';
import { readerOf } from '../access.ts';
import { RequestError } from '../problems.ts';
import { findSession, sessionMs } from '../sessions.ts';
import type { Reader } from '../tokens.ts';
import { csrfTokenOf, requireCsrfToken, requireSameOrigin } from './same-origin.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the browser keeps of its session, and the name of the token; null where nobody has to be signed in. */
    session: { secret: string; name: string } | null;
  }
}

const cookieName = 'holdback_session';

/** What every page that is for somebody shows besides its content. */
export type Visit = { reader: Reader; name: string; csrf: string };

/** Finds out who is looking, on every page that names roles; on others nobody is asked. */
export function identifySessions(app: FastifyInstance, database: Database): void {
  app.decorateRequest('reader', null);
  app.decorateRequest('session', null);
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.roles === undefined && !request.is404) return;
    try {
      const secret = request.cookies[cookieName];
      if (secret === undefined) throw new RequestError('session_missing', 'sign in first');
      const { reader, name } = await findSession(database, secret);
      request.reader = reader;
      request.session = { secret, name };
    } catch (error) {
      // That there is no such page may be told to everybody.
      if (!request.is404) throw error;
    }
  });
}

/** Refuses forms that were not sent from here. `csrf` is taken out of the body, so that no form's schema need name it. */
export function requireOwnForms(app: FastifyInstance): void {
  app.addHook('preValidation', async (request) => {
    if (request.method === 'GET' || request.method === 'HEAD') return;
    requireSameOrigin(request);
    if (request.session === null) return;
    const { body, headers } = request;
    const isForm = typeof body === 'object' && body !== null;
    const inForm: unknown = isForm ? Reflect.get(body, 'csrf') : undefined;
    requireCsrfToken(request.session.secret, headers['x-csrf-token'] ?? inForm);
    if (isForm) Reflect.deleteProperty(body, 'csrf');
  });
}

/** Who is looking at a page that names roles. */
export function visitOf(request: FastifyRequest): Visit {
  const { session } = request;
  if (session === null) throw new RequestError('session_missing', 'sign in first');
  return { reader: readerOf(request), name: session.name, csrf: csrfTokenOf(session.secret) };
}

/** Gives the browser its session, or takes it away. Scripts do not see it, and no other site can have it sent. */
export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, secret: string | null): void {
  reply.setCookie(cookieName, secret ?? '', {
    path: '/ui',
    httpOnly: true,
    sameSite: 'strict',
    secure: isOverHttps(request),
    maxAge: secret === null ? 0 : sessionMs / 1_000,
  });
}

/** Behind a proxy that is not trusted, only the browser says so: its form was sent from this very origin. */
function isOverHttps({ protocol, headers }: FastifyRequest): boolean {
  return protocol === 'https' || headers.origin?.startsWith('https:') === true;
}

/** The secret of the session that a request names, whether or not it is one. */
export function sessionSecretOf(request: FastifyRequest): string | undefined {
  return request.cookies[cookieName];
}
