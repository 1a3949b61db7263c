/** A dry run of one case, as it is asked for and answered: one schema each, for both ends. */
import { z } from 'zod';
import { outcomes } from '../../runners/protocol.ts';
import { caseAmongSchema, caseFindingsSchema } from '../../suites/authoring/case-text.ts';
import { referenceNameSchema, referenceSchema, referencesMax } from '../../suites/reference.ts';
import { slugSchema } from '../../suites/suite.ts';

/** A build that comes along with a dry run has at most so many characters. */
export const dryBuildCharsMax = 2 << 20;

export const dryRunRequestSchema = z
  .strictObject({
    ...caseAmongSchema.shape,
    reference: referenceNameSchema
      .optional()
      .describe('The reference of the revision to run; with no build either, every one is run.'),
    build: z
      .string()
      .min(1)
      .max(dryBuildCharsMax)
      .optional()
      .describe('The text of a build to run instead: one module, as a candidate is. It is not stored.'),
  })
  .refine(({ build, reference }) => build === undefined || reference === undefined, {
    error: 'give either a build or a reference, not both',
    path: ['reference'],
  });
export type DryRunRequest = z.infer<typeof dryRunRequestSchema>;

/** What became of the case on one build. */
export const dryRunResultSchema = z.strictObject({
  reference: z.string().nullable().describe('The reference; null for the build of the request.'),
  verdict: referenceSchema.shape.verdict.nullable().describe('What is known of the reference.'),
  outcome: z.enum(outcomes),
  passed: z.boolean(),
  message: z.string().describe('Why it did not pass.'),
  durationMs: z.number().nonnegative(),
  expected: z
    .string()
    .optional()
    .describe('What the case declares that it expects, in lines to compare with `observed`; cut where long.'),
  observed: z.string().optional().describe('What came of it instead, where it did not pass.'),
});
export type DryRunResult = z.infer<typeof dryRunResultSchema>;

export const dryRunSchema = z.strictObject({
  suite: slugSchema,
  revision: z.int().positive(),
  ...caseFindingsSchema.shape,
  runs: z
    .array(dryRunResultSchema)
    .max(referencesMax)
    .describe(
      'One for each build, in the order of the references. Empty where something is wrong with the case.',
    ),
});
export type DryRun = z.infer<typeof dryRunSchema>;
