/**
 * Who may do what: each route names the roles it is for, and the gate or suite it is about is held against the token's limits. The
 * token comes in the `Authorization` header and nowhere else, once.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Role, VerdictQuestion } from '../gate/disclosure/disclosed.ts';
import { changeSchema, type ScoreRequest } from '../gate/gate.ts';
import type { AttemptRecord } from '../gate/history.ts';
import { isWithinLimits } from '../gate/limits.ts';
import { KeptAnswers, type Moment } from '../migrations/kept-answers.ts';
import type { Moments } from '../migrations/moments.ts';
import type { Database } from '../migrations/open-database.ts';
import type { Oidc } from './oidc.ts';
import { RequestError } from './problems.ts';
import { isJwt } from './token-text.ts';
import { findReaderOf, hashOf, noteUse, type Reader, useNotedMs } from './tokens.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether a route that is open to all looks at a token where there is one. */
    looksAtToken?: boolean;
    /** Whether a token that is no reader's is good on this route nevertheless. */
    admits?: (token: string) => boolean;
    /** The roles that may call this route; `admin` may call every one. A route without it is open to all. */
    roles?: readonly Role[];
    /** The most keys and values in this route's JSON, where the usual bound does not do. */
    jsonValuesMax?: number;
  }
  interface FastifyRequest {
    reader: Reader | null;
    /** Whether it came with a token that its route admits though it is no reader's. */
    isAdmitted: boolean;
    /** The moment of the database at which it was looked who is asking, where that was asked of the database. */
    moment: Moment | null;
  }
}

/** Who presents a token is remembered for so many tokens, while nothing is committed. */
const readersMax = 10_000;

/** Asks every request who is there before its body is read; on routes that name no roles, nobody, or only who shows a token. */
export function identifyReaders(
  app: FastifyInstance,
  { database, moments }: { database: Database; moments: Moments },
  oidc: Oidc,
): void {
  const noteUseOf = useNoter(database);
  const readers = new KeptAnswers<Reader>(readersMax);
  app.decorateRequest('reader', null);
  app.decorateRequest('isAdmitted', false);
  app.decorateRequest('moment', null);
  app.addHook('onRequest', async (request) => {
    const { roles, looksAtToken = false, admits } = request.routeOptions.config;
    const isAsked = roles !== undefined || (looksAtToken && request.headers.authorization !== undefined);
    if (!isAsked) return;
    const token = tokenOf(request);
    if (admits?.(token) === true) {
      request.isAdmitted = true;
      return;
    }
    if (isJwt(token)) {
      request.reader = await oidc.findReader(token);
      return;
    }
    request.moment = await moments.now();
    request.reader = await readers.ask(hashOf(token), request.moment, () => findReaderOf(database, token));
    noteUseOf(request.reader.tokenId);
  });
}

/** Refuses readers whose role the route does not name. */
export function requireRoles(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    const { roles } = request.routeOptions.config;
    if (roles === undefined || request.isAdmitted) return;
    const { role } = readerOf(request);
    if (role === 'admin' || roles.includes(role)) return;
    throw new RequestError(
      'role_forbidden',
      `this is for ${[...new Set(['admin', ...roles])].join(', ')}, not for ${role}`,
    );
  });
}

/** Who is asking, on a route that names roles. */
export function readerOf(request: FastifyRequest): Reader {
  if (request.reader === null) throw new RequestError('token_missing', 'this route needs a token');
  return request.reader;
}

/** Throws `gate_forbidden` where the token is limited to other gates. */
export function requireGate(reader: Reader, gate: string): void {
  if (isWithinLimits(reader.gates, gate)) return;
  throw new RequestError('gate_forbidden', `it is limited to other gates than ${gate}`);
}

/** Throws `gate_forbidden` and `repository_forbidden` where a score is of a gate, or of a repository, that the token is not for. */
export function requireScore(reader: Reader, { gate, change }: Pick<AttemptRecord, 'gate' | 'change'>): void {
  requireGate(reader, gate);
  if (reader.repository !== null) requireRepository(reader.repository, change.repository ?? '');
}

/** For what concerns every gate and suite: throws `role_forbidden` where the token is limited to some of them. */
export function requireUnlimited({ gates, suites }: Reader, what: string): void {
  if (gates === null && suites === null) return;
  throw new RequestError(
    'role_forbidden',
    `${what} concerns every gate and suite, and the token is limited to some: use one that is not`,
  );
}

/** For what concerns every suite: throws `suite_forbidden` where the token is limited to some of them. */
export function requireEverySuite({ suites }: Reader, what: string): void {
  if (suites === null) return;
  throw new RequestError(
    'suite_forbidden',
    `${what} concerns every suite, and the token is limited to some: use one that is not`,
  );
}

/** Throws `suite_forbidden` where the token is limited to other suites. */
export function requireSuite(reader: Reader, suite: string): void {
  if (isWithinLimits(reader.suites, suite)) return;
  throw new RequestError('suite_forbidden', `it is limited to other suites than ${suite}`);
}

/** What a token is limited to, as it is asked for or as it is listed. */
type Limits = { gates?: string[] | null | undefined; suites?: string[] | null | undefined };

/** Whether limits are within the reader's own: who is limited neither makes nor sees tokens that reach further. */
export function isWithin(reader: Reader, { gates, suites }: Limits): boolean {
  const covers = (own: string[] | null, others: string[] | null | undefined) =>
    own === null || others?.every((name) => own.includes(name)) === true;
  return covers(reader.gates, gates) && covers(reader.suites, suites);
}

/** The question about the one repository that the reader is bound to, if there is one. Throws `repository_forbidden`. */
export function bindQuestion({ repository }: Reader, question: VerdictQuestion): VerdictQuestion {
  if (repository === null) return question;
  requireRepository(repository, question.repository);
  return { ...question, repository };
}

/**
 * The request with the one repository that the reader is bound to, if there is one. Throws `repository_forbidden` where it is about
 * another.
 */
export function bindRepository({ repository }: Reader, request: ScoreRequest): ScoreRequest {
  if (repository === null) return request;
  const { change } = request;
  requireRepository(repository, change.repository);
  // Parsed again, so that the same change has the same form whoever named its repository.
  return { ...request, change: changeSchema.parse({ ...change, repository }) };
}

function requireRepository(own: string, asked: string | undefined): void {
  if ((asked ?? own) === own) return;
  throw new RequestError('repository_forbidden', `it is for changes of ${own} alone`);
}

/** The one token of a request. Of two headers nobody can know which one a proxy looked at. */
function tokenOf({ headers, raw }: FastifyRequest): string {
  const given = raw.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'authorization');
  if (given.length > 1) throw new RequestError('malformed_request', 'send one Authorization header');
  const [, token] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  if (token !== undefined) return token;
  throw new RequestError('token_missing', 'send a token as `Authorization: Bearer hb_…`');
}

/** Of so many tokens it is remembered when their use was noted. */
const notedMax = 10_000;

/** Notes uses of tokens on the side: nobody waits for it, and if it fails nothing else does. */
function useNoter(database: Database): (tokenId: string) => void {
  const notedAtMs = new Map<string, number>();
  return (tokenId) => {
    const now = Date.now();
    if (now - (notedAtMs.get(tokenId) ?? Number.NEGATIVE_INFINITY) < useNotedMs) return;
    if (notedAtMs.size >= notedMax) notedAtMs.clear();
    notedAtMs.set(tokenId, now);
    noteUse(database, tokenId).catch(() => notedAtMs.delete(tokenId));
  };
}
