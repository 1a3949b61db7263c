/** The forms in which scores and verdicts are disclosed: what each reader may be sent, and nothing about how it came to be. */
import { z } from 'zod';
import { outcomes } from '../../runners/protocol.ts';
import { slugSchema } from '../../suites/suite.ts';
import { blockReasons, generatedFailureSchema } from '../decide.ts';
import { changeSchema, digestSchema } from '../gate.ts';
import { visibleTestsSchema } from '../visible-report.ts';

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
  generated: generatedFailureSchema.optional().describe('The input, where the case generates its inputs.'),
  expected: z
    .string()
    .optional()
    .describe('What the case declares that it expects, in lines to compare with `observed`; cut where long.'),
  observed: z
    .string()
    .optional()
    .describe('What was returned or thrown, or how it ended else; cut where long.'),
});
export type Failure = z.infer<typeof failureSchema>;

/** `green` and `overridden` come with `merge` alone, every other reason with `block`. */
export const reasonSchema = z.enum(['green', 'overridden', ...blockReasons]);

const attemptSchema = z.strictObject({
  id: z.uuid(),
  gate: slugSchema,
  change: changeSchema,
  candidate: z.strictObject({ digest: digestSchema }),
  attempt: z.int().positive().optional().describe('Which attempt of its change at the gate it is, from 1.'),
  requestedAt: z.iso.datetime().optional(),
  visibleTests: visibleTestsSchema
    .optional()
    .describe('What CI said of the tests that the author sees. Nobody has checked it.'),
});

/** Humans who let a blocked commit and candidate merge. */
export const overrideSchema = z.strictObject({
  scored: z.enum(blockReasons).describe('The reason of the block, which stays in history.'),
  needed: z.int().positive().describe('How many people must agree.'),
  approvals: z.array(
    z.strictObject({ person: z.string(), reason: z.string(), approvedAt: z.iso.datetime() }),
  ),
});
export type DisclosedOverride = z.infer<typeof overrideSchema>;

/** What a green proves of one suite's kind of inputs: see assurance.ts. */
export const assuranceSchema = z.strictObject({
  suite: slugSchema,
  cases: z.int().positive(),
  bits: z
    .number()
    .nonnegative()
    .describe('What disclosed verdicts, this one included, may have taught about these cases.'),
  confidence: z.number(),
  failureRateAtMost: z.number(),
});

/**
 * What a person should know of: that a candidate looks as if it had seen a suite (`tripwire`, `fingerprints`), or that a suite's references
 * do not behave, so that it judges nobody (`preflight`).
 */
export const alarmSchema = z.strictObject({
  suite: slugSchema,
  revision: z.int().positive(),
  kind: z.enum(['tripwire', 'fingerprints', 'preflight']),
  cases: z.int().positive(),
});
export type Alarm = z.infer<typeof alarmSchema>;

/** What was spent of a gate's budget: of each active revision, the bits of the case that was charged most, by whichever gate. */
export const exposureSchema = z.strictObject({
  gate: slugSchema,
  budgetBits: z.number().nullable(),
  attemptsPerChange: z.int().positive(),
  suites: z.array(
    z.strictObject({ suite: slugSchema, revision: z.int().positive(), bits: z.number().nonnegative() }),
  ),
});
export type GateExposure = z.infer<typeof exposureSchema>;

/** An alarm with the score that raised it. */
export const raisedAlarmSchema = alarmSchema.extend({
  score: z.uuid(),
  gate: slugSchema,
  change: changeSchema,
  candidate: digestSchema,
  raisedAt: z.iso.datetime(),
});
export type RaisedAlarm = z.infer<typeof raisedAlarmSchema>;

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
  decidedAt: z.iso.datetime().optional(),
  exposureBits: z
    .number()
    .nonnegative()
    .optional()
    .describe('What the verdict may have taught about each case that was asked.'),
  failures: z.array(failureSchema).optional(),
  failing: z.array(z.string()).optional().describe('Names alone, where the gate discloses them.'),
  seed: z
    .string()
    .nullable()
    .optional()
    .describe('What the inputs of generated cases were made from; null where nothing was run.'),
  repeats: z
    .uuid()
    .nullable()
    .optional()
    .describe('The score whose verdict this is: the candidate was the same.'),
  alarms: z
    .array(alarmSchema)
    .optional()
    .describe('Why the candidate looks as if it had seen a suite, or the suite judges nobody.'),
  assurance: z.array(assuranceSchema).optional().describe('What a green proves.'),
  override: overrideSchema.optional(),
});

export type FinishedScore = z.infer<typeof finishedScoreSchema>;

export const disclosedScoreSchema = z.discriminatedUnion('state', [runningScoreSchema, finishedScoreSchema]);
export type DisclosedScore = z.infer<typeof disclosedScoreSchema>;

/** How one case of a score ended, by its position in the revision. */
export const disclosedCaseSchema = z.strictObject({
  suite: slugSchema,
  revision: z.int().positive(),
  position: z.int().nonnegative(),
  name: z.string().optional().describe("For the suite's authors."),
  outcome: z.enum(outcomes),
  passed: z.boolean(),
  durationMs: z.number().nonnegative(),
});

/** How the cases of a score ended. */
export const disclosedCasesSchema = z.strictObject({
  score: z.uuid(),
  state: z.enum(['running', 'finished']),
  ranIn: z
    .uuid()
    .nullable()
    .describe(
      'The score that ran them: this one, or the one whose verdict it repeats; null where nothing ran.',
    ),
  cases: z.array(disclosedCaseSchema),
  next: z.int().nullable().describe('The cursor of further cases, or null.'),
});
export type DisclosedCases = z.infer<typeof disclosedCasesSchema>;

/** A failure that came of a replay, with the smallest input that fails in the same way, where one was looked for. */
export const replayedFailureSchema = failureSchema.extend({
  smallest: z
    .strictObject({
      input: z.string().describe('The input as carried JSON text, cut where it is long.'),
      message: z.string(),
      steps: z.int().nonnegative().describe('How many times something smaller was found.'),
      isMinimal: z
        .boolean()
        .describe('Whether the search ended by itself: nothing smaller next to it fails.'),
    })
    .optional(),
});
export type ReplayedFailure = z.infer<typeof replayedFailureSchema>;

/** A score run again, on the inputs of then, for an author. */
export const replaySchema = z.strictObject({
  score: z.uuid().describe('The score that was run again: the one asked about, or the one that it repeats.'),
  seed: z.string().nullable(),
  revisions: revisionNamesSchema,
  passed: z.int().nonnegative(),
  total: z.int().nonnegative(),
  failures: z.array(replayedFailureSchema),
  agrees: z.boolean().describe('Whether the same failures came of it as then.'),
});
export type Replay = z.infer<typeof replaySchema>;

export const verdictQuestionSchema = z.strictObject({
  gate: slugSchema,
  change: z.string().min(1),
  commit: z.string().min(1),
  candidate: digestSchema,
  repository: z
    .string()
    .min(1)
    .optional()
    .describe('The repository of the change; a change that was scored without one has none.'),
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
