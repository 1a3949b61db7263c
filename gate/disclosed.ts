/** The forms in which scores and verdicts are disclosed: what each reader may be sent, and nothing about how it came to be. */
import { z } from 'zod';
import { outcomes } from '../runners/protocol.ts';
import { slugSchema } from '../suites/suite.ts';
import { blockReasons } from './decide.ts';
import { changeSchema, digestSchema } from './gate.ts';

export const roles = ['ci', 'harness', 'author', 'lead', 'admin'] as const;
export type Role = (typeof roles)[number];

export const revisionNamesSchema = z.array(
  z.strictObject({ suite: z.string(), revision: z.int().positive() }),
);

export const failureSchema = z.strictObject({
  suite: slugSchema,
  case: z.string(),
  outcome: z.enum(outcomes),
  message: z.string(),
});
export type Failure = z.infer<typeof failureSchema>;

export const reasonSchema = z.enum(['green', ...blockReasons]);

const attemptSchema = z.strictObject({
  id: z.uuid(),
  gate: slugSchema,
  change: changeSchema,
  candidate: z.strictObject({ digest: digestSchema }),
});

/** A score that has no verdict yet. */
export const runningScoreSchema = attemptSchema.extend({ state: z.literal('running') });

/** A score with its verdict, as its reader may see it. */
export const finishedScoreSchema = attemptSchema.extend({
  state: z.literal('finished'),
  verdict: z.enum(['merge', 'block']),
  canMerge: z.boolean(),
  reason: reasonSchema,
  revisions: revisionNamesSchema,
  passed: z.int().nonnegative().optional(),
  total: z.int().nonnegative().optional(),
  durationMs: z.number().nonnegative().optional(),
  failures: z.array(failureSchema).optional(),
});

export const disclosedScoreSchema = z.discriminatedUnion('state', [runningScoreSchema, finishedScoreSchema]);
export type DisclosedScore = z.infer<typeof disclosedScoreSchema>;

export const verdictQuestionSchema = z.strictObject({
  gate: slugSchema,
  change: z.string().min(1),
  commit: z.string().min(1),
  candidate: digestSchema,
});
export type VerdictQuestion = z.infer<typeof verdictQuestionSchema>;

export const verdictSchema = z.strictObject({
  ...verdictQuestionSchema.shape,
  verdict: z.enum(['merge', 'block']),
  canMerge: z.boolean(),
  reason: reasonSchema,
  scoreId: z.uuid().nullable(),
  revisions: revisionNamesSchema,
});
export type Verdict = z.infer<typeof verdictSchema>;
