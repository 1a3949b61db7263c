/** What went wrong on our side of a runner. A candidate's failure is never one of these: it is an observation. */

export type RunnerErrorCode =
  /** No host became ready: processes cannot be started, or the machine is out of memory. */
  | 'host_unavailable'
  /** A host died before the candidate was loaded. */
  | 'host_lost'
  /** The machine was too busy to give the candidate its time within ten times its limit. */
  | 'machine_overloaded'
  /** The service is shutting down. */
  | 'runners_closed'
  /** The system does not offer walls that the settings demand. */
  | 'walls_missing'
  /** This system lacks what containment rests on. */
  | 'unsupported_system';

/** A failure of the runner itself. The score is indeterminate, never red and never green. */
export class RunnerError extends Error {
  override readonly name = 'RunnerError';
  readonly code: RunnerErrorCode;

  constructor(code: RunnerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
