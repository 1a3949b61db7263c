/** What can go wrong with a suite: coded, so that whoever answers knows what to say, and worded for its author. */

export type SuiteErrorCode =
  /** There is no suite, or no revision, of this name. */
  | 'suite_not_found'
  | 'revision_not_found'
  /** A revision has no case of this name. */
  | 'case_not_found'
  /** Somebody made a revision meanwhile, which the new one would pass over. */
  | 'revision_overtaken'
  /** Nobody reviews a revision that they made themselves. */
  | 'review_own'
  /** A case that gates still ask for cannot be published, nor a tripwire ever. */
  | 'case_in_force'
  /** The suite cannot be sealed as it stands; the message says which case and why. */
  | 'suite_invalid'
  /** What is stored sealed does not open: another identity, or altered bytes. */
  | 'seal_broken'
  /** A sealed suite that was pushed does not open, or is none. */
  | 'sealed_suite_broken'
  /** It was sealed for another suite than the one it was pushed to. */
  | 'seal_wrong_suite'
  /** A suite that was sealed later has been activated already. */
  | 'seal_rolled_back'
  /** It says that it was sealed in the future. */
  | 'seal_not_yet'
  /** All that is said of a sealed suite that cannot be taken, to those who may not know what is in it. */
  | 'sealed_suite_refused'
  /** The identity, or a recipient besides it, cannot be read. */
  | 'identity_invalid'
  /** The identity is given in the environment, so that only whoever gives it can rotate it. */
  | 'identity_given'
  /** The file of the identity cannot be written. */
  | 'identity_not_writable'
  /** The identity is being rotated already. */
  | 'identity_rotating'
  /** Another process has rotated the identity, and this one does not have the new one. */
  | 'identity_rotated';

export class SuiteError extends Error {
  override readonly name = 'SuiteError';
  readonly code: SuiteErrorCode;

  constructor(code: SuiteErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
