/** What can go wrong with a suite: coded, so that whoever answers knows what to say, and worded for its author. */

export type SuiteErrorCode =
  /** There is no suite, or no revision, of this name. */
  | 'suite_not_found'
  | 'revision_not_found'
  /** The suite cannot be sealed as it stands; the message says which case and why. */
  | 'suite_invalid'
  /** A sealed revision does not open: another identity, or altered bytes. */
  | 'seal_broken'
  /** The identity cannot be read. */
  | 'identity_invalid';

export class SuiteError extends Error {
  override readonly name = 'SuiteError';
  readonly code: SuiteErrorCode;

  constructor(code: SuiteErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
