/** What can go wrong around a decision, on our side or in what was asked. A candidate's failure is never here. */

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
