/** What a leak scan tells: where in a text cases of which suites turned up, and how many of them. Never which, or what they say. */
import { z } from 'zod';
import { slugSchema } from '../suite.ts';

/** The largest text that is looked through at once, in bytes. */
export const textBytesMax = 16 << 20;

export const leaksSchema = z.strictObject({
  findings: z
    .array(
      z.strictObject({
        suite: slugSchema,
        revision: z.int().positive(),
        line: z.int().positive().describe('Where it begins, counted from 1.'),
        cases: z.int().positive().describe('How many cases begin on this line.'),
      }),
    )
    .describe('At most 1000 lines of each revision.'),
  looked: z
    .array(
      z.strictObject({
        suite: slugSchema,
        revision: z.int().positive(),
        cases: z.int().positive(),
        tooShort: z.int().nonnegative().describe('How many of them are too short to be looked for.'),
        found: z.int().nonnegative().describe('How many of them turned up, each counted once.'),
      }),
    )
    .describe('Which revisions were looked for.'),
});
export type Leaks = z.infer<typeof leaksSchema>;
