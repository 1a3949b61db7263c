/** A revision that was made, or was there, but may not become the active one as things are: every reason, and what to do about each. */
import { CommandError } from './errors.ts';
import { clip, printable } from './printable.ts';

export type Refusal = { code: string; message: string; details?: string[] | undefined; advice: string };

const lineCharsMax = 1_500;

export class ActivationRefused extends CommandError {
  /** The number of the revision, which stays a draft. */
  readonly revision: number;
  readonly refusals: Refusal[];

  constructor(message: string, revision: number, refusals: Refusal[]) {
    super('usage', 'activation_refused', message);
    this.revision = revision;
    this.refusals = refusals;
  }

  /** For people: a line for each reason, for each thing that was found, and for what to do. */
  get lines(): string[] {
    return [
      `revision ${this.revision} was not activated, and stays as it is:`,
      ...this.refusals.flatMap(({ message, details = [], advice }) => [
        `  ${message}${details.length > 0 ? ':' : ''}`,
        ...details.map((detail) => `    - ${detail}`),
        `    ${advice}`,
      ]),
    ].map((line) => clip(printable(line), lineCharsMax));
  }
}
