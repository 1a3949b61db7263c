/** What can go wrong around a decision, on our side or in what was asked. A candidate's failure is never here. */
import { DrizzleQueryError } from 'drizzle-orm';
import { DatabaseError } from '../migrations/errors.ts';
import { RunnerError } from '../runners/errors.ts';
import { SuiteError } from '../suites/errors.ts';

export type GateErrorCode =
  | 'gate_not_found'
  | 'score_not_found'
  | 'candidate_not_found'
  | 'incident_not_found'
  /** An escape is of what was let merge, and of nothing else. */
  | 'incident_not_merged'
  /** What was asked of an incident does not fit it: its suite, or that it has no case to prove. */
  | 'incident_unfit'
  /** An override of a score that does not block, or a second one by the same person. */
  | 'override_not_needed'
  | 'override_given'
  /** The idempotency key was used before for another request. */
  | 'idempotency_conflict'
  /** What CI sent of its visible tests is no report of a form that is known. */
  | 'visible_tests_unreadable'
  /** Results of cases that were dropped since, as the service's settings say. */
  | 'results_not_kept'
  /** A score for which nothing was run, or that has no verdict yet. */
  | 'replay_impossible'
  /** As many scores are waiting as the service accepts. */
  | 'queue_full'
  /** A score that somebody else has taken over, or has decided. */
  | 'lease_lost'
  /** A revision may not become the active one as things are; it stays a draft. */
  | 'activation_refused'
  /** There is no such measurement of a strength, or nothing to measure it on. */
  | 'strength_not_found'
  | 'reference_not_found'
  /** No mutants can be made of a build, or it does not pass itself, so that they say nothing. */
  | 'build_not_mutable'
  | 'build_not_good'
  /** A trend of nothing, or of a period that is empty or has too many buckets. */
  | 'trend_unfit'
  /** As many measurements are waiting as the service accepts. */
  | 'strength_queue_full';

export class GateError extends Error {
  override readonly name = 'GateError';
  readonly code: GateErrorCode;

  constructor(code: GateErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether an error is this one of ours. */
export function isGateError(error: unknown, code: GateErrorCode): boolean {
  return error instanceof GateError && error.code === code;
}

/** By what code a failure of ours is named to people who look into it. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? `${error.code}` : 'unexpected failure';
}

/**
 * Why something of ours failed while a score was made, in a line for whoever operates the service: what our own errors say, the
 * system's and the database's. What others say may quote a case or a build, so of these their kind is told, and where they arose.
 */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'what was thrown is no error';
  // Its own words are the statement and its parameters.
  if (error instanceof DrizzleQueryError && error.cause !== undefined) return causeOf(error.cause);
  if (error instanceof AggregateError && error.errors.length > 0) return causeOf(error.errors[0]);
  const because = error.cause === undefined ? '' : `, because of ${causeOf(error.cause)}`;
  return `${saidBy(error)}${because}`;
}

function saidBy(error: Error): string {
  const isOurs = [DatabaseError, GateError, RunnerError, SuiteError].some((kind) => error instanceof kind);
  if (isOurs) return `${codeOf(error)}: ${error.message}`;
  if ('syscall' in error) return error.message;
  // PostgreSQL's codes have five characters. Those of class 22 are of wrong data, which it quotes.
  if ('severity' in error && /^(?!22)\w{5}$/.test(codeOf(error)))
    return `${codeOf(error)}: ${error.message.split('\n', 1)[0]}`;
  const { name, message, stack = '' } = error;
  const code = 'code' in error ? ` (${error.code})` : '';
  const afterMessage = stack.slice(stack.lastIndexOf(message) + message.length);
  const places = afterMessage.match(/^\s+at .+$/gm)?.slice(0, placesMax) ?? [];
  return [`${name}${code}`, ...places.map((place) => place.trim())].join(' ');
}

/** So many places of a stack are told: those next to the failure. */
const placesMax = 3;
