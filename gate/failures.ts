/** The failures of a score for its suite's author: sealed like a suite, and bound to the score that they are of. */
import { z } from 'zod';
import { SuiteError } from '../suites/errors.ts';
import type { Seals } from '../suites/sealing/sealing.ts';
import type { SuiteScore } from './decide.ts';
import { type Failure, failureSchema } from './disclosure/disclosed.ts';

const sealedSchema = z.strictObject({ score: z.string(), failures: z.array(failureSchema) });

/** What was expected and observed is kept of a score up to this length in all, in characters. */
const contrastsCharsMax = 1 << 20;

/** What of a score's results is kept for its author: the cases that did not pass. */
export function failuresOf(scored: SuiteScore[]): Failure[] {
  let room = contrastsCharsMax;
  return scored.flatMap(({ suite, results }) =>
    results
      .filter(({ passed }) => passed !== true)
      .map(({ name, outcome, message, generated, expected, observed }) => {
        room -= (expected?.length ?? 0) + (observed?.length ?? 0);
        return {
          suite,
          case: name,
          outcome,
          message,
          ...(generated === undefined ? {} : { generated }),
          ...(expected === undefined || room < 0 ? {} : { expected }),
          ...(observed === undefined || room < 0 ? {} : { observed }),
        };
      }),
  );
}

/** The text that is sealed. */
export function textOfFailures(score: string, failures: Failure[]): string {
  return JSON.stringify({ score, failures } satisfies z.infer<typeof sealedSchema>);
}

/** The failures of a score. Throws `seal_broken`, also where what is stored with it was sealed for another score. */
export async function openFailures(
  score: string,
  sealed: Uint8Array | null,
  seals: Seals,
): Promise<Failure[]> {
  if (sealed === null) return [];
  const opened = sealedSchema.parse(JSON.parse(await seals.open(sealed)));
  if (opened.score === score) return opened.failures;
  throw new SuiteError(
    'seal_broken',
    `what is stored as the failures of score ${score} are those of another`,
  );
}
