/**
 * Trends as they are asked for and answered: how the attempts at a gate, or at a suite, come out over time. No rate is a bare
 * percentage: each says of how many it is, and between which bounds the true one lies with 95 % confidence.
 */
import { z } from 'zod';
import { slugSchema } from '../../suites/suite.ts';
import { changeSchema } from '../gate.ts';

/** How long a bucket is. All begin in UTC: a day at midnight, a week on Monday, a month on its first. */
export const trendBuckets = ['hour', 'day', 'week', 'month'] as const;
export type TrendBucket = (typeof trendBuckets)[number];

/** Whose attempts make a series. */
export const trendGroups = ['agent', 'model', 'author'] as const;
export type TrendGroup = (typeof trendGroups)[number];

/** So many names have a series of their own; those that settled fewer attempts are summed. */
export const namedSeriesMax = 12;

/** So many buckets are answered at once. */
export const trendBucketsMax = 400;

/** And so many of each series where several are compared: an answer is read at once, and while it is written nothing else is. */
export const comparedBucketsMax = 130;

/** An instant that the database can hold, together with the bucket that it is in. */
export const trendInstantSchema = z.iso
  .datetime({ offset: true })
  .refine((text) => text >= '1970-02' && text < '9000', { error: 'must be from 1970-02 to 8999' });

/** What is asked: exactly one of `gate` and `suite` has to be there. */
export const trendQuestionSchema = z.strictObject({
  gate: slugSchema.optional().describe('The gate whose verdicts are counted. Name a gate or a suite.'),
  suite: slugSchema.optional().describe('The suite whose results are counted, at whichever gate.'),
  from: trendInstantSchema.optional().describe('The first instant; the last 30 days unless said.'),
  to: trendInstantSchema.optional().describe('The instant before which it ends; now unless said.'),
  bucket: z
    .enum(trendBuckets)
    .optional()
    .describe(
      `How long a bucket is; as suits the period unless said. There are at most ${trendBucketsMax}, and with \`by\` ${comparedBucketsMax}.`,
    ),
  by: z
    .enum(trendGroups)
    .optional()
    .describe(
      `A series for each of the ${namedSeriesMax} that settled most attempts; the others are summed.`,
    ),
  agent: changeSchema.shape.agent.describe('The attempts of this agent alone.'),
  model: changeSchema.shape.model.describe('The attempts of this model alone.'),
  author: changeSchema.shape.author.describe('The attempts of this author alone.'),
});
export type TrendQuestion = z.infer<typeof trendQuestionSchema>;

const countSchema = z.int().nonnegative();
const shareSchema = z.number().min(0).max(1);
const msSchema = z.number().nullable().describe('In milliseconds; null where there is none.');

/** So many of so many. The interval is Wilson's (1927): where nothing is counted, the rate is null and the interval is everything. */
export const rateSchema = z.strictObject({
  count: countSchema,
  of: countSchema,
  rate: shareSchema.nullable(),
  low: shareSchema,
  high: shareSchema,
});
export type Rate = z.infer<typeof rateSchema>;

/**
 * By how much more often the visible tests pass than the holdback cases do, in the same attempts: those of which CI said how the visible
 * tests came out. A gap whose interval lies above 0 shows over-fitting. The interval is Newcombe's (1998) for paired proportions.
 */
export const gapSchema = z.strictObject({
  visible: rateSchema.describe('Attempts whose visible tests all passed.'),
  holdback: rateSchema.describe('Of the same attempts, those whose holdback cases all passed.'),
  gap: z.number().min(-1).max(1).nullable(),
  low: z.number().min(-1).max(1),
  high: z.number().min(-1).max(1),
});
export type Gap = z.infer<typeof gapSchema>;

/**
 * What the attempts of a period add up to. An attempt belongs to when it was requested. Only settled ones count: they were run, and are
 * green or red. A build that was scored before at the gate gets its verdict again without being run, which settles nothing.
 */
export const figuresSchema = z.strictObject({
  settled: countSchema.describe(
    'Attempts that were run, and are green or red. A build that has its verdict already is not run again, and not counted.',
  ),
  passRate: rateSchema,
  firstAttemptPassRate: rateSchema.describe("Of the attempts that were their change's first at the gate."),
  attemptsToGreen: z
    .strictObject({ count: countSchema, mean: z.number().nullable(), p50: z.number().nullable() })
    .describe('Of the changes that became green first in the period: at which attempt.'),
  timeToGreenMs: z
    .strictObject({ count: countSchema, p50: msSchema })
    .describe("Of the same changes: from the first attempt's request to the verdict."),
  latencyMs: z
    .strictObject({ count: countSchema, p50: msSchema, p95: msSchema })
    .describe('From the request to the verdict.'),
  exposureBits: z.number().nonnegative().describe('What the verdicts may have taught about each case.'),
  escapes: countSchema.describe('Attempts that got past and of which a bug is known by now.'),
  gap: gapSchema,
});
export type Figures = z.infer<typeof figuresSchema>;

/** `all` is the only series where no group was asked for. Attempts that name none are `unnamed`; `others` sums what has no series. */
export const seriesSchema = z.strictObject({
  kind: z.enum(['all', 'named', 'unnamed', 'others']),
  name: z.string().nullable().describe('The agent, model or author; null but for `named`.'),
  total: figuresSchema.describe('Over the whole period.'),
  buckets: z
    .array(figuresSchema.extend({ from: z.iso.datetime().describe('When the bucket begins, in UTC.') }))
    .describe(
      'Every bucket of the period, also those in which nothing happened. The first and the last may be cut.',
    ),
});
export type TrendSeries = z.infer<typeof seriesSchema>;

export const trendSchema = z.strictObject({
  gate: slugSchema.nullable(),
  suite: slugSchema.nullable(),
  from: z.iso.datetime(),
  to: z.iso.datetime().describe('The period ends before this instant.'),
  bucket: z.enum(trendBuckets),
  by: z.enum(trendGroups).nullable(),
  series: z
    .array(seriesSchema)
    .describe(
      'Those that settled most first; `unnamed` and `others` last. Empty where nothing settled and a group was asked for.',
    ),
});
export type Trend = z.infer<typeof trendSchema>;

/** A case that ran less often has not shown yet that it never fails. */
export const neverFailingRunsMin = 20;

/** So many cases are listed of each kind. */
export const trendCasesMax = 500;

export const caseTrendsQuestionSchema = trendQuestionSchema.pick({ from: true, to: true }).extend({
  suite: slugSchema,
});
export type CaseTrendsQuestion = z.infer<typeof caseTrendsQuestionSchema>;

const caseTrendSchema = z.strictObject({
  position: z.int().nonnegative().describe('Where it is in the active revision, from 0.'),
  name: z.string().optional().describe('For authors.'),
  runs: countSchema.describe('How often it ran in the period.'),
  failures: countSchema.describe('How often it failed.'),
});

/**
 * What a suite's cases did, those of its active revision that are in force. A case keeps its record from revision to revision as long
 * as it does not change.
 */
export const caseTrendsSchema = z.strictObject({
  suite: slugSchema,
  revision: z.int().positive().describe('The active one.'),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  cases: countSchema.describe('How many are in force.'),
  flaky: z
    .array(
      caseTrendSchema.extend({
        flips: z
          .int()
          .positive()
          .describe('How often it came out otherwise than before for the same build on the same revision.'),
        lastAt: z.iso.datetime(),
      }),
    )
    .describe(
      'Those that flipped, the most often first; none whose inputs are generated anew for each score.',
    ),
  flakyCount: countSchema.describe(`How many there are; at most ${trendCasesMax} are listed.`),
  neverFailing: z
    .array(caseTrendSchema)
    .describe(`Those that ran ${neverFailingRunsMin} times or more and never failed, the most often first.`),
  neverFailingCount: countSchema.describe(`How many there are; at most ${trendCasesMax} are listed.`),
});
export type CaseTrends = z.infer<typeof caseTrendsSchema>;
export type CaseTrend = z.infer<typeof caseTrendSchema>;
