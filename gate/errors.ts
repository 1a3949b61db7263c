/** What can go wrong around a decision, on our side or in what was asked. A candidate's failure is never here. */

export type GateErrorCode =
  | 'gate_not_found'
  | 'score_not_found'
  | 'candidate_not_found'
  /** An override of a score that does not block, or a second one by the same person. */
  | 'override_not_needed'
  | 'override_given'
  /** The idempotency key was used before for another request. */
  | 'idempotency_conflict'
  /** As many scores are waiting as the service accepts. */
  | 'queue_full'
  /** A revision may not become the active one as things are; it stays a draft. */
  | 'activation_refused';

export class GateError extends Error {
  override readonly name = 'GateError';
  readonly code: GateErrorCode;

  constructor(code: GateErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
