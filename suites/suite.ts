/** The nouns of authoring: suite and revision. One schema each, for HTTP, sealing and types alike. */
import { z } from 'zod';
import { limitsSchema } from '../runners/protocol.ts';
import { caseSchema, openedCaseSchema, sealedCaseSchema } from './case.ts';
import { referenceSchema, referencesSchema } from './reference.ts';

/** Names that appear in URLs: gates and suites. */
export const slugSchema = z
  .string()
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$/,
    'a name has 1 to 100 letters, digits, dots, dashes or underscores, and starts with a letter or digit',
  );

export const casesMax = 20_000;

/** A suite's JSON may hold this many keys and values. */
export const suiteValuesMax = 10_000_000;

const limitOverridesSchema = z.strictObject({
  caseMs: limitsSchema.shape.caseMs.removeDefault().optional(),
  scoreMs: limitsSchema.shape.scoreMs.removeDefault().optional(),
  isolateMb: limitsSchema.shape.isolateMb.removeDefault().optional(),
  hostMb: limitsSchema.shape.hostMb.removeDefault().optional(),
  outputBytes: limitsSchema.shape.outputBytes.removeDefault().optional(),
});

const sourceFields = {
  $schema: z.string().optional(),
  name: slugSchema.optional().describe('What the suite is called. As another it is not pushed.'),
  cases: z.array(caseSchema).max(casesMax).optional(),
  module: z.string().min(1).optional().describe('The text of an ES module, JavaScript or TypeScript.'),
  limits: limitOverridesSchema.optional(),
  references: referencesSchema
    .optional()
    .describe('Builds whose verdict is known. No revision is activated on which they do not behave.'),
};

/** A suite as it is authored: declarative cases, or an ES module whose default export holds them. */
export const authoredSuiteSchema = z
  .strictObject(sourceFields)
  .refine(({ cases, module }) => (cases === undefined) !== (module === undefined), {
    error: 'a revision has either cases or a module',
  });
export type AuthoredSuite = z.infer<typeof authoredSuiteSchema>;

/** A suite as it is pushed: as it is authored, or sealed by its author already. */
export const suiteSourceSchema = z
  .strictObject({
    ...sourceFields,
    sealed: z
      .string()
      .min(1)
      .optional()
      .describe("What `holdback suite seal` wrote: an age file in ASCII armour, to the service's recipient."),
  })
  .refine(
    (source) =>
      [source.cases, source.module, source.sealed].filter((form) => form !== undefined).length === 1,
    {
      error: 'a revision has either cases or a module, or is sealed',
    },
  )
  .refine(({ sealed, limits }) => sealed === undefined || limits === undefined, {
    error: 'the limits of a sealed suite are sealed with it',
    path: ['limits'],
  })
  .refine(({ sealed, name }) => sealed === undefined || name === undefined, {
    error: 'the name of a sealed suite is sealed with it',
    path: ['name'],
  })
  .refine(({ sealed, references }) => sealed === undefined || references === undefined, {
    error: 'the references of a sealed suite are sealed with it',
    path: ['references'],
  });
export type SuiteSource = z.infer<typeof suiteSourceSchema>;

/** The clear text of a revision: it exists only in the memory of the service and of the grader. */
export const suiteContentsSchema = z.strictObject({
  suite: slugSchema,
  cases: z.array(sealedCaseSchema).min(1).max(casesMax),
  /** The module as the body of a CommonJS function, where functions of it are asked. */
  script: z.string().optional(),
  /** The script that makes inputs as an expression, where a case generates some: see `grader/generator-realm.ts`. */
  generator: z.string().optional(),
  limits: limitsSchema,
  /** Left out by revisions that were sealed before there were any. */
  references: z.array(referenceSchema).default([]),
});
export type SuiteContents = z.infer<typeof suiteContentsSchema>;

/** A revision as anybody with a right to suites may see it. */
export const revisionSchema = z.strictObject({
  suite: slugSchema,
  revision: z.int().positive(),
  digest: z.string(),
  cases: z.int().positive(),
  state: z
    .enum(['draft', 'reviewed', 'active', 'superseded'])
    .describe('`reviewed` is a draft that a second person has approved, and nobody rejects.'),
  createdAt: z.iso.datetime(),
});
export type Revision = z.infer<typeof revisionSchema>;

/** A revision that was just activated, with what its author should know of it. */
export const activatedRevisionSchema = revisionSchema.extend({
  notes: z
    .array(z.string())
    .optional()
    .describe('What its author should know, though nothing speaks against it.'),
});
export type ActivatedRevision = z.infer<typeof activatedRevisionSchema>;

/** A revision as whoever pushed it sealed may see it: nothing of what is in it. */
export const receivedRevisionSchema = revisionSchema.pick({ suite: true, revision: true, state: true });
export type ReceivedRevision = z.infer<typeof receivedRevisionSchema>;

/** A revision as its author sees it, opened. */
export const openedRevisionSchema = revisionSchema.extend({
  contents: z.array(openedCaseSchema).optional().describe('The cases, for authors alone.'),
  limits: limitsSchema.optional(),
  references: z.array(referenceSchema).optional().describe('The builds it holds, for authors alone.'),
});
export type OpenedRevision = z.infer<typeof openedRevisionSchema>;

export const suiteSchema = z.strictObject({
  suite: slugSchema,
  activeRevision: z.int().positive().nullable(),
  revisions: z.array(revisionSchema),
});
export type Suite = z.infer<typeof suiteSchema>;
