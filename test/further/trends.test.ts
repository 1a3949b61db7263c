/**
 * Trends say what history says: over random histories they are what a few plain lines of TypeScript count, on both databases; and
 * through the service each reader gets what they may know.
 */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { sql } from 'drizzle-orm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publishedAt } from '../../gate/disclosure/publication.ts';
import { findCaseTrends } from '../../gate/trends/case-trends.ts';
import { gapOf } from '../../gate/trends/newcombe.ts';
import {
  type CaseTrends,
  caseTrendsSchema,
  type Figures,
  type Trend,
  type TrendQuestion,
  trendSchema,
} from '../../gate/trends/trend.ts';
import { csvOfTrend } from '../../gate/trends/trend-csv.ts';
import { bucketsOf, periodOf } from '../../gate/trends/trend-period.ts';
import { findTrend, type TrendReader } from '../../gate/trends/trends.ts';
import { rateOf } from '../../gate/trends/wilson.ts';
import { type Database, type OpenDatabase, openDatabase } from '../../migrations/open-database.ts';
import { questionOf, viewOf } from '../../server/pages/trends-view.ts';
import { runCommand } from '../command.ts';
import { startPostgres } from '../postgres-server.ts';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { adminToken, type Client, sealSuite, startWorld, type World } from '../world.ts';

const hourMs = 3_600_000;

/** An attempt as history has it: what came of it at its gate, and of the suite `s`, if that was run. */
type Attempt = {
  id: string;
  gate: string;
  requestedAt: number;
  tookMs: number;
  sinceFirstMs: number;
  reason: string;
  /** Whether its verdict is an earlier one again. */
  repeats: boolean;
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
  { weight: 1, arbitrary: fc.constantFrom(null, 'a', 'b') },
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
    repeats: fc.boolean(),
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
  // As often long as short: there are to be more names than have series of their own.
  { maxLength: 80, size: 'max' },
);

const questions: fc.Arbitrary<TrendQuestion> = fc
  .record({
    of: fc.constantFrom({ gate: 'g' }, { suite: 's' }),
    times: fc.tuple(instant, instant).filter(([one, other]) => one !== other),
    bucket: fc.constantFrom('hour', 'day', 'week', 'month', undefined),
    by: fc.constantFrom('agent', 'author', undefined),
    agent: fc.constantFrom('a', undefined, undefined),
  })
  .map(({ of, times, ...rest }) => {
    const [from, to] = [Math.min(...times), Math.max(...times)];
    return {
      ...of,
      from: new Date(from).toISOString(),
      // Of series that are compared, fewer buckets are answered.
      to: new Date(rest.by === undefined ? to : Math.min(to, from + 100 * hourMs)).toISOString(),
      ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
    };
  });

const readers: fc.Arbitrary<TrendReader> = fc.record({
  gates: fc.constantFrom(null, null, null, ['g'], ['g'], []),
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
    score_id uuid, number int, gate text, verdict text, reason text, repeats boolean, requested_at timestamptz, decided_at timestamptz,
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
      INSERT INTO verdicts (score_id, verdict, reason, repeats, revisions, passed, total, duration_ms, decided_at, is_first_green, ${columns})
      SELECT score_id, verdict, reason, CASE WHEN repeats THEN score_id END, '[]', (reason = 'green')::int, 1, 1, decided_at, reason = 'green' AND "isFirst", ${copied} FROM ${given}`);
    await transaction.execute(sql`
      INSERT INTO suite_results (score_id, suite, revision, candidate, passed, total, decided_at, is_first_green, ${columns})
      SELECT score_id, 's', 1, 'd', suite_passed, suite_total, decided_at, suite_total > 0 AND suite_passed = suite_total AND "isFirst", ${copied}
      FROM ${given} WHERE suite_total IS NOT NULL`);
  });
}

/** An attempt as a trend of its gate or of the suite sees it. */
type Seen = Attempt & {
  isGreen: boolean | null;
  hasPassed: boolean;
  isFirstGreen: boolean;
  publishedMs: number;
};

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
    escapes: seen.filter(({ hasPassed, escaped }) => hasPassed && escaped).length,
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
    const result = gate === null ? ofSuite : ofGate;
    return [
      {
        ...row,
        // Of a suite there is a row only where it was run.
        isGreen: gate !== null && row.repeats ? null : result,
        hasPassed: result === true,
        isFirstGreen: result === true && row.isFirst,
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

/** A suite with its revisions, the last of them active, and every time that one of these ran. */
type Record = {
  revisions: { digest: string; expiresAt: number | null }[][];
  ran: { id: string; revision: number; at: number; gate: string; failing: number[]; flipped: number[] }[];
};

const gatesOfReader: fc.Arbitrary<string[] | null> = fc.constantFrom(null, ['g']);
const positions = fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { maxLength: 2 });
const records: fc.Arbitrary<Record> = fc.record({
  revisions: fc.array(
    fc.array(
      fc.record({
        digest: fc.constantFrom('one', 'two', 'three', 'four'),
        expiresAt: fc.option(fc.oneof(instant, fc.constant(now.getTime() + hourMs)), { freq: 2 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    { minLength: 1, maxLength: 3 },
  ),
  ran: fc
    .array(
      fc.record({
        times: fc.integer({ min: 1, max: 21 }),
        revision: fc.integer({ min: 1, max: 3 }),
        at: instant,
        gate: fc.constantFrom('g', 'h'),
        failing: positions,
        flipped: positions,
      }),
      { maxLength: 4 },
    )
    .map((kinds) =>
      kinds.flatMap(({ times, ...rest }) =>
        Array.from({ length: times }, () => ({ id: randomUUID(), ...rest })),
      ),
    ),
});

/** Whether the case at a position was asked when a revision ran. */
function wasAsked(
  { revisions }: Record,
  { revision, at }: { revision: number; at: number },
  position: number,
) {
  const end = revisions[revision - 1]?.[position]?.expiresAt;
  return end === null || (end !== undefined && at < end);
}

async function replaceRecord(database: Database, record: Record): Promise<void> {
  const cases = record.revisions.flatMap((each, index) =>
    each.map(({ digest, expiresAt }, position) => ({
      revision: index + 1,
      position,
      digest,
      expires: expiresAt === null ? null : new Date(expiresAt),
    })),
  );
  const ran = record.ran
    .filter(({ revision }) => revision <= record.revisions.length)
    .map((each) => ({ ...each, at: new Date(each.at) }));
  const results = ran.flatMap(({ id, revision, at, failing, flipped }) =>
    [0, 1, 2, 3]
      .filter((position) => wasAsked(record, { revision, at: at.getTime() }, position))
      .map((position) => ({
        id,
        revision,
        at,
        position,
        passed: !failing.includes(position),
        flipped: flipped.includes(position),
      })),
  );
  const json = (rows: object[]) => JSON.stringify(rows);
  await database.transaction(async (transaction) => {
    await transaction.execute(sql`SET LOCAL session_replication_role = replica`);
    await transaction.execute(
      sql`TRUNCATE revisions, revision_cases, activations, suite_results, case_results, flaky_results CASCADE`,
    );
    await transaction.execute(sql`
      INSERT INTO revision_cases (suite, revision, position, case_digest, expires_at)
      SELECT 's', * FROM jsonb_to_recordset(${json(cases)}::jsonb) AS row (revision int, position int, digest text, expires timestamptz)`);
    await transaction.execute(sql`
      INSERT INTO activations (suite, revision, activated_by) SELECT 's', number, 'a test' FROM generate_series(1, ${record.revisions.length}::int) AS number`);
    await transaction.execute(sql`
      INSERT INTO suite_results (score_id, suite, revision, candidate, passed, total, decided_at, gate, requested_at, change_id, attempt, first_requested_at, is_first_green, bits)
      SELECT id, 's', revision, 'd', 1, 1, at, gate, at, id, 1, at, false, 0 FROM jsonb_to_recordset(${json(ran)}::jsonb) AS row (id uuid, revision int, at timestamptz, gate text)`);
    const row = sql`jsonb_to_recordset(${json(results)}::jsonb) AS row (id uuid, revision int, position int, passed boolean, flipped boolean, at timestamptz)`;
    await transaction.execute(sql`
      INSERT INTO case_results (score_id, suite, revision, position, outcome, passed, duration_ms, at)
      SELECT id, 's', revision, position, 'returned', passed, 1, at FROM ${row}`);
    await transaction.execute(sql`
      INSERT INTO flaky_results (score_id, suite, revision, position, passed, at)
      SELECT id, 's', revision, position, passed, at FROM ${row} WHERE flipped`);
  });
}

function tellCases(
  record: Record,
  asked: { suite: string; from: string; to: string },
  gates: string[] | null,
): CaseTrends {
  const [from, to] = [new Date(asked.from).getTime(), new Date(asked.to).getTime()];
  const ran = record.ran.filter(
    ({ at, gate }) => at >= from && at < to && (gates === null || gates.includes(gate)),
  );
  const active = record.revisions.at(-1) ?? [];
  const rows = active.flatMap(({ digest, expiresAt }, position) => {
    if (expiresAt !== null && expiresAt <= now.getTime()) return [];
    // Each run of each case of this content, in whichever revision.
    const times = ran.flatMap((run) =>
      (record.revisions[run.revision - 1] ?? []).flatMap((each, place) =>
        each.digest === digest && wasAsked(record, run, place)
          ? [{ at: run.at, failed: run.failing.includes(place), flipped: run.flipped.includes(place) }]
          : [],
      ),
    );
    const flips = times.filter(({ flipped }) => flipped);
    return [
      {
        position,
        runs: times.length,
        failures: times.filter(({ failed }) => failed).length,
        flips: flips.length,
        lastAt: new Date(Math.max(0, ...flips.map(({ at }) => at))).toISOString(),
      },
    ];
  });
  const flaky = rows
    .filter(({ flips }) => flips > 0)
    .toSorted((one, other) => other.flips - one.flips || one.position - other.position);
  const neverFailing = rows
    .filter(({ runs, failures }) => failures === 0 && runs >= 20)
    .toSorted((one, other) => other.runs - one.runs || one.position - other.position);
  return {
    ...asked,
    revision: record.revisions.length,
    cases: rows.length,
    flaky,
    flakyCount: flaky.length,
    neverFailing: neverFailing.map(({ position, runs, failures }) => ({ position, runs, failures })),
    neverFailingCount: neverFailing.length,
  };
}

describe.each([
  { kind: 'the embedded database', runs: 12 },
  { kind: 'PostgreSQL', runs: 60 },
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

  test('of cases is what they did in every revision that has them, where they are in force', async () => {
    await fc.assert(
      fc.asyncProperty(records, instant, gatesOfReader, async (record, from, gates) => {
        await replaceRecord(opened.database, record);
        const asked = {
          suite: 's',
          from: new Date(from).toISOString(),
          to: new Date(now.getTime() + 1).toISOString(),
        };
        const parts = { database: opened.database, open: async () => ({ cases: [] }) };
        const trends = await findCaseTrends(
          parts,
          asked,
          { names: undefined, gates, slotMs: undefined },
          now,
        );
        expect(trends).toEqual(tellCases(record, asked, gates));
        // All was decided at once, twelve hours ago at least: with slots of a minute all is published.
        const heard = { names: undefined, gates, slotMs: 60_000 };
        expect(await findCaseTrends(parts, asked, heard, now)).toEqual(trends);
      }),
      { numRuns: runs },
    );
  });

  test('of more names than have series gives one to the twelve that settled most, and sums the others', async () => {
    const history = names.slice(0, 15).flatMap((agent, index) =>
      Array.from(
        { length: 1 + Math.floor(index / 2) },
        (): Attempt => ({
          ...{
            id: randomUUID(),
            gate: 'g',
            requestedAt: now.getTime() - hourMs,
            tookMs: 1_000,
            sinceFirstMs: 0,
          },
          ...{ reason: 'red', attempt: 1, agent, author: null, visible: null, bits: 2, escaped: false },
          ...{ suite: null, isFirst: false, repeats: false },
        }),
      ),
    );
    await replaceHistory(opened.database, history);
    const reader = { gates: null, slotMs: undefined };
    const asked = { gate: 'g', by: 'agent' as const };
    const trend = await findTrend(opened.database, asked, reader, now);
    expect(trend).toEqual(tell(history, asked, reader));
    expect(trend.series.map(({ kind }) => kind)).toEqual([...Array(12).fill('named'), 'others']);
    expect(trend.series.at(-1)?.total.settled).toBe(1 + 1 + 2);
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

test('unless it is said, a trend is of the thirty days of which today is the last, in an answer as on a page', () => {
  const view = viewOf({ gate: 'g' }, []);
  for (const moment of ['2026-04-06T12:00:00.000Z', '2026-04-06T00:00:00.000Z', '2026-03-29T23:59:59.999Z']) {
    const at = new Date(moment);
    const period = periodOf({}, at);
    expect(bucketsOf(period)).toHaveLength(30);
    expect(view && questionOf(view, at).from).toBe(period.from.toISOString());
  }
});

describe('through the service, a trend', () => {
  let world: World;
  let lead: Client;
  let author: Client;
  const right = 'export const run = (x) => x';
  const wrong = 'export const run = (x) => (x === 2 ? 0 : x)';
  const cases = [1, 2].map((input) => ({ name: `secret ${input}`, input, expect: { equals: input } }));
  beforeAll(async () => {
    world = await startWorld({ HOLDBACK_POOL: '1', HOLDBACK_HOSTS_PER_SCORE: '1' });
    [lead, author] = await Promise.all([world.as('lead'), world.as('author')]);
    await sealSuite(world, 'shop', { cases });
    await world.admin('POST', '/suites/other/revisions?activate=true', { cases });
    await world.admin('PUT', '/gates/both', { suites: ['shop', 'other'] });
    const score = (gate: string, id: string, agent: string, source: string, visible: number) =>
      author('POST', '/score', {
        gate,
        change: { id, commit: 'c0ffee', agent },
        candidate: { source },
        visibleTests: { passed: visible, total: 10 },
      });
    // One agent fits its builds to what it sees, and is right in the end; the name of the other is a formula.
    await score('shop', 'PR-1', 'eager', wrong, 10);
    // The same build once more is not run, and settles nothing.
    await score('shop', 'PR-1', 'eager', wrong, 10);
    await score('shop', 'PR-2', 'eager', `${wrong};`, 10);
    const green = await score('shop', 'PR-2', 'eager', right, 10);
    await score('shop', 'PR-3', '=SUM(A1,"x")', `${right};`, 9);
    await score('both', 'PR-4', 'eager', `${right};;`, 10);
    await author('POST', '/incidents', { gate: 'shop', score: Object(green.json).id, title: 'a bug' });
  });
  afterAll(() => world.close());

  const read = async (client: Client, query: string) => {
    const reply = await client('GET', `/trends?${query}`);
    expect(reply.status, reply.text).toBe(200);
    return trendSchema.parse(reply.json);
  };

  test('tells who fits their builds to the visible tests', async () => {
    const { series, bucket } = await read(lead, 'gate=shop&by=agent');
    expect(bucket).toBe('day');
    expect(series.map(({ kind, name: called, total }) => [kind, called, total.settled])).toEqual([
      ['named', 'eager', 3],
      ['named', '=SUM(A1,"x")', 1],
    ]);
    const { passRate, firstAttemptPassRate, attemptsToGreen, latencyMs, exposureBits, escapes, gap } =
      series[0]?.total ?? expect.fail();
    expect([passRate.count, passRate.of, firstAttemptPassRate.count, firstAttemptPassRate.of]).toEqual([
      1, 3, 0, 2,
    ]);
    expect(attemptsToGreen).toEqual({ count: 1, mean: 2, p50: 2 });
    expect(latencyMs.p50).toBeGreaterThan(0);
    expect([escapes, exposureBits > 0]).toEqual([1, true]);
    expect([gap.visible.count, gap.holdback.count, gap.holdback.of]).toEqual([3, 1, 3]);
    expect(gap.gap).toBeCloseTo(2 / 3, 12);
    const days = series[0]?.buckets ?? [];
    expect(days.map(({ settled }) => settled).reduce((sum, settled) => sum + settled, 0)).toBe(3);
    expect(days.length).toBeGreaterThanOrEqual(30);
  });

  test('of a suite counts its results at every gate that the token reaches', async () => {
    const settled = async (client: Client) => (await read(client, 'suite=shop')).series[0]?.total.settled;
    expect(await settled(lead)).toBe(5);
    expect(await settled(await world.as('lead', ['shop']))).toBe(4);
    expect(await settled(await world.as('lead', undefined, { suites: ['shop'] }))).toBe(5);
  });

  test('is told to nobody whose token does not reach it', async () => {
    const ofShop = await world.as('author', undefined, { suites: ['shop'] });
    const ofBoth = await world.as('author', ['both']);
    for (const [client, query, status, code] of [
      // A gate's verdicts tell of all of its suites.
      [ofShop, 'gate=both', 403, 'suite_forbidden'],
      [ofShop, 'suite=other', 403, 'suite_forbidden'],
      [ofBoth, 'gate=shop', 403, 'gate_forbidden'],
      [await world.as('ci'), 'gate=shop', 403, 'role_forbidden'],
      [await world.as('harness'), 'gate=shop', 403, 'role_forbidden'],
      [lead, 'gate=nowhere', 404, 'gate_not_found'],
      [lead, 'suite=nowhere', 404, 'suite_not_found'],
    ] as const)
      expect((await client('GET', `/trends?${query}`)).json).toMatchObject({ status, code });
    expect((await read(ofShop, 'gate=shop')).series[0]?.total.settled).toBe(4);
    expect((await ofShop('GET', '/trends/cases?suite=other')).json).toMatchObject({
      code: 'suite_forbidden',
    });
  });

  test('of nothing, of too much or of no time is refused with what to ask instead', async () => {
    for (const [query, detail] of [
      ['', /exactly one/],
      ['gate=shop&suite=shop', /exactly one/],
      ['gate=shop&from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z', /before/],
      [
        'gate=shop&from=2026-01-01T00:00:00Z&to=2026-12-31T00:00:00Z&bucket=hour',
        /8,736 buckets of an hour.*400/,
      ],
      ['gate=shop&from=1970-03-01T00:00:00Z&to=8998-01-01T00:00:00Z', /months?/],
      [
        'gate=shop&from=2026-01-01T00:00:00Z&to=2026-12-31T00:00:00Z&bucket=day&by=agent',
        /364 buckets of a day.*130/,
      ],
    ] as const) {
      const { status, json } = await lead('GET', `/trends?${query}`);
      expect([status, Object(json).code]).toEqual([400, 'trend_unfit']);
      expect(Object(json).detail).toMatch(detail);
    }
    for (const query of [
      'gate=shop&from=yesterday',
      'gate=shop&bucket=minute',
      'gate=shop&by=commit',
      'gate=shop&agent=',
    ])
      expect((await lead('GET', `/trends?${query}`)).json).toMatchObject({
        status: 400,
        code: 'invalid_request',
      });
  });

  test('is CSV where that is asked for, in which no name is a formula', async () => {
    const asked = [
      await lead('GET', '/trends?gate=shop&by=agent&format=csv'),
      await lead('GET', '/trends?gate=shop&by=agent', undefined, { accept: 'text/csv' }),
    ];
    for (const { status, headers, text } of asked) {
      expect(status).toBe(200);
      expect(headers.get('content-type')).toContain('text/csv');
      const [head = '', ...rows] = text.trimEnd().split('\r\n');
      const { series } = await read(lead, 'gate=shop&by=agent');
      expect(rows).toHaveLength(series.reduce((sum, { buckets }) => sum + buckets.length, 0));
      expect(head).toMatch(
        /^gate,series,agent,bucket,from,settled,passed,pass_rate,pass_rate_low,pass_rate_high/,
      );
      expect(text).toContain(`shop,named,"'=SUM(A1,""x"")",day,`);
    }
    const json = await lead('GET', '/trends?gate=shop', undefined, {
      accept: 'application/json, text/csv;q=0.5',
    });
    expect(trendSchema.safeParse(json.json).success).toBe(true);
  });

  test('has no formula in its CSV, whatever a spreadsheet takes for the end of a cell or of a line', async () => {
    const trend = await read(lead, 'gate=shop&by=agent');
    for (const formula of ['=1+1', '+1', '-1', '@SUM(1)', '＝1+1', ' =1+1']) {
      for (const before of [
        '',
        'a;',
        'a,',
        '";',
        'a|',
        'a\t',
        'a\n',
        'a\r',
        'a;;',
        'a\u001b[2J;',
        'a\u2028',
      ]) {
        const named = trend.series.map((each) => ({ ...each, name: `${before}${formula}` }));
        const names = csvOfTrend({ ...trend, series: named })
          .split('\r\n')
          .slice(1)
          .map((row) => /^shop,\w+,(.*),day,/.exec(row)?.[1] ?? '');
        // Where another sign than a comma ends a cell, quotes within one are no quotes.
        const cells = names.flatMap((name) => [...name.split(/[;|\t\r\n\u2028]/), name.replace(/^"/, '')]);
        expect(cells.filter((cell) => /^\s*[=+\-@＝]/.test(cell))).toEqual([]);
        expect(names.filter((name) => /\p{Cc}/u.test(name))).toEqual([]);
      }
    }
  });

  test('of cases names them to authors alone, and that is recorded', async () => {
    const { database } = world.service.database;
    await database.transaction(async (transaction) => {
      await transaction.execute(sql`SET LOCAL session_replication_role = replica`);
      await transaction.execute(sql`
        INSERT INTO suite_results (score_id, suite, revision, candidate, passed, total, decided_at, gate, requested_at, change_id, attempt, first_requested_at, is_first_green, bits)
        SELECT gen_random_uuid(), 'shop', 1, 'd', 2, 2, now(), 'shop', now(), 'seeded', 1, now(), false, 0 FROM generate_series(1, 20)`);
    });
    const cases = async (client: Client) => {
      const { status, json, text } = await client('GET', '/trends/cases?suite=shop');
      expect(status, text).toBe(200);
      return caseTrendsSchema.parse(json);
    };
    const ofLead = await cases(lead);
    expect(ofLead).toMatchObject({
      cases: 2,
      flaky: [],
      neverFailing: [{ position: 0, runs: 25, failures: 0 }],
    });
    expect(JSON.stringify(ofLead)).not.toContain('secret');
    // At whose gates it ran does not matter to who reaches all of them, and to nobody else is told of the others.
    expect((await cases(await world.as('lead', ['shop']))).neverFailing).toEqual([
      { position: 0, runs: 24, failures: 0 },
    ]);
    expect((await cases(await world.as('lead', ['both']))).neverFailing).toEqual([]);
    const readings = async () => Object((await lead('GET', '/audit?limit=1000')).json).records;
    const before = (await readings()).length;
    expect((await cases(author)).neverFailing).toEqual([
      { position: 0, name: 'secret 1', runs: 25, failures: 0 },
    ]);
    const newest = (await readings()).slice(before);
    expect(JSON.stringify(newest)).toContain('revision.read');
  });

  test('is a table in the terminal, or CSV', async () => {
    const environment = { HOLDBACK_URL: world.service.address, HOLDBACK_TOKEN: adminToken };
    const run = (...flags: string[]) => runCommand(['trends', ...flags], environment);
    const [table, days, csv, ofCases, wrong] = await Promise.all([
      run('--gate', 'shop', '--by', 'agent'),
      run('--gate', 'shop'),
      run('--gate', 'shop', '--csv'),
      run('cases', '--suite', 'shop'),
      run('--gate', 'shop', '--suite', 'shop'),
    ]);
    expect([table.code, table.err]).toEqual([0, '']);
    expect(table.out).toMatch(/^eager +3 +33% \(6–79\) /m);
    // Before today there was nothing, and no row says so.
    expect(days.out).toMatch(/^day .*\n\d{4}-\d\d-\d\d +4 +50% .*\nin all +4 +50% /m);
    expect(csv.out).toMatch(/^gate,series,name,bucket,from,settled/);
    expect(ofCases.out).toContain('"secret 1": 25 runs');
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('name one of --gate and --suite')]);
  });
});
