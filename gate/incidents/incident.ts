/** The nouns around an incident: a bug that got past a gate, the case drafted from it, and its proof. One schema each, for both ends. */
import { z } from 'zod';
import { caseSchema } from '../../suites/case.ts';
import { slugSchema } from '../../suites/suite.ts';
import { changeSchema, digestSchema, wellFormed } from '../gate.ts';

const titleSchema = wellFormed(300).describe('What went wrong, in a line. It is sealed.');

/** The case that an incident becomes: what was asked of the build, and what should have come of it. */
export const incidentCaseRequestSchema = z.strictObject({
  suite: slugSchema
    .optional()
    .describe("The suite of the gate's that it goes to; needed where there are several."),
  case: caseSchema.describe('It is tagged `incident` besides.'),
});
export type IncidentCaseRequest = z.infer<typeof incidentCaseRequestSchema>;

export const incidentRequestSchema = z
  .strictObject({
    gate: slugSchema,
    score: z.uuid().optional().describe('The score that let it merge.'),
    change: z
      .strictObject({
        id: changeSchema.shape.id,
        commit: changeSchema.shape.commit,
        repository: changeSchema.shape.repository,
      })
      .optional()
      .describe('Or the change that it merged with: its newest score that let it merge is taken.'),
    title: titleSchema,
    details: wellFormed(20_000).optional().describe('What is known of it. It is sealed.'),
    draft: incidentCaseRequestSchema.optional().describe('A case to draft from it at once.'),
  })
  .refine(({ score, change }) => (score === undefined) !== (change === undefined), {
    error: 'an incident is of either a score or a change',
  });
export type IncidentRequest = z.infer<typeof incidentRequestSchema>;

const proofSchema = z.strictObject({
  escaped: digestSchema.describe('The build that escaped.'),
  fix: digestSchema,
  escapedPassed: z.boolean(),
  fixPassed: z.boolean(),
  proves: z.boolean().describe('That the case fails on the one and passes on the other.'),
  provedAt: z.iso.datetime(),
});

/** An incident as its reader may see it: to leads, that there was one; what happened, and the name of its case, to authors alone. */
export const incidentSchema = z.strictObject({
  id: z.uuid(),
  gate: slugSchema,
  score: z.uuid(),
  change: changeSchema,
  candidate: digestSchema,
  recordedAt: z.iso.datetime(),
  state: z.enum(['recorded', 'drafted', 'proven']),
  title: z.string().optional(),
  details: z.string().optional(),
  case: z
    .strictObject({
      suite: slugSchema,
      revision: z.int().positive().describe('The draft that was made with it.'),
      name: z.string().optional(),
    })
    .nullable()
    .describe(
      'The newest that was drafted from it; null too where it is in a suite that the token does not reach.',
    ),
  proofs: z.array(proofSchema).describe('Of that case, newest first.'),
});
export type Incident = z.infer<typeof incidentSchema>;

/** How often a gate let a bug pass that came to be known. */
export const escapesSchema = z.strictObject({
  gate: slugSchema,
  bucket: z.enum(['day', 'week', 'month']),
  buckets: z.array(
    z.strictObject({
      from: z.iso.datetime().describe('When the bucket begins, in UTC.'),
      merged: z
        .int()
        .nonnegative()
        .describe('How many commits and builds became green in it, each counted once.'),
      escaped: z.int().nonnegative().describe('Of how many of these a bug is known by now.'),
      recorded: z.int().nonnegative().describe('How many incidents were recorded in it, of whichever time.'),
    }),
  ),
});
export type Escapes = z.infer<typeof escapesSchema>;
