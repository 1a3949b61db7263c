/** What may speak against activating a revision: a condition, what it is asked with, and how it refuses. */
import { z } from 'zod';
import type { Database } from '../../migrations/open-database.ts';
import type { OpenedSuites } from '../../suites/opened-suites.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import type { Preflights } from './preflight.ts';

/** What conditions may ask: the database, what is sealed, and how its references behave. */
export type ActivationParts = { database: Database; suites: OpenedSuites; preflights: Preflights };

export const refusalSchema = z.strictObject({
  code: z.string().describe('A word for programs.'),
  message: z.string().describe('What speaks against it.'),
  details: z
    .array(z.string())
    .optional()
    .describe('Each thing that was found, where it is more than the message says.'),
  advice: z.string().describe('What to do.'),
});
/** What speaks against an activation, in words for the suite's author. */
export type Refusal = z.infer<typeof refusalSchema>;

/**
 * Whether something speaks against activating a revision, as `by` wants. It throws only when we fail, and then nothing is activated.
 */
export type Condition = (
  parts: ActivationParts,
  name: RevisionName,
  by: string,
) => Promise<Refusal | undefined>;
