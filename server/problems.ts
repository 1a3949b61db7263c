/**
 * Every error that a caller sees, as RFC 9457 problem details. This is the only place where an error's code meets an HTTP
 * status, and nothing of a suite's contents is ever put into one for a reader who may not see it.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors, isResponseSerializationError } from 'fastify-type-provider-zod';
import { z } from 'zod';

/** What is known of each code: its status and its title. */
const problems = {
  invalid_request: [400, 'The request is not of the right form'],
  malformed_json: [400, 'The body is not JSON'],
  token_missing: [401, 'A token is needed'],
  token_unknown: [401, 'The token is not known'],
  role_forbidden: [403, 'The token may not do this'],
  gate_forbidden: [403, 'The token is not for this gate'],
  route_not_found: [404, 'There is no such address'],
  gate_not_found: [404, 'There is no such gate'],
  suite_not_found: [404, 'There is no such suite'],
  revision_not_found: [404, 'There is no such revision'],
  score_not_found: [404, 'There is no such score'],
  candidate_not_found: [404, 'There is no such candidate'],
  token_not_found: [404, 'There is no such token'],
  body_too_large: [413, 'The body is too large'],
  content_type_wrong: [415, 'The content type is not accepted here'],
  idempotency_conflict: [422, 'The idempotency key was used for another request'],
  suite_invalid: [422, 'The suite cannot be sealed as it stands'],
  queue_full: [429, 'Too many scores are waiting'],
  internal: [500, 'The service failed'],
  seal_broken: [500, 'A sealed revision does not open'],
  grader_failed: [503, 'The grader failed'],
  host_unavailable: [503, 'No runner is available'],
  host_lost: [503, 'No runner is available'],
  machine_overloaded: [503, 'The machine is too busy'],
  runners_closed: [503, 'The service is shutting down'],
} as const satisfies Record<string, [status: number, title: string]>;

export type ProblemCode = keyof typeof problems;

export const problemSchema = z.strictObject({
  type: z.string().describe('A name for the kind of problem: urn:holdback:problem: and its code.'),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  code: z.string(),
  errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
});
export type Problem = z.infer<typeof problemSchema>;

/** An error of the HTTP layer itself: who is asking, or how. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: ProblemCode;

  constructor(code: ProblemCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Codes of Fastify's own that have a counterpart here. */
const fastifyCodes: Record<string, ProblemCode | undefined> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'content_type_wrong',
  FST_ERR_CTP_EMPTY_TYPE: 'content_type_wrong',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
};

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problems, code);
}

/** The problem that an error is to its caller. Unexpected errors say nothing of themselves. */
export function problemOf(error: unknown): Problem {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.map(({ instancePath, message }) => ({
      pointer: `${error.validationContext ?? 'body'}${instancePath}`,
      detail: message ?? 'is not of the right form',
    }));
    const [first] = errors;
    return problem(
      'invalid_request',
      first === undefined ? undefined : `${first.pointer}: ${first.detail}`,
      errors,
    );
  }
  if (isResponseSerializationError(error) || !(error instanceof Error) || !('code' in error)) {
    return problem(error instanceof SyntaxError ? 'malformed_json' : 'internal');
  }
  const code = typeof error.code === 'string' ? (fastifyCodes[error.code] ?? error.code) : 'internal';
  return isProblemCode(code) ? problem(code, error.message) : problem('internal');
}

function problem(code: ProblemCode, detail?: string, errors?: Problem['errors']): Problem {
  const [status, title] = problems[code];
  return {
    type: `urn:holdback:problem:${code}`,
    title,
    status,
    code,
    ...(detail === undefined ? {} : { detail }),
    ...(errors === undefined ? {} : { errors }),
  };
}

/** Answers an error as a problem, and logs those that are ours. */
export function answerProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const answer = problemOf(error);
  if (answer.status >= 500) request.log.error({ err: error }, 'a request failed');
  if (answer.status === 401) reply.header('www-authenticate', 'Bearer realm="holdback"');
  if (answer.status === 429) reply.header('retry-after', '5');
  reply.code(answer.status).type('application/problem+json').send(JSON.stringify(answer));
}
