/**
 * How the attempts at a gate, or at a suite, come out over time: a few questions to the database, answered from the rows of history
 * alone, along one index. No sums are kept anywhere, so that nothing can disagree with history.
 */
import { type SQL, sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Database } from '../../migrations/open-database.ts';
import { rowsOf } from '../../migrations/rows-of.ts';
import { GateError } from '../errors.ts';
import { instantOf, isPublishedBy, latencyOf } from './heard.ts';
import { gapOf } from './newcombe.ts';
import {
  type Figures,
  namedSeriesMax,
  type Trend,
  type TrendGroup,
  type TrendQuestion,
  type TrendSeries,
} from './trend.ts';
import { type Bucket, bucketsOf, periodOf, type TrendPeriod } from './trend-period.ts';
import { rateOf } from './wilson.ts';

/** What of the attempts the reader may know. */
export type TrendReader = {
  /** The gates whose attempts they may know of; null for all. */
  gates: string[] | null;
  /** The length of the slots at whose ends they hear of verdicts, in milliseconds; undefined if they hear of them at once. */
  slotMs: number | undefined;
};

/** The trend as of `now`. Throws `trend_unfit` for a question that names no period of a gate or a suite. */
export async function findTrend(
  database: Database,
  question: TrendQuestion,
  reader: TrendReader,
  now: Date,
): Promise<Trend> {
  const { gate = null, suite = null, by = null } = question;
  if ((gate === null) === (suite === null)) {
    throw new GateError('trend_unfit', 'a trend is of a gate or of a suite: name exactly one of them');
  }
  const period = periodOf(question, now);
  const buckets = bucketsOf(period);
  const attempts = attemptsOf(question, reader, now);
  const names = by === null ? [] : await findNames(database, attempts, period, by);
  const grouped = { ...attempts, series: by === null ? one : seriesOf(by, names) };
  // Together they take no longer than the longest: they are asked on connections of their own.
  const [sums, middles, escapes] = await Promise.all([
    findSums(database, grouped, buckets),
    findMiddles(database, grouped, period),
    findEscapes(database, grouped, period),
  ]);
  return {
    gate,
    suite,
    from: period.from.toISOString(),
    to: period.to.toISOString(),
    bucket: period.bucket,
    by,
    series: gather({ by, names, buckets }, sums, middles, escapes),
  };
}

/** The rows that a trend is made from, and what a reader hears of them. */
type Attempts = { from: SQL; where: SQL; latency: SQL; toGreen: SQL; hasPassed: SQL };

/** How attempts are told apart. */
type Series = { join: SQL; number: SQL; groupBy: SQL };
type Grouped = Attempts & { series: Series };

function attemptsOf(
  { gate, suite, agent, model, author }: TrendQuestion,
  { gates, slotMs }: TrendReader,
  now: Date,
): Attempts {
  const is = (column: string, name: string | undefined) =>
    // So much of a name is kept beside verdicts.
    name === undefined ? [] : [sql`${sql.raw(column)} = left(${name}, 100)`];
  const conditions = [
    gate === undefined ? sql`suite = ${suite}` : sql`gate = ${gate}`,
    ...is('agent', agent),
    ...is('model', model),
    ...is('author', author),
    ...(gates === null
      ? []
      : [sql`gate IN (SELECT jsonb_array_elements_text(${JSON.stringify(gates)}::jsonb))`]),
    ...(slotMs === undefined ? [] : [isPublishedBy(now, slotMs)]),
  ];
  const latency = slotMs === undefined ? sql`latency_ms` : latencyOf(slotMs);
  return {
    from: gate === undefined ? sql`suite_results` : sql`verdicts`,
    where: sql.join(conditions, sql` AND `),
    latency,
    // A repetition settles nothing, and lets a bug past all the same.
    hasPassed: gate === undefined ? sql`is_green` : sql`reason = 'green'`,
    toGreen: slotMs === undefined ? sql`to_green_ms` : sql`to_green_ms - latency_ms + ${latency}`,
  };
}

function within({ from, to }: TrendPeriod): SQL {
  return sql`requested_at >= ${instantOf(from)} AND requested_at < ${instantOf(to)}`;
}

const namesSchema = z.array(z.object({ name: z.string() }));

/** Who settled most attempts, the most first. */
async function findNames(
  database: Database,
  { from, where }: Attempts,
  period: TrendPeriod,
  by: TrendGroup,
): Promise<string[]> {
  const name = sql.raw(by);
  const rows = await database.execute(sql`
    SELECT ${name} AS name FROM ${from}
    WHERE ${where} AND ${within(period)} AND ${name} IS NOT NULL AND is_green IS NOT NULL
    GROUP BY ${name} ORDER BY count(*) DESC, ${name} COLLATE "C" LIMIT ${namedSeriesMax}`);
  return namesSchema.parse(rowsOf(rows)).map(({ name }) => name);
}

/** Series are numbered: named ones from 1, in their order. */
const all = 0;
const unnamed = -1;
const others = -2;

/** What the number of an attempt's series is found with: who has a series, joined by name, which takes less than comparing with each. */
function seriesOf(by: TrendGroup, names: string[]): Series {
  const column = sql.raw(by);
  const places = JSON.stringify(names.map((name, index) => ({ name, place: index + 1 })));
  return {
    join: sql`LEFT JOIN jsonb_to_recordset(${places}::jsonb) AS named (name text, place integer) ON name = ${column}`,
    number: sql`CASE WHEN ${column} IS NULL THEN ${sql.raw(`${unnamed}`)} ELSE coalesce(place, ${sql.raw(`${others}`)}) END`,
    groupBy: sql`GROUP BY 1`,
  };
}

/** All attempts are in one series. */
const one: Series = { join: sql``, number: sql.raw(`${all}`), groupBy: sql`` };

/** What can be added up: of the buckets of a series, the sums of the series are the sums. */
const countsSchema = z.object({
  settled: z.coerce.number(),
  passed: z.coerce.number(),
  firsts: z.coerce.number(),
  firstsPassed: z.coerce.number(),
  greens: z.coerce.number(),
  attempts: z.coerce.number(),
  bits: z.coerce.number(),
  both: z.coerce.number(),
  visibleOnly: z.coerce.number(),
  holdbackOnly: z.coerce.number(),
  neither: z.coerce.number(),
});
type Counts = z.infer<typeof countsSchema>;

/** What cannot: values that were seen, so many of them below. */
const middlesSchema = z.object({
  attemptsP50: z.coerce.number().nullable(),
  toGreenP50: z.coerce.number().nullable(),
  latencies: z.tuple([z.coerce.number(), z.coerce.number()]).nullable(),
});
type Middles = z.infer<typeof middlesSchema>;

const seriesSchema = z.object({ series: z.coerce.number() });
/** `bucket` counts from 0. */
const placeSchema = seriesSchema.extend({ bucket: z.coerce.number() });
const sumsSchema = z.array(placeSchema.extend(countsSchema.shape).extend(middlesSchema.shape));
const totalsSchema = z.array(seriesSchema.extend(middlesSchema.shape));
const escapesSchema = z.array(seriesSchema.extend({ at: z.coerce.number() }));

function middlesOf({ latency, toGreen }: Attempts): SQL {
  return sql`
    percentile_disc(0.5) WITHIN GROUP (ORDER BY attempt) FILTER (WHERE is_first_green) AS "attemptsP50",
    percentile_disc(0.5) WITHIN GROUP (ORDER BY ${toGreen}) FILTER (WHERE is_first_green) AS "toGreenP50",
    to_json(percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY ${latency}) FILTER (WHERE is_green IS NOT NULL)) AS latencies`;
}

/** What each bucket of each series adds up to. Each bucket is looked up along the index, so that nothing is sorted by time. */
async function findSums(database: Database, attempts: Grouped, buckets: Bucket[]) {
  const { from, where, series } = attempts;
  const rows = await database.execute(sql`
    SELECT bucket, sums.*
    FROM jsonb_to_recordset(${JSON.stringify(buckets.map(({ from: begin, to: end }, bucket) => ({ bucket, begin, end })))}::jsonb)
      AS buckets (bucket integer, begin timestamptz, "end" timestamptz),
    LATERAL (
      SELECT ${series.number} AS series,
        count(is_green) AS settled, count(*) FILTER (WHERE is_green) AS passed,
        count(is_green) FILTER (WHERE attempt = 1) AS firsts, count(*) FILTER (WHERE is_green AND attempt = 1) AS "firstsPassed",
        count(*) FILTER (WHERE is_first_green) AS greens, coalesce(sum(attempt) FILTER (WHERE is_first_green), 0) AS attempts,
        coalesce(sum(bits), 0) AS bits,
        count(*) FILTER (WHERE visible_is_green AND is_green) AS both,
        count(*) FILTER (WHERE visible_is_green AND NOT is_green) AS "visibleOnly",
        count(*) FILTER (WHERE NOT visible_is_green AND is_green) AS "holdbackOnly",
        count(*) FILTER (WHERE NOT visible_is_green AND NOT is_green) AS neither,
        ${middlesOf(attempts)}
      FROM ${from} ${series.join} WHERE ${where} AND requested_at >= begin AND requested_at < "end" ${series.groupBy}
    ) AS sums`);
  return sumsSchema.parse(rowsOf(rows));
}

async function findMiddles(database: Database, attempts: Grouped, period: TrendPeriod) {
  const { from, where, series } = attempts;
  const rows = await database.execute(sql`
    SELECT ${series.number} AS series, ${middlesOf(attempts)}
    FROM ${from} ${series.join} WHERE ${where} AND ${within(period)} ${series.groupBy}`);
  return totalsSchema.parse(rowsOf(rows));
}

/** The green attempts of which a bug is known by now that got past; of a suite, past its own cases. They are few. */
async function findEscapes(
  database: Database,
  { from, where, series, hasPassed }: Grouped,
  period: TrendPeriod,
) {
  const rows = await database.execute(sql`
    SELECT ${series.number} AS series, date_part('epoch', requested_at) * 1000 AS at FROM ${from} ${series.join}
    WHERE ${where} AND ${within(period)} AND ${hasPassed}
      -- Of what was requested in the period, nothing was recorded before it.
      AND score_id IN (SELECT score_id FROM incidents WHERE recorded_at >= ${instantOf(period.from)})`);
  return escapesSchema.parse(rowsOf(rows));
}

/** The series with all their buckets, those without attempts as well. */
function gather(
  { by, names, buckets }: { by: TrendGroup | null; names: string[]; buckets: Bucket[] },
  sums: z.infer<typeof sumsSchema>,
  middles: z.infer<typeof totalsSchema>,
  escapes: z.infer<typeof escapesSchema>,
): TrendSeries[] {
  const make = (place: number, kind: TrendSeries['kind'], name: string | null): TrendSeries => {
    const own = sums.filter(({ series }) => series === place);
    const escaped = escapes.filter(({ series }) => series === place).map(({ at }) => at);
    const byBucket = new Map(own.map((row) => [row.bucket, row]));
    const total = middles.find(({ series }) => series === place) ?? nothingSeen;
    return {
      kind,
      name,
      total: figuresOf(own.reduce<Counts>(add, nothing), total, escaped.length),
      buckets: buckets.map((bucket, index) => {
        const row = byBucket.get(index);
        const [begin, end] = [bucket.from.getTime(), bucket.to.getTime()];
        const escapesIn = escaped.filter((at) => at >= begin && at < end).length;
        return {
          from: bucket.begin.toISOString(),
          ...figuresOf(row ?? nothing, row ?? nothingSeen, escapesIn),
        };
      }),
    };
  };
  if (by === null) return [make(all, 'all', null)];
  const isThere = (place: number) =>
    sums.some(({ series, settled, bits }) => series === place && settled + bits > 0);
  return [
    ...names.map((name, index) => make(index + 1, 'named', name)),
    ...(isThere(unnamed) ? [make(unnamed, 'unnamed', null)] : []),
    ...(isThere(others) ? [make(others, 'others', null)] : []),
  ];
}

const nothing: Counts = {
  settled: 0,
  passed: 0,
  firsts: 0,
  firstsPassed: 0,
  greens: 0,
  attempts: 0,
  bits: 0,
  both: 0,
  visibleOnly: 0,
  holdbackOnly: 0,
  neither: 0,
};

const nothingSeen: Middles = { attemptsP50: null, toGreenP50: null, latencies: null };

function add(one: Counts, other: Counts): Counts {
  return {
    settled: one.settled + other.settled,
    passed: one.passed + other.passed,
    firsts: one.firsts + other.firsts,
    firstsPassed: one.firstsPassed + other.firstsPassed,
    greens: one.greens + other.greens,
    attempts: one.attempts + other.attempts,
    bits: one.bits + other.bits,
    both: one.both + other.both,
    visibleOnly: one.visibleOnly + other.visibleOnly,
    holdbackOnly: one.holdbackOnly + other.holdbackOnly,
    neither: one.neither + other.neither,
  };
}

function figuresOf(
  counts: Counts,
  { attemptsP50, toGreenP50, latencies }: Middles,
  escapes: number,
): Figures {
  const { settled, greens, both, visibleOnly, holdbackOnly, neither } = counts;
  return {
    settled,
    passRate: rateOf(counts.passed, settled),
    firstAttemptPassRate: rateOf(counts.firstsPassed, counts.firsts),
    attemptsToGreen: {
      count: greens,
      mean: greens === 0 ? null : counts.attempts / greens,
      p50: attemptsP50,
    },
    timeToGreenMs: { count: greens, p50: toGreenP50 },
    latencyMs: { count: settled, p50: latencies?.[0] ?? null, p95: latencies?.[1] ?? null },
    exposureBits: counts.bits,
    escapes,
    gap: gapOf({ both, firstOnly: visibleOnly, secondOnly: holdbackOnly, neither }),
  };
}
