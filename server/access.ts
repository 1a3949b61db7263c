/** Who may do what: each route names the roles it is for, and the gate it is about is held against the token's gates. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Role } from '../gate/disclosed.ts';
import type { Database } from '../migrations/open-database.ts';
import { RequestError } from './problems.ts';
import { findReader, type Reader } from './tokens.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The roles that may call this route; `admin` may call every one. A route without it is open to all. */
    roles?: readonly Role[];
    /** The most keys and values in this route's JSON, where the usual bound does not do. */
    jsonValuesMax?: number;
  }
  interface FastifyRequest {
    reader: Reader | null;
  }
}

/** Asks every request for a token before its body is read, except on routes that name no roles. */
export function requireTokens(app: FastifyInstance, database: Database): void {
  app.decorateRequest('reader', null);
  app.addHook('onRequest', async (request) => {
    const { roles } = request.routeOptions.config;
    if (roles === undefined) return;
    const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (token === undefined) {
      throw new RequestError('token_missing', 'send a token as `Authorization: Bearer hb_…`');
    }
    const reader = await findReader(database, token);
    if (reader === undefined)
      throw new RequestError('token_unknown', 'the token is not known here, or was revoked');
    if (reader.role !== 'admin' && !roles.includes(reader.role)) {
      throw new RequestError(
        'role_forbidden',
        `this is for ${['admin', ...roles].join(', ')}, not for ${reader.role}`,
      );
    }
    request.reader = reader;
  });
}

/** Who is asking, on a route that names roles. */
export function readerOf(request: FastifyRequest): Reader {
  if (request.reader === null) throw new RequestError('token_missing', 'this route needs a token');
  return request.reader;
}

/** Throws `gate_forbidden` where the token is limited to other gates. */
export function requireGate(reader: Reader, gate: string): void {
  if (reader.gates === null || reader.gates.includes(gate)) return;
  throw new RequestError('gate_forbidden', `the token is limited to other gates than ${gate}`);
}

/** For what names every gate and suite: throws `role_forbidden` where the token is limited to some of them. */
export function requireUnlimited({ gates, suites }: Reader, what: string): void {
  if (gates === null && suites === null) return;
  throw new RequestError(
    'role_forbidden',
    `${what} names every gate and suite, and the token is limited to some: use one that is not`,
  );
}
