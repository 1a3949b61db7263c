/** What a check of a suite answers: everything that is wrong with it, and what pushing it would change. One schema for both ends. */
import { z } from 'zod';
import { slugSchema } from '../suite.ts';
import { findingSchema, findingsMax } from './finding.ts';

export const changesSchema = z.strictObject({
  added: z.array(z.string()).describe('The names of cases that the active revision does not have.'),
  removed: z.array(z.string()).describe('The names of cases that only the active revision has.'),
  changed: z
    .array(z.string())
    .describe(
      'The names of cases that ask or require something else, or have other tags, another owner or another end.',
    ),
  unchanged: z.int().nonnegative(),
  readAsBefore: z
    .int()
    .nonnegative()
    .describe(
      'How many predicates read as before while other code of the module changed, which they may call.',
    ),
  limits: z.boolean().describe('Whether the limits change.'),
  references: z.boolean().describe('Whether the builds that it holds change.'),
});
/** What a push would change against the active revision. */
export type Changes = z.infer<typeof changesSchema>;

export const suiteCheckSchema = z.strictObject({
  name: slugSchema.nullable().describe('What the suite calls itself.'),
  cases: z.int().nonnegative(),
  findings: z
    .array(findingSchema)
    .max(findingsMax)
    .describe('What is wrong with it. Empty, if it can be pushed.'),
  more: z.int().nonnegative().describe('How many more findings there are.'),
  notes: z.array(z.string()).describe('What its author should know all the same.'),
  activeRevision: z.int().positive().nullable(),
  changes: changesSchema
    .nullable()
    .describe(
      'Null if something is wrong with the suite, if there is no active revision, or if it was not asked for.',
    ),
});
export type SuiteCheck = z.infer<typeof suiteCheckSchema>;
