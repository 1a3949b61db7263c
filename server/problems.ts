/**
 * Every error that a caller sees, as RFC 9457 problem details. This is the only place where an error's code meets an HTTP
 * status, and nothing of a suite's contents is ever put into one for a reader who may not see it.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ActivationRefused } from '../gate/activation/activation.ts';
import { refusalSchema } from '../gate/activation/condition.ts';
import { withoutQuery, withoutStatement } from '../migrations/errors.ts';

/** What is known of each code: its status and its title. */
const problems = {
  invalid_request: [400, 'The request is not of the right form'],
  malformed_json: [400, 'The body is not JSON'],
  malformed_request: [400, 'The request is not HTTP as it should be'],
  trend_unfit: [400, 'There is no such trend'],
  token_missing: [401, 'A token is needed'],
  token_unknown: [401, 'The token is not known'],
  token_revoked: [401, 'The token is not good any more'],
  token_expired: [401, 'The token is not good any more'],
  token_invalid: [401, 'The token is not valid'],
  session_missing: [401, 'Nobody is signed in'],
  role_forbidden: [403, 'The token may not do this'],
  gate_forbidden: [403, 'The token is not for this gate'],
  suite_forbidden: [403, 'The token is not for this suite'],
  repository_forbidden: [403, 'The token is not for this repository'],
  claims_forbidden: [403, 'The token is for nothing here'],
  form_refused: [403, 'The form was not sent from here'],
  token_too_wide: [403, 'The token reaches further than yours'],
  route_not_found: [404, 'Not found'],
  gate_not_found: [404, 'Not found'],
  suite_not_found: [404, 'Not found'],
  revision_not_found: [404, 'Not found'],
  case_not_found: [404, 'Not found'],
  incident_not_found: [404, 'Not found'],
  score_not_found: [404, 'Not found'],
  strength_not_found: [404, 'Not found'],
  candidate_not_found: [404, 'Not found'],
  token_not_found: [404, 'Not found'],
  method_not_allowed: [405, 'The address does not take this method'],
  override_not_needed: [409, 'There is nothing to override'],
  override_given: [409, 'Your approval counts once'],
  lease_lost: [409, 'The score is decided elsewhere'],
  replay_impossible: [409, 'There is nothing to replay'],
  revision_overtaken: [409, 'Another revision was made meanwhile'],
  review_own: [409, 'Nobody reviews a revision of their own'],
  case_in_force: [409, 'The case is still asked'],
  incident_not_merged: [409, 'Nothing merged that a bug could have escaped with'],
  incident_unfit: [409, 'The incident does not fit'],
  activation_refused: [409, 'The revision cannot be activated as it stands'],
  request_timeout: [408, 'The request took too long to arrive'],
  last_admin: [409, 'This is the only admin token that can be used'],
  backup_running: [409, 'A backup is being taken already'],
  identity_given: [409, 'The identity is given in the environment'],
  identity_not_writable: [409, 'The identity cannot be written'],
  identity_rotating: [409, 'The identity is being rotated already'],
  results_not_kept: [410, 'Gone'],
  body_too_large: [413, 'The body is too large'],
  content_type_wrong: [415, 'The content type is not accepted here'],
  visible_tests_unreadable: [422, 'The report of the visible tests cannot be read'],
  idempotency_conflict: [422, 'The idempotency key is taken'],
  suite_invalid: [422, 'The suite cannot be sealed as it stands'],
  sealed_suite_broken: [422, 'The sealed suite does not open'],
  sealed_suite_refused: [422, 'The sealed suite is not accepted'],
  seal_wrong_suite: [422, 'The suite was sealed under another name'],
  seal_rolled_back: [422, 'A suite that was sealed later was activated already'],
  seal_not_yet: [422, 'The suite was sealed in the future'],
  reference_not_found: [422, 'There is no such build'],
  build_not_mutable: [422, 'The build cannot be measured with'],
  build_not_good: [422, 'The build fails itself'],
  strength_queue_full: [429, 'The service is busy'],
  queue_full: [429, 'The service is busy'],
  rate_limited: [429, 'Too many requests'],
  headers_too_large: [431, 'The headers are too large'],
  internal: [500, 'The service failed'],
  seal_broken: [500, 'A sealed revision does not open'],
  identity_rotated: [503, 'The service has an old identity'],
  database_unavailable: [503, 'The database does not answer'],
  journal_unwritable: [503, 'What happened cannot be written down'],
  host_unavailable: [503, 'No runner is available'],
  host_lost: [503, 'No runner is available'],
  machine_overloaded: [503, 'The service is busy'],
  walls_missing: [503, 'No runner is available'],
  runners_closed: [503, 'The service is not available'],
  issuer_unavailable: [503, 'The issuer of the token does not answer'],
} as const satisfies Record<string, [status: number, title: string]>;

export type ProblemCode = keyof typeof problems;

export const problemSchema = z.strictObject({
  type: z.string().describe('A name for the kind of problem: urn:holdback:problem: and its code.'),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  code: z.string(),
  errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
  revision: z.int().positive().optional().describe('The draft that was not activated.'),
  refusals: z.array(refusalSchema).optional().describe('All that speaks against activating it.'),
});
export type Problem = z.infer<typeof problemSchema>;

/** An error of the HTTP layer itself: who is asking, or how. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: ProblemCode;

  constructor(code: ProblemCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A request that its route's schema refuses: everything that is wrong with it, by JSON pointer. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest';
  readonly faults: NonNullable<Problem['errors']>;

  constructor(faults: NonNullable<Problem['errors']>) {
    super(faults.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; '));
    this.faults = faults;
  }
}

/** Codes of Fastify's own that have a counterpart here, and what the caller should do. */
const fastifyCodes: Record<
  string,
  [code: ProblemCode, detail: (request: FastifyRequest) => string] | undefined
> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [
    'body_too_large',
    ({ routeOptions }) => `send at most ${routeOptions.bodyLimit} bytes here`,
  ],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'content_type_wrong',
    ({ routeOptions }) =>
      `send the body with the Content-Type ${(routeOptions.schema?.consumes ?? ['application/json']).join(' or ')}`,
  ],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'malformed_request',
    () => 'the body is not as long as its Content-Length says: send it again',
  ],
  FST_ERR_BAD_URL: [
    'malformed_request',
    () => 'the address is not percent-encoded UTF-8: encode it, for example % as %25',
  ],
  FST_ERR_MAX_PARAM_LENGTH: ['invalid_request', () => 'a part of the address is too long'],
};

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problems, code);
}

/** The problem that an error is to its caller. Unexpected errors say nothing of themselves. */
export function problemOf(thrown: unknown, request: FastifyRequest): Problem {
  const error = withoutQuery(thrown);
  if (error instanceof InvalidRequest) {
    const [first] = error.faults;
    const detail = first === undefined ? undefined : `${first.pointer}: ${first.detail}`;
    return problem('invalid_request', detail, { errors: error.faults });
  }
  if (error instanceof ActivationRefused) {
    const { message, revision, refusals } = error;
    return problem('activation_refused', message, { revision: revision.revision, refusals });
  }
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const [known, detail] = fastifyCodes[code] ?? [];
  if (known !== undefined) return problem(known, detail?.(request));
  if (error instanceof Error && isProblemCode(code)) return problem(code, error.message);
  return problem('internal', 'try again later; the log of the service has the cause');
}

function problem(
  code: ProblemCode,
  detail?: string,
  more: Pick<Problem, 'errors' | 'revision' | 'refusals'> = {},
): Problem {
  const [status, title] = problems[code];
  return {
    type: `urn:holdback:problem:${code}`,
    title,
    status,
    code,
    ...(detail === undefined ? {} : { detail }),
    ...more,
  };
}

/** Answers an error as a problem, and logs those that are ours. */
export function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const answer = problemOf(error, request);
  if (answer.status >= 500) request.log.error({ err: withoutStatement(error) }, 'a request failed');
  if (answer.status === 401) reply.header('www-authenticate', 'Bearer realm="holdback"');
  const isForNow = answer.status === 429 || answer.status === 503;
  if (isForNow && !reply.hasHeader('retry-after')) reply.header('retry-after', '5');
  reply.code(answer.status).type('application/problem+json').send(JSON.stringify(answer));
}

/** Answers what never became a request, on the bare socket. It is not logged: its bytes may hold a token or a suite. */
export function answerBrokenRequest(error: { code: string }, socket: Socket): void {
  if (error.code !== 'ECONNRESET' && socket.writable) {
    const answer = brokenRequest(error.code);
    const body = JSON.stringify(answer);
    socket.write(
      `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroy();
}

function brokenRequest(code: string): Problem {
  if (code === 'HPE_HEADER_OVERFLOW')
    return problem('headers_too_large', 'send a shorter address and fewer headers');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problem('request_timeout', 'send the request faster');
  return problem('malformed_request', 'send a request as RFC 9112 describes it');
}
