/**
 * Trends say what history says: over random histories they are what a few plain lines of TypeScript count, on both databases; and
 * through the service each reader gets what they may know.
 */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { sql } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publishedAt } from '../gate/disclosure/publication.ts';
import { gapOf } from '../gate/trends/newcombe.ts';
import { type Figures, type Trend, type TrendQuestion, trendSchema } from '../gate/trends/trend.ts';
import { bucketsOf, periodOf } from '../gate/trends/trend-period.ts';
import { findTrend, type TrendReader } from '../gate/trends/trends.ts';
import { rateOf } from '../gate/trends/wilson.ts';
import { type Database, type OpenDatabase, openDatabase } from '../migrations/open-database.ts';
import { startPostgres } from './postgres-server.ts';
import { copyTemplate } from './template-database.ts';
import { temporaryFolder } from './temporary-folder.ts';

const hourMs = 3_600_000;

/** An attempt as history has it: what came of it at its gate, and of the suite `s`, if that was run. */
type Attempt = {
  id: string;
  gate: string;
  requestedAt: number;
  tookMs: number;
  sinceFirstMs: number;
  reason: string;
  attempt: number;
  agent: string | null;
  author: string | null;
  visible: { passed: number; total: number } | null;
  bits: number;
  escaped: boolean;
  suite: { passed: number; total: number } | null;
  isFirst: boolean;
};

/** Where things go wrong if they do: the borders of the period and of its buckets, and the hours in which clocks are changed. */
const instants = [
  '2026-03-28T22:59:59.999Z',
  '2026-03-28T23:00:00.000Z',
  '2026-03-29T00:00:00.000Z',
  '2026-03-29T01:00:00.000Z',
  '2026-03-29T23:59:59.999Z',
  '2026-03-30T00:00:00.000Z',
  '2026-03-30T12:34:56.789Z',
  '2026-03-31T23:59:59.999Z',
  '2026-04-01T00:00:00.000Z',
  '2026-04-06T00:00:00.000Z',
].map((text) => new Date(text).getTime());
const instant = fc.oneof(
  fc.constantFrom(...instants),
  fc.integer({ min: Math.min(...instants) - hourMs, max: Math.max(...instants) + hourMs }),
);
const now = new Date('2026-04-06T12:00:00.000Z');

const names = ['b', 'a', 'O’Brien, "Q"', ...Array.from({ length: 13 }, (_, index) => `n${index}`)];
const name = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(null, 'a', 'b') },
  { weight: 2, arbitrary: fc.constantFrom(...names) },
);
const counted = (max: number) =>
  fc
    .integer({ min: 0, max })
    .chain((total) => fc.record({ passed: fc.integer({ min: 0, max: total }), total: fc.constant(total) }));

const attempts: fc.Arbitrary<Attempt[]> = fc.array(
  fc.record({
    id: fc.constant('').map(() => randomUUID()),
    gate: fc.constantFrom('g', 'g', 'other'),
    requestedAt: instant,
    tookMs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 20 * hourMs })),
    sinceFirstMs: fc.integer({ min: 0, max: 40 * 24 * hourMs }),
    reason: fc.constantFrom('green', 'green', 'red', 'red', 'stale', 'indeterminate', 'budget_exhausted'),
    attempt: fc.integer({ min: 1, max: 4 }),
    agent: name,
    author: name,
    visible: fc.option(counted(3)),
    // Sums of halves are exact in whichever order.
    bits: fc.integer({ min: 0, max: 8 }).map((halves) => halves / 2),
    escaped: fc.boolean(),
    suite: fc.option(counted(2)),
    isFirst: fc.boolean(),
  }),
  { maxLength: 40 },
);

const questions: fc.Arbitrary<TrendQuestion> = fc
  .record({
    of: fc.constantFrom({ gate: 'g' }, { suite: 's' }),
    times: fc.tuple(instant, instant).filter(([one, other]) => one !== other),
    bucket: fc.constantFrom('hour', 'day', 'week', 'month', undefined),
    by: fc.constantFrom('agent', 'author', undefined),
    agent: fc.constantFrom('a', undefined, undefined),
  })
  .map(({ of, times, ...rest }) => ({
    ...of,
    from: new Date(Math.min(...times)).toISOString(),
    to: new Date(Math.max(...times)).toISOString(),
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
  }));

const readers: fc.Arbitrary<TrendReader> = fc.record({
  gates: fc.constantFrom(null, null, ['g'], []),
  slotMs: fc.constantFrom(undefined, undefined, 0, 1_000, hourMs),
});

/** Puts this in the place of all history, so that nothing but the rows is between a trend and its count. */
async function replaceHistory(database: Database, history: Attempt[]): Promise<void> {
  const rows = history.map((row, index) => ({
    score_id: row.id,
    number: index,
    ...row,
    verdict: row.reason === 'green' ? 'merge' : 'block',
    requested_at: new Date(row.requestedAt),
    decided_at: new Date(row.requestedAt + row.tookMs),
    first_requested_at: new Date(row.requestedAt - row.sinceFirstMs),
    visible_passed: row.visible?.passed,
    visible_total: row.visible?.total,
    suite_passed: row.suite?.passed,
    suite_total: row.suite?.total,
  }));
  const given = sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS row (
    score_id uuid, number int, gate text, verdict text, reason text, requested_at timestamptz, decided_at timestamptz,
    first_requested_at timestamptz, attempt int, agent text, author text, visible_passed int, visible_total int, bits float8,
    escaped boolean, suite_passed int, suite_total int, "isFirst" boolean)`;
  const copied = sql`gate, requested_at, 'change-' || number, author, agent, attempt, first_requested_at, visible_passed, visible_total, bits`;
  const columns = sql`gate, requested_at, change_id, author, agent, attempt, first_requested_at, visible_passed, visible_total, bits`;
  await database.transaction(async (transaction) => {
    await transaction.execute(sql`SET LOCAL session_replication_role = replica`);
    await transaction.execute(sql`TRUNCATE scores, verdicts, suite_results, incidents CASCADE`);
    await transaction.execute(sql`
      INSERT INTO scores (id, gate, policy_version, change_id, commit, candidate, requested_at, requested_by, deadline_at, request_digest, attempt, first_requested_at)
      SELECT score_id, gate, 1, 'change-' || number, 'c', 'd', requested_at, 'a test', requested_at, '', attempt, first_requested_at FROM ${given}`);
    await transaction.execute(sql`
      INSERT INTO incidents (id, gate, score_id, recorded_by, sealed, recipient)
      SELECT gen_random_uuid(), gate, score_id, 'a test', '', '' FROM ${given}, generate_series(1, 1 + number % 2) WHERE escaped`);
    // From here on with the triggers: what the database derives is tested too.
    await transaction.execute(sql`SET LOCAL session_replication_role = origin`);
    await transaction.execute(sql`
      INSERT INTO verdicts (score_id, verdict, reason, revisions, passed, total, duration_ms, decided_at, is_first_green, ${columns})
      SELECT score_id, verdict, reason, '[]', (reason = 'green')::int, 1, 1, decided_at, reason = 'green' AND "isFirst", ${copied} FROM ${given}`);
    await transaction.execute(sql`
      INSERT INTO suite_results (score_id, suite, revision, candidate, passed, total, decided_at, is_first_green, ${columns})
      SELECT score_id, 's', 1, 'd', suite_passed, suite_total, decided_at, suite_total > 0 AND suite_passed = suite_total AND "isFirst", ${copied}
      FROM ${given} WHERE suite_total IS NOT NULL`);
  });
}

/** An attempt as a trend of its gate or of the suite sees it. */
type Seen = Attempt & { isGreen: boolean | null; isFirstGreen: boolean; publishedMs: number };

/** The value below or at which so great a share of the values lies. */
function nearestRank(values: number[], share: number): number | null {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? null;
}

function count(seen: Seen[]): Figures {
  const settled = seen.filter(({ isGreen }) => isGreen !== null);
  const firsts = settled.filter(({ attempt }) => attempt === 1);
  const greens = seen.filter(({ isFirstGreen }) => isFirstGreen);
  const green = (rows: Seen[]) => rows.filter(({ isGreen }) => isGreen).length;
  const known = settled.filter(({ visible }) => (visible?.total ?? 0) > 0);
  const visiblyGreen = known.filter(({ visible }) => visible?.passed === visible?.total);
  const latencies = settled.map(({ publishedMs }) => publishedMs);
  const tries = greens.map(({ attempt }) => attempt);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const both = green(visiblyGreen);
  return {
    settled: settled.length,
    passRate: rateOf(green(settled), settled.length),
    firstAttemptPassRate: rateOf(green(firsts), firsts.length),
    attemptsToGreen: {
      count: greens.length,
      mean: greens.length === 0 ? null : sum(tries) / greens.length,
      p50: nearestRank(tries, 0.5),
    },
    timeToGreenMs: {
      count: greens.length,
      p50: nearestRank(
        greens.map(({ sinceFirstMs, publishedMs }) => sinceFirstMs + publishedMs),
        0.5,
      ),
    },
    latencyMs: { count: settled.length, p50: nearestRank(latencies, 0.5), p95: nearestRank(latencies, 0.95) },
    exposureBits: sum(seen.map(({ bits }) => bits)),
    escapes: settled.filter(({ isGreen, escaped }) => isGreen && escaped).length,
    gap: gapOf({
      both,
      firstOnly: visiblyGreen.length - both,
      secondOnly: green(known) - both,
      neither: known.length - visiblyGreen.length - green(known) + both,
    }),
  };
}

/** What a trend should be, told by going through history. */
function tell(history: Attempt[], question: TrendQuestion, { gates, slotMs }: TrendReader): Trend {
  const { gate = null, suite = null, by = null } = question;
  const period = periodOf(question, now);
  const seen = history.flatMap((row): Seen[] => {
    const decidedAt = new Date(row.requestedAt + row.tookMs);
    const published =
      slotMs === undefined ? decidedAt : publishedAt(new Date(row.requestedAt), decidedAt, slotMs);
    const isIn = row.requestedAt >= period.from.getTime() && row.requestedAt < period.to.getTime();
    const isHeard = (gates?.includes(row.gate) ?? true) && (slotMs === undefined || published <= now);
    const isAsked = gate === null ? row.suite !== null : row.gate === gate;
    if (!isIn || !isHeard || !isAsked || (question.agent !== undefined && row.agent !== question.agent))
      return [];
    const ofGate = { green: true, red: false }[row.reason] ?? null;
    const ofSuite = row.suite === null || row.suite.total === 0 ? null : row.suite.passed === row.suite.total;
    const isGreen = gate === null ? ofSuite : ofGate;
    return [
      {
        ...row,
        isGreen,
        isFirstGreen: isGreen === true && row.isFirst,
        publishedMs: published.getTime() - row.requestedAt,
      },
    ];
  });
  const series = (kind: Trend['series'][number]['kind'], called: string | null, rows: Seen[]) => ({
    kind,
    name: called,
    total: count(rows),
    buckets: bucketsOf(period).map(({ begin, from, to }) => ({
      from: begin.toISOString(),
      ...count(rows.filter((row) => row.requestedAt >= from.getTime() && row.requestedAt < to.getTime())),
    })),
  });
  const head = {
    gate,
    suite,
    from: period.from.toISOString(),
    to: period.to.toISOString(),
    bucket: period.bucket,
    by,
  };
  if (by === null) return { ...head, series: [series('all', null, seen)] };
  const nameOf = (row: Seen) => (by === 'agent' ? row.agent : row.author);
  const settledBy = Map.groupBy(
    seen.filter(({ isGreen }) => isGreen !== null),
    nameOf,
  );
  const named = [...settledBy]
    .flatMap(([called, rows]) => (called === null ? [] : [{ called, settled: rows.length }]))
    .toSorted((one, other) => other.settled - one.settled || (one.called < other.called ? -1 : 1))
    .slice(0, 12)
    .map(({ called }) => called);
  const unnamed = seen.filter((row) => nameOf(row) === null);
  const others = seen.filter((row) => nameOf(row) !== null && !named.includes(nameOf(row) ?? ''));
  const tellsSomething = (rows: Seen[]) => rows.some(({ isGreen, bits }) => isGreen !== null || bits > 0);
  return {
    ...head,
    series: [
      ...named.map((called) =>
        series(
          'named',
          called,
          seen.filter((row) => nameOf(row) === called),
        ),
      ),
      ...(tellsSomething(unnamed) ? [series('unnamed', null, unnamed)] : []),
      ...(tellsSomething(others) ? [series('others', null, others)] : []),
    ],
  };
}

describe.each([
  { kind: 'the embedded database', runs: 60 },
  { kind: 'PostgreSQL', runs: 20 },
])('a trend on $kind', ({ kind, runs }) => {
  let opened: OpenDatabase;
  let close: () => Promise<void>;
  beforeAll(async () => {
    const dataDir = await temporaryFolder();
    if (kind === 'PostgreSQL') {
      const server = await startPostgres();
      opened = await openDatabase({ dataDir, databaseUrl: server.url });
      close = () => server.close();
    } else {
      await copyTemplate(dataDir);
      opened = await openDatabase({ dataDir });
      close = () => rm(dataDir, { recursive: true, force: true });
    }
    // Where clocks are changed, a day has 23 hours or 25: buckets are of UTC all the same.
    await opened.database.execute(sql`SET TIME ZONE 'Europe/Berlin'`);
  });
  afterAll(async () => {
    await opened.close();
    await close();
  });

  test('is what history counts up to, whatever is asked and whoever asks', async () => {
    await fc.assert(
      fc.asyncProperty(
        attempts,
        fc.array(questions, { minLength: 1, maxLength: 4 }),
        readers,
        async (history, asked, reader) => {
          await replaceHistory(opened.database, history);
          for (const question of asked) {
            const trend = await findTrend(opened.database, question, reader, now);
            expect(trend).toEqual(tell(history, question, reader));
            expect(trendSchema.safeParse(trend).success).toBe(true);
          }
        },
      ),
      { numRuns: runs },
    );
  });

  test('of nothing has all its buckets, and knows no rate', async () => {
    await replaceHistory(opened.database, []);
    const asked = {
      gate: 'g',
      from: '2026-03-01T00:00:00Z',
      to: '2026-04-01T00:00:00Z',
      bucket: 'day' as const,
    };
    const [series] = (await findTrend(opened.database, asked, { gates: null, slotMs: undefined }, now))
      .series;
    expect(series?.buckets).toHaveLength(31);
    expect(new Set(series?.buckets.map(({ passRate }) => passRate.rate))).toEqual(new Set([null]));
    const by = { ...asked, by: 'agent' as const };
    expect((await findTrend(opened.database, by, { gates: null, slotMs: undefined }, now)).series).toEqual(
      [],
    );
  });
});
