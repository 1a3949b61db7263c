/**
 * The nouns of strength: how many mutants of a good build a suite kills. A mutant is a build with one small change; it is killed by a
 * case that fails on it, and survives when no case does. What is in a report is for the suite's author alone.
 */
import { z } from 'zod';
import { slugSchema } from '../../suites/suite.ts';

/** As many mutants are run, where nobody asks for another number: of a larger build, evenly chosen. */
export const mutantsDefault = 2_000;
export const mutantsMax = 20_000;
/** The largest build of which mutants are made, in characters. */
export const buildCharsMax = 2 << 20;

export const strengthRequestSchema = z
  .strictObject({
    build: z
      .string()
      .min(1)
      .max(buildCharsMax)
      .optional()
      .describe(
        'The text of the module to make mutants of. Left out, a good reference of the revision is taken.',
      ),
    reference: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .describe('The good reference to take; left out, the first one of the revision.'),
    full: z
      .boolean()
      .default(false)
      .describe(
        'Whether every case is run on every mutant that it reaches, and not just until one kills it.',
      ),
    mutants: z
      .int()
      .min(1)
      .max(mutantsMax)
      .default(mutantsDefault)
      .describe('How many mutants at most are run.'),
  })
  .refine(({ build, reference }) => build === undefined || reference === undefined, {
    error: 'give either a build or a reference, not both',
    path: ['reference'],
  });
export type StrengthRequest = z.infer<typeof strengthRequestSchema>;

/** A strength in plain numbers, as it is recorded. */
export const strengthSchema = z.strictObject({
  id: z.uuid(),
  suite: slugSchema,
  revision: z.int().positive(),
  reference: z
    .string()
    .nullable()
    .describe('The reference whose mutants these are; null for a build from the request.'),
  build: z.string().describe('The digest of the build.'),
  full: z.boolean(),
  mutants: z.int().positive().describe('How many were run.'),
  killed: z.int().nonnegative(),
  score: z.number().min(0).max(1).describe('The share of the mutants that are killed.'),
  counts: z
    .boolean()
    .describe(
      "Whether a gate's minimum strength looks at it: mutants of a good reference of the revision, as many as are run by default.",
    ),
  measuredAt: z.iso.datetime(),
});
export type Strength = z.infer<typeof strengthSchema>;

export const survivorSchema = z.strictObject({
  /** Which kind of change it is. */
  mutator: z.string(),
  file: z.string().nullable().describe('The file that the place is from, where the build tells.'),
  line: z.int().positive().describe('The line of the build, counted from 1.'),
  reachedBy: z
    .int()
    .nonnegative()
    .describe('How many cases reach the place. Where none does, a case is missing.'),
  diff: z.string().describe('What the mutant changes, as a diff of the build.'),
});
export type Survivor = z.infer<typeof survivorSchema>;

const caseNames = z.array(z.string());

/** What a measurement found. */
export const strengthReportSchema = z.strictObject({
  ...strengthSchema.shape,
  made: z
    .int()
    .positive()
    .describe('How many mutants the build has; of more than were asked for, evenly chosen ones are run.'),
  cases: z.int().positive().describe('How many cases were asked: those that have not expired.'),
  runs: z.int().nonnegative().describe('How often a case was run on a mutant.'),
  timedOut: z.int().nonnegative().describe('How many of the killed loop without end, or take far too long.'),
  notReached: z.int().nonnegative().describe('How many of the survivors no case reaches.'),
  survivors: z.array(survivorSchema),
  survivorsLeftOut: z.int().nonnegative().describe('How many more survivors there are than are told.'),
  idle: caseNames.describe(
    'Cases that killed no mutant. Unless the measurement was full, cases that were first to kill none: others may have been quicker.',
  ),
  redundant: caseNames
    .nullable()
    .describe(
      'Cases that kill only what another case kills as well; each may go, not all of them. Null unless the measurement was full.',
    ),
  smallest: caseNames.describe('The smallest set of cases that was found to kill all that is killed.'),
  inexact: z
    .int()
    .nonnegative()
    .describe(
      'Of so many killed mutants it is not known of every case whether it kills them too: they had to be stopped too often, or the measurement was not full.',
    ),
});
export type StrengthReport = z.infer<typeof strengthReportSchema>;

/** A measurement, while it is under way and afterwards. */
export const measurementSchema = z.discriminatedUnion('state', [
  z.strictObject({
    state: z.literal('running'),
    id: z.uuid(),
    doing: z.enum(['waiting', 'making_mutants', 'running_build', 'running_mutants']),
    done: z.int().nonnegative().describe('How many mutants are done.'),
    mutants: z.int().nonnegative().describe('Of how many; 0 while it is not known.'),
  }),
  z.strictObject({ state: z.literal('finished'), id: z.uuid(), report: strengthReportSchema }),
  z.strictObject({
    state: z.literal('failed'),
    id: z.uuid(),
    code: z.string(),
    message: z.string().describe('Why nothing was measured, and what to do.'),
  }),
]);
export type Measurement = z.infer<typeof measurementSchema>;

/** A strength in percent, rounded down: what is claimed is never more than what was measured. */
export function strengthText(score: number): string {
  return `${Math.floor(score * 1_000 + 1e-9) / 10}%`;
}

/** What a gate demands, in percent: all of its digits. */
export function minimumText(minimumStrength: number): string {
  // Without the digits that the multiplication makes up.
  return `${Number((minimumStrength * 100).toPrecision(12))}%`;
}
