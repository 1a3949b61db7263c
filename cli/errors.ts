/** Why a command could not do its work. Whose fault it is decides the exit code, and the words say what to do. */

/** `usage`: what was asked cannot be done as it stands. `service`: the service could not be had, or did not answer. */
export type Fault = 'usage' | 'service';

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly fault: Fault;
  /** A word for programs, for example `token_missing`; the service's own code where it sent one. */
  readonly code: string;

  constructor(fault: Fault, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
    this.code = code;
  }
}

/** What was asked cannot be done as it stands; the message says what to change. */
export function usageError(message: string, options?: ErrorOptions): CommandError {
  return new CommandError('usage', 'usage', message, options);
}
