/** The nouns of a case's life, as they are asked for and answered: one schema each, for both ends. */
import { z } from 'zod';
import { caseTextSchema } from '../authoring/case-text.ts';
import { changesSchema } from '../authoring/suite-check.ts';
import { lifeFields, tagsSchema } from '../case.ts';
import { revisionSchema, slugSchema } from '../suite.ts';

const saidSchema = z
  .string()
  .min(1)
  .max(2_000)
  .refine((text) => text.isWellFormed(), { error: 'must be well-formed Unicode' });

/** So many cases are retired or published at once. */
const casesAtOnceMax = 1_000;
const caseNamesSchema = z.array(z.string().min(1).max(500)).min(1).max(casesAtOnceMax);

export const reviewRequestSchema = z.strictObject({
  verdict: z.enum(['approve', 'reject']),
  comment: saidSchema.optional().describe('For the authors of the suite. It is sealed.'),
});

export const reviewedRevisionSchema = revisionSchema.extend({
  reviews: z
    .array(
      z.strictObject({
        person: z.string(),
        verdict: z.enum(['approve', 'reject']),
        comment: z.string().optional(),
        reviewedAt: z.iso.datetime(),
      }),
    )
    .describe('The newest of each person.'),
});
export type ReviewedRevision = z.infer<typeof reviewedRevisionSchema>;

/** So that nobody's revision is passed over unseen. */
const newestSchema = z
  .int()
  .positive()
  .optional()
  .describe('The newest revision that you know of: if there is another by now, nothing is made.');

export const caseEditSchema = z.strictObject({
  ...caseTextSchema.shape,
  revision: z.int().positive().describe('The revision whose other cases are kept as they are.'),
  replaces: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe('The name of the case that it takes the place of; left out, it is one more.'),
  newest: newestSchema,
});
export type CaseEdit = z.infer<typeof caseEditSchema>;

export const retirementRequestSchema = z.strictObject({
  cases: caseNamesSchema.describe('The names of the cases to leave out.'),
  reason: saidSchema.optional().describe('For the authors of the suite. It is sealed.'),
  from: z
    .int()
    .positive()
    .optional()
    .describe('The revision to leave them out of; the active one unless said.'),
  newest: newestSchema,
});
export type RetirementRequest = z.infer<typeof retirementRequestSchema>;

export const comparisonSchema = changesSchema.extend({
  suite: slugSchema,
  revision: z.int().positive().describe('What the changes lead to.'),
  with: z.int().positive().describe('What they begin at.'),
});
export type Comparison = z.infer<typeof comparisonSchema>;

export const publicationRequestSchema = z.strictObject({ cases: caseNamesSchema });

/** A case as anybody may read it from now on. */
export const publishedCaseSchema = z
  .looseObject({
    name: z.string(),
    input: z.unknown().optional(),
    expect: z
      .record(z.string(), z.unknown())
      .optional()
      .describe(
        "As it was authored; of a predicate its text, as {predicate: '…'}; of those of steps, `predicates` holds the texts.",
      ),
    tags: tagsSchema,
  })
  .describe('The case as it was authored.');
export type PublishedCase = z.infer<typeof publishedCaseSchema>;
export const publicationSchema = z.strictObject({ suite: slugSchema, cases: z.array(publishedCaseSchema) });
export type Publication = z.infer<typeof publicationSchema>;

export const suiteCasesSchema = z.strictObject({
  suite: slugSchema,
  revision: z.int().positive(),
  state: revisionSchema.shape.state,
  cases: z.array(
    z.strictObject({
      name: z.string(),
      tags: tagsSchema,
      ...lifeFields,
      state: z.enum(['in_force', 'expired']),
      bits: z.number().nonnegative().describe('What disclosed verdicts may have taught about it.'),
      published: z.boolean(),
      incident: z.uuid().nullable().describe('The incident that it was drafted from.'),
    }),
  ),
  left: z
    .array(
      z.strictObject({
        name: z.string(),
        kind: z.enum(['retired', 'published']),
        person: z.string(),
        reason: z.string().optional(),
        at: z.iso.datetime(),
      }),
    )
    .describe('What was retired and published, newest first.'),
});
export type SuiteCases = z.infer<typeof suiteCasesSchema>;
