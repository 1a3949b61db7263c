/** History: what is kept of every attempt, on both databases, from whichever version the database is. */
import { randomUUID } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite';
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator';
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js';
import { migrate as migratePostgres } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appendScore, appendVerdict } from '../../gate/append-history.ts';
import { block } from '../../gate/decide.ts';
import { ResultMonths } from '../../gate/result-months.ts';
import { rowsOf } from '../../migrations/rows-of.ts';
import { Seals } from '../../suites/sealing/sealing.ts';
import { runCommand } from '../command.ts';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { adminToken, type Client, sealSuite, startWorld, type World } from '../world.ts';

let home: string;
let server: PostgresServer;
beforeAll(async () => {
  [home, server] = await Promise.all([temporaryFolder(), startPostgres()]);
});
afterAll(async () => {
  await server.close();
  await rm(home, { recursive: true, force: true });
});

/** The migrations up to one that was the newest once. */
async function migrationsUpTo(newest: number): Promise<string> {
  const folder = join(home, `migrations-${randomUUID()}`);
  await mkdir(folder);
  await cp('migrations/sql', folder, { recursive: true });
  const path = join(folder, 'meta/_journal.json');
  const journal: { entries: { idx: number }[] } = JSON.parse(await readFile(path, 'utf8'));
  journal.entries = journal.entries.filter(({ idx }) => idx <= newest);
  await writeFile(path, JSON.stringify(journal));
  return folder;
}

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const id = (digit: string) => `0000000${digit}-0000-4000-8000-000000000000`;

/** A few scores, as the version before attempts were counted wrote them down. */
const oldRows = `
  INSERT INTO candidates (digest, bytes) VALUES ('${digest('a')}', 'x'), ('${digest('b')}', 'y');
  INSERT INTO gate_policies (gate, version, suites, attempts_per_change, disclosure, created_by)
  VALUES ('old', 1, '{s,t}', 20, 'verdict', 'somebody');
  INSERT INTO scores (
    id, gate, policy_version, change_id, commit, repository, author, candidate, requested_at, requested_by, deadline_at, request_digest
  )
  SELECT id::uuid, 'old', 1, change, 'c0ffee', repository, 'A. Author', candidate, at::timestamptz, 'somebody', at::timestamptz, ''
  FROM (VALUES
    ('${id('1')}', 'PR-1', 'shop', '${digest('a')}', '2026-01-31T23:59:59.999Z'),
    ('${id('2')}', 'PR-1', 'shop', '${digest('b')}', '2026-02-01T00:00:00Z'),
    ('${id('3')}', 'PR-1', 'other', '${digest('b')}', '2026-02-02T00:00:00Z'),
    ('${id('4')}', 'PR-1', 'shop', '${digest('b')}', '2026-02-03T00:00:00Z'),
    ('${id('5')}', 'PR-1', NULL, '${digest('a')}', '2026-02-04T00:00:00Z'),
    ('${id('6')}', 'PR-1', NULL, '${digest('a')}', '2026-02-05T00:00:00Z')
  ) AS attempt (id, change, repository, candidate, at);
  INSERT INTO verdicts (score_id, verdict, reason, revisions, passed, total, duration_ms, decided_at)
  SELECT id::uuid, verdict, reason, '[{"suite":"s","revision":1},{"suite":"t","revision":1}]', passed, 3, 5, '2026-02-06T00:00:00Z'
  FROM (VALUES
    ('${id('1')}', 'block', 'red', 2), ('${id('2')}', 'merge', 'green', 3), ('${id('3')}', 'merge', 'green', 3),
    ('${id('4')}', 'merge', 'green', 3), ('${id('5')}', 'block', 'red', 1)
  ) AS verdict (id, verdict, reason, passed);
  INSERT INTO case_results (score_id, suite, revision, position, outcome, passed, duration_ms)
  SELECT score, suite, 1, position, 'returned', NOT (score, suite, position) IN (
    ('${id('1')}'::uuid, 's', 1), ('${id('5')}'::uuid, 's', 0), ('${id('5')}'::uuid, 't', 0)
  ), 0.5
  FROM unnest('{${[1, 2, 3, 4, 5].map((number) => id(`${number}`)).join()}}'::uuid[]) AS score,
    (VALUES ('s', 0), ('s', 1), ('t', 0)) AS one (suite, position);
  INSERT INTO charges (score_id, suite, revision, bits)
  SELECT id, suite, 1, 2.5 FROM scores, unnest('{s,t}'::text[]) AS suite WHERE id <> '${id('6')}'`;

describe.each(['PGlite', 'PostgreSQL'])('on %s', (kind) => {
  let world: World;

  beforeAll(async () => {
    const migrationsFolder = await migrationsUpTo(9);
    const dataDir = join(home, kind);
    await mkdir(dataDir);
    if (kind === 'PGlite') {
      const client = await PGlite.create(join(dataDir, 'database'));
      await migratePglite(drizzlePglite({ client }), { migrationsFolder });
      await client.exec(oldRows);
      await client.close();
    } else {
      const client = postgres(server.emptyUrl, { max: 1, onnotice: () => {} });
      await migratePostgres(drizzlePostgres({ client }), { migrationsFolder });
      await client.unsafe(oldRows);
      await client.end();
    }
    world = await startWorld({
      HOLDBACK_DATA_DIR: dataDir,
      ...(kind === 'PGlite' ? {} : { DATABASE_URL: server.emptyUrl }),
    });
  });
  afterAll(() => world.close());

  const rows = async (statement: string): Promise<unknown> => {
    const result = rowsOf(await world.service.database.database.execute(statement));
    return JSON.parse(JSON.stringify(result));
  };

  test('a database of an earlier version opens, and its scores are read as before', async () => {
    const lead = await world.as('lead');
    const change = await lead('GET', '/changes/PR-1?gate=old');
    expect(change.json).toMatchObject({
      scores: [
        { id: id('6'), state: 'finished', reason: 'indeterminate' },
        { id: id('5'), verdict: 'block', reason: 'red', passed: 1, total: 3 },
        { id: id('4'), verdict: 'merge', reason: 'green' },
        { id: id('3'), verdict: 'merge', change: { repository: 'other' } },
        { id: id('2'), verdict: 'merge', passed: 3 },
        { id: id('1'), verdict: 'block', durationMs: 5 },
      ],
      next: null,
    });
  });

  test('its attempts are counted, its first greens are known, and its suites have results', async () => {
    expect(
      await rows(`
        SELECT left(right(id::text, -7), 1) AS score, attempt, date(first_requested_at AT TIME ZONE 'UTC')::text AS since
        FROM scores WHERE gate = 'old' ORDER BY sequence`),
    ).toEqual([
      { score: '1', attempt: 1, since: '2026-01-31' },
      { score: '2', attempt: 2, since: '2026-01-31' },
      { score: '3', attempt: 1, since: '2026-02-02' },
      { score: '4', attempt: 3, since: '2026-01-31' },
      { score: '5', attempt: 1, since: '2026-02-04' },
      { score: '6', attempt: 2, since: '2026-02-04' },
    ]);
    expect(
      await rows(`
        SELECT left(right(score_id::text, -7), 1) AS score, gate, author, attempt, is_first_green, bits
        FROM verdicts WHERE gate = 'old' AND score_id <> '${id('6')}' ORDER BY score_id`),
    ).toEqual([
      { score: '1', gate: 'old', author: 'A. Author', attempt: 1, is_first_green: false, bits: 2.5 },
      { score: '2', gate: 'old', author: 'A. Author', attempt: 2, is_first_green: true, bits: 2.5 },
      { score: '3', gate: 'old', author: 'A. Author', attempt: 1, is_first_green: true, bits: 2.5 },
      { score: '4', gate: 'old', author: 'A. Author', attempt: 3, is_first_green: false, bits: 2.5 },
      { score: '5', gate: 'old', author: 'A. Author', attempt: 1, is_first_green: false, bits: 2.5 },
    ]);
    expect(
      await rows(`
        SELECT left(right(score_id::text, -7), 1) AS score, suite, passed, total, is_first_green, bits
        FROM suite_results WHERE gate = 'old' ORDER BY score_id, suite`),
    ).toEqual([
      { score: '1', suite: 's', passed: 1, total: 2, is_first_green: false, bits: 2.5 },
      { score: '1', suite: 't', passed: 1, total: 1, is_first_green: true, bits: 2.5 },
      { score: '2', suite: 's', passed: 2, total: 2, is_first_green: true, bits: 2.5 },
      { score: '2', suite: 't', passed: 1, total: 1, is_first_green: false, bits: 2.5 },
      { score: '3', suite: 's', passed: 2, total: 2, is_first_green: true, bits: 2.5 },
      { score: '3', suite: 't', passed: 1, total: 1, is_first_green: true, bits: 2.5 },
      { score: '4', suite: 's', passed: 2, total: 2, is_first_green: false, bits: 2.5 },
      { score: '4', suite: 't', passed: 1, total: 1, is_first_green: false, bits: 2.5 },
      { score: '5', suite: 's', passed: 1, total: 2, is_first_green: false, bits: 2.5 },
      { score: '5', suite: 't', passed: 0, total: 1, is_first_green: false, bits: 2.5 },
    ]);
  });

  test('its results of cases are kept by months, and those that differ for one candidate are noted', async () => {
    expect(
      await rows(
        `SELECT tableoid::regclass::text AS month, count(*)::int AS count FROM case_results GROUP BY 1 ORDER BY 1`,
      ),
    ).toEqual([
      { month: 'case_results_2026_01', count: 3 },
      { month: 'case_results_2026_02', count: 12 },
    ]);
    // Candidate a: at 1 the case s/1 failed, at 5 the cases s/0 and t/0 did.
    expect(
      await rows('SELECT DISTINCT suite, revision, position FROM flaky_results ORDER BY suite, position'),
    ).toEqual([
      { suite: 's', revision: 1, position: 0 },
      { suite: 's', revision: 1, position: 1 },
      { suite: 't', revision: 1, position: 0 },
    ]);
  });

  describe('attempts', () => {
    const wrong = 'export const run = (x) => (x === 2 ? 0 : x);';
    const right = 'export const run = (x) => x;';
    let lead: Client;
    let author: Client;
    const ids: string[] = [];

    const ask = async (source: string, change: object, more: object = {}) => {
      const scored = await world.admin('POST', '/score', {
        gate: 'h',
        change: {
          id: 'PR-1',
          commit: 'c0ffee',
          repository: 'shop',
          author: 'Ann',
          agent: 'a1',
          model: 'm',
          ...change,
        },
        candidate: { source },
        ...more,
      });
      ids.push(`${Reflect.get(Object(scored.json), 'id')}`);
      return Object(scored.json);
    };
    const list = async (client: Client, query: string) => {
      const { json, status } = await client('GET', `/changes?${query}`);
      expect({ status, json }).toMatchObject({ status: 200 });
      const listed: unknown[] = Object(json).scores;
      return listed
        .map((score) => ids.indexOf(`${Reflect.get(Object(score), 'id')}`))
        .filter((at) => at >= 0);
    };

    beforeAll(async () => {
      for (const suite of ['h1', 'h2']) {
        const cases = [1, 2, 3].map((input) => ({ name: `case ${input}`, input, expect: { equals: input } }));
        await world.admin('POST', `/suites/${suite}/revisions?activate=true`, { cases });
      }
      await world.admin('PUT', '/gates/h', { suites: ['h1', 'h2'] });
      [lead, author] = [await world.as('lead'), await world.as('author')];
      await ask(wrong, {}, { visibleTests: { passed: 7, total: 7 } });
      await ask(`${wrong} // b`, { commit: 'c1' });
      await ask(right, { commit: 'c2' });
      await ask(right, { commit: 'c2' });
      await ask(wrong, { repository: 'other', agent: 'a2', author: 'Bob' });
      await ask(right, { id: 'PR-2', agent: 'a2', model: 'n' });
    });

    test('are listed newest first with who, when, which, what became of it and what it cost', async () => {
      const { json } = await lead('GET', '/changes/PR-1?gate=h&repository=shop');
      const change = { id: 'PR-1', repository: 'shop', author: 'Ann', agent: 'a1', model: 'm' };
      const revisions = [
        { suite: 'h1', revision: 1 },
        { suite: 'h2', revision: 1 },
      ];
      const when = { requestedAt: expect.any(String), decidedAt: expect.any(String) };
      expect(json).toEqual({
        gate: 'h',
        change: 'PR-1',
        next: null,
        scores: [
          {
            attempt: 4,
            verdict: 'merge',
            reason: 'green',
            passed: 6,
            repeats: ids[2],
            exposureBits: 0,
            commit: 'c2',
          },
          {
            attempt: 3,
            verdict: 'merge',
            reason: 'green',
            passed: 6,
            repeats: null,
            exposureBits: 2,
            commit: 'c2',
          },
          {
            attempt: 2,
            verdict: 'block',
            reason: 'red',
            passed: 4,
            repeats: null,
            exposureBits: 2,
            commit: 'c1',
          },
          {
            ...{
              attempt: 1,
              verdict: 'block',
              reason: 'red',
              passed: 4,
              repeats: null,
              exposureBits: 2,
              commit: 'c0ffee',
            },
            visibleTests: { passed: 7, total: 7 },
          },
        ].map(({ commit, exposureBits, ...score }, at) => ({
          ...{ id: ids[3 - at], gate: 'h', state: 'finished', change: { ...change, commit } },
          candidate: { digest: expect.any(String) },
          ...{ ...when, revisions, total: 6, alarms: [], durationMs: expect.any(Number) },
          ...{ ...score, canMerge: score.verdict === 'merge' },
          // Without slots each millisecond is one, and costs more the later it is.
          exposureBits: exposureBits === 0 ? 0 : expect.toSatisfy((bits: number) => bits >= exposureBits),
        })),
      });
      // An author's list is the same: what failed, the score itself tells.
      expect((await author('GET', '/changes/PR-1?gate=h&repository=shop')).json).toEqual(json);
    });

    test('are found by gate, repository, author, agent, model, verdict, reason and time, and by several of them', async () => {
      expect(await list(lead, 'gate=h')).toEqual([5, 4, 3, 2, 1, 0]);
      expect(await list(lead, 'repository=other')).toEqual([4]);
      expect(await list(lead, 'author=Ann')).toEqual([5, 3, 2, 1, 0]);
      expect(await list(lead, 'agent=a2')).toEqual([5, 4]);
      expect(await list(lead, 'model=n')).toEqual([5]);
      expect(await list(lead, 'verdict=merge&gate=h')).toEqual([5, 3, 2]);
      expect(await list(lead, 'reason=red&agent=a1')).toEqual([1, 0]);
      expect(await list(lead, 'verdict=block&author=Bob&gate=h')).toEqual([4]);
      expect(await list(lead, 'gate=h&to=2026-03-01T00:00:00Z')).toEqual([]);
      expect(await list(lead, 'from=2026-03-01T00:00:00Z&gate=h&verdict=merge')).toEqual([5, 3, 2]);
      const before = Object((await lead('GET', '/changes?to=2026-03-01T00:00:00Z&limit=200')).json).scores;
      expect(before).toHaveLength(6);
      const february = 'from=2026-02-02T00:00:00Z&to=2026-02-04T00:00:00.000Z&gate=old';
      expect((await lead('GET', `/changes?${february}`)).json).toMatchObject({
        scores: [{ id: id('4') }, { id: id('3') }],
      });
    });

    test.each(['gate=h', 'verdict=block', 'agent=a1&gate=h', ''])(
      'come page by page, each once and in order: %s',
      async (query) => {
        const whole = Object((await lead('GET', `/changes?${query}&limit=200`)).json).scores;
        const paged: unknown[] = [];
        for (let cursor: unknown = ''; cursor !== null; ) {
          const { json } = await lead('GET', `/changes?${query}&limit=2${cursor}`);
          const { scores, next } = Object(json);
          paged.push(...scores);
          cursor = next === null ? null : `&cursor=${next}`;
        }
        expect(paged).toEqual(whole);
        expect(paged.length).toBeGreaterThan(2);
      },
    );

    test("are those of the token's gates alone", async () => {
      const elsewhere = await world.as('lead', ['old']);
      expect(await list(elsewhere, '')).toEqual([]);
      expect((await elsewhere('GET', '/changes')).text).toContain(id('6'));
      expect((await elsewhere('GET', '/changes?gate=h')).json).toMatchObject({ code: 'gate_forbidden' });
      expect((await lead('GET', '/changes?gate=nowhere')).json).toMatchObject({ code: 'gate_not_found' });
    });

    test('tell how each case ended: its name to authors, which is recorded, and its position to leads', async () => {
      const { json } = await lead('GET', `/scores/${ids[0]}/cases`);
      const results = ['h1', 'h2'].flatMap((suite) =>
        [0, 1, 2].map((position) => ({
          ...{ suite, revision: 1, position, outcome: 'returned', passed: position !== 1 },
          durationMs: expect.any(Number),
        })),
      );
      const told = { score: ids[0], state: 'finished', ranIn: ids[0], next: null };
      expect(json).toEqual({ ...told, cases: results });
      const named = results.map((result) => ({ ...result, name: `case ${result.position + 1}` }));
      expect((await author('GET', `/scores/${ids[0]}/cases`)).json).toEqual({ ...told, cases: named });
      const limited = await world.as('author', ['h'], { suites: ['h2'] });
      expect((await limited('GET', `/scores/${ids[0]}/cases`)).json).toEqual({
        ...{ ...told, cases: named.slice(3) },
      });
      expect((await limited('GET', `/scores/${ids[0]}/cases?suite=h1`)).json).toMatchObject({
        code: 'suite_forbidden',
      });
      const second = await lead('GET', `/scores/${ids[0]}/cases?suite=h1&limit=2`);
      expect(second.json).toEqual({ ...told, cases: results.slice(0, 2), next: 2 });
      const rest = await lead('GET', `/scores/${ids[0]}/cases?suite=h1&limit=2&cursor=2`);
      expect(rest.json).toEqual({ ...told, cases: results.slice(2, 3) });
      const read = await rows(
        `SELECT (entry::json->'about'->>'cases')::int AS cases FROM audit WHERE entry::json->>'action' = 'score.cases_read' ORDER BY sequence`,
      );
      expect(read).toEqual([{ cases: 6 }, { cases: 3 }]);
      // A repetition ran nothing itself.
      expect((await lead('GET', `/scores/${ids[3]}/cases`)).json).toMatchObject({
        ...{ score: ids[3], ranIn: ids[2] },
        cases: Array.from({ length: 6 }, () => ({ passed: true })),
      });
      expect((await lead('GET', `/scores/${id('6')}/cases`)).json).toMatchObject({ ranIn: null, cases: [] });
    });

    test('keep beside their verdict and suites what trends ask', async () => {
      expect(
        await rows(`
          SELECT suite, passed, total, attempt, agent, visible_passed, is_first_green FROM suite_results
          WHERE gate = 'h' AND suite = 'h1' ORDER BY requested_at`),
      ).toEqual([
        {
          suite: 'h1',
          passed: 2,
          total: 3,
          attempt: 1,
          agent: 'a1',
          visible_passed: 7,
          is_first_green: false,
        },
        {
          suite: 'h1',
          passed: 2,
          total: 3,
          attempt: 2,
          agent: 'a1',
          visible_passed: null,
          is_first_green: false,
        },
        {
          suite: 'h1',
          passed: 3,
          total: 3,
          attempt: 3,
          agent: 'a1',
          visible_passed: null,
          is_first_green: true,
        },
      ]);
      expect(
        await rows(`
          SELECT attempt, agent, is_first_green, bits > 0 AS charged FROM verdicts WHERE gate = 'h' ORDER BY requested_at`),
      ).toEqual([
        { attempt: 1, agent: 'a1', is_first_green: false, charged: true },
        { attempt: 2, agent: 'a1', is_first_green: false, charged: true },
        { attempt: 3, agent: 'a1', is_first_green: true, charged: true },
        { attempt: 4, agent: 'a1', is_first_green: false, charged: false },
        { attempt: 1, agent: 'a2', is_first_green: false, charged: false },
        { attempt: 1, agent: 'a2', is_first_green: true, charged: false },
      ]);
    });
  });

  describe('what is appended at once', () => {
    // Nothing that is appended here is sealed.
    const seals = new Seals({ secrets: [], recipient: '', earlier: [], recipients: [] });
    const scoring = () => ({ database: world.service.database.database, seals });
    const attempt = (change: string, candidate: string, gate = 'old') =>
      appendScore(world.service.database.database, {
        ...{ id: randomUUID(), gate, policyVersion: 1, change: { id: change, commit: 'c0ffee' }, candidate },
        ...{ requestedBy: 'somebody', requestedAt: new Date(), deadlineAt: new Date(), requestDigest: '' },
        ...{ idempotencyKey: undefined, visibleTests: undefined },
      });
    const results = (...passed: boolean[]) =>
      passed.map((isPassed, position) => ({
        ...{ name: `case ${position}`, position, outcome: 'returned' as const, passed: isPassed },
        ...{ message: '', durationMs: 0.25 },
      }));

    test('attempts of a change are numbered one after the other, however many arrive together', async () => {
      const appended = await Promise.all(
        Array.from({ length: 12 }, () => attempt('PR-together', digest('a'))),
      );
      const records = appended.map(({ record }) => record).toSorted((a, b) => a.sequence - b.sequence);
      expect(records.map((record) => record.attempt)).toEqual(records.map((_, index) => index + 1));
      const [first] = records;
      for (const { firstRequestedAt } of records) expect(firstRequestedAt).toEqual(first?.requestedAt);
    });

    test('of greens of one change that are decided together one is the first', async () => {
      await sealSuite(world, 'greens', { cases: [{ name: 'one', input: 1, expect: { equals: 1 } }] });
      const ask = (source: string) =>
        world.admin('POST', '/score', {
          ...{ gate: 'greens', change: { id: 'PR-greens', commit: 'c0ffee' }, candidate: { source } },
        });
      const sources = [1, 2, 3].map((number) => `export const run = (x) => x; // ${number}`);
      for (const { json } of await Promise.all(sources.map(ask)))
        expect(json).toMatchObject({ verdict: 'merge' });
      for (const table of ['verdicts', 'suite_results']) {
        const counted = await rows(`
          SELECT count(*)::int AS greens, count(*) FILTER (WHERE is_first_green)::int AS first
          FROM (SELECT * FROM ${table}) AS appended WHERE change_id = 'PR-greens'`);
        expect(counted, table).toEqual([{ greens: 3, first: 1 }]);
      }
    });

    test('a case that ends otherwise for a candidate than it did before is noted, whichever gate asks', async () => {
      const decide = async (passed: boolean[]) => {
        const { record } = await attempt('PR-flaky', digest('a'));
        const asked = { positions: passed.map((_, position) => position), proving: passed.length };
        await appendVerdict(
          scoring(),
          {
            ...{
              scoreId: record.id,
              gate: 'old',
              policyVersion: 1,
              decision: block('red'),
              decidedAt: new Date(),
            },
            scored: [{ suite: 'f', revision: 1, ...asked, results: results(...passed) }],
            ...{ repeats: undefined, durationMs: 1, failures: [], alarms: [], seed: null },
            charges: [{ suite: 'f', revision: 1, bits: 2 }],
          },
          async () => {},
        );
        return record.id;
      };
      await decide([true, false, true]);
      await decide([true, false, true]);
      const flaky = () =>
        rows(
          "SELECT score_id, revision, position, passed FROM flaky_results WHERE suite = 'f' ORDER BY position",
        );
      expect(await flaky()).toEqual([]);
      const later = await decide([true, true, false]);
      expect(await flaky()).toEqual([
        { score_id: later, revision: 1, position: 1, passed: true },
        { score_id: later, revision: 1, position: 2, passed: false },
      ]);
    });

    test('of a verdict that is refused nothing is kept, not even in the audit', async () => {
      const { record } = await attempt('PR-refused', digest('b'));
      const counts = () =>
        rows(`SELECT (SELECT count(*)::int FROM suite_results) AS suites, (SELECT count(*)::int FROM case_results) AS cases,
          (SELECT count(*)::int FROM charges) AS charges, (SELECT count(*)::int FROM audit) AS audit`);
      const before = await counts();
      const refused = appendVerdict(
        scoring(),
        {
          ...{
            scoreId: record.id,
            gate: 'old',
            policyVersion: 1,
            decision: block('red'),
            decidedAt: new Date(),
          },
          scored: [{ suite: 'f', revision: 1, positions: [0], proving: 1, results: results(true, false) }],
          ...{ repeats: undefined, durationMs: 1, failures: [], alarms: [], seed: 'no seed' },
          charges: [{ suite: 'f', revision: 1, bits: 2 }],
        },
        async () => {},
      );
      await expect(refused).rejects.toMatchObject({
        cause: { message: expect.stringContaining('verdicts_have_a_whole_seed') },
      });
      expect(await counts()).toEqual(before);
    });
  });

  describe('months of results', () => {
    const inserted = (into: string, at: string) =>
      rows(`
        INSERT INTO ${into} (score_id, suite, revision, position, outcome, passed, duration_ms, at)
        VALUES ('${id('1')}', 's', 1, 77, 'returned', true, 1, ${at})`);
    const months = () =>
      rows(`SELECT tableoid::regclass::text AS month FROM case_results GROUP BY 1 ORDER BY 1`);
    const ofScore = `(SELECT requested_at FROM scores WHERE id = '${id('1')}')`;

    test('are guarded as the whole is, by whichever name they are written to', async () => {
      for (const table of ['case_results', 'case_results_2026_01', 'case_results_default']) {
        for (const statement of [
          `DELETE FROM ${table}`,
          `TRUNCATE ${table}`,
          `UPDATE ${table} SET passed = true`,
        ]) {
          await expect(rows(statement), statement).rejects.toMatchObject({
            cause: { message: expect.stringContaining('append-only') },
          });
        }
      }
      // A result is of its score's moment, so that no case of a score has two.
      for (const [table, at] of [
        ['case_results', "'2026-01-31T23:59:59Z'"],
        ['case_results_2026_01', "'2026-01-31T23:59:59Z'"],
        ['case_results_default', "'2031-01-31T23:59:59Z'"],
      ] as const) {
        await expect(inserted(table, at), table).rejects.toMatchObject({
          cause: { message: expect.stringContaining('case_results_of_a_score') },
        });
      }
      const twice = rows(`
        INSERT INTO case_results (score_id, suite, revision, position, outcome, passed, duration_ms, at)
        SELECT score_id, suite, revision, position, outcome, NOT passed, 1, ${ofScore} FROM case_results WHERE score_id = '${id('1')}'`);
      await expect(twice).rejects.toMatchObject({ cause: { message: expect.stringContaining('pk') } });
    });

    test('are there ahead of need, and what is of none has a place all the same', async () => {
      const months = new ResultMonths(world.service.database.database, undefined);
      await months.tend(new Date('2031-12-31T23:59:59Z'));
      await months.tend(new Date('2031-12-31T23:59:59Z'));
      const names = await rows(
        `SELECT relname FROM pg_class WHERE relname LIKE 'case_results_20%' AND relkind = 'r' ORDER BY 1 DESC LIMIT 4`,
      );
      expect(JSON.stringify(names)).toMatch(/2032_02.*2032_01.*2031_12/);
      await rows(`
        INSERT INTO scores (
          id, gate, policy_version, change_id, commit, candidate, requested_at, requested_by, deadline_at, request_digest, attempt,
          first_requested_at
        ) SELECT '${id('7')}', gate, policy_version, 'PR-7', commit, candidate, '2025-11-01Z', requested_by, deadline_at, '', 1, '2025-11-01Z'
        FROM scores WHERE id = '${id('1')}'`);
      await rows(`
        INSERT INTO case_results (score_id, suite, revision, position, outcome, passed, duration_ms, at)
        VALUES ('${id('7')}', 's', 1, 0, 'returned', false, 1, '2025-11-01Z')`);
      expect(
        await rows(
          `SELECT tableoid::regclass::text AS month FROM case_results WHERE score_id = '${id('7')}'`,
        ),
      ).toEqual([{ month: 'case_results_default' }]);
      // A month of which something stands there already is left to it.
      await months.tend(new Date('2025-09-30T00:00:00Z'));
      expect(
        await rows(
          `SELECT to_regclass('case_results_2025_10')::text AS a, to_regclass('case_results_2025_11')::text AS b`,
        ),
      ).toEqual([{ a: 'case_results_2025_10', b: null }]);
    });

    test('are dropped when they are old enough, which the audit records, and verdicts, counts and the audit stay', async () => {
      const lead = await world.as('lead');
      const before = await lead('GET', '/changes?gate=old');
      expect((await lead('GET', `/scores/${id('1')}/cases`)).json).toMatchObject({
        ranIn: id('1'),
        cases: [{}, {}, {}],
      });
      const keeping = new ResultMonths(world.service.database.database, 1);
      // A month is kept until the last of its results need not be.
      await keeping.tend(new Date('2026-02-28T23:59:59.999Z'));
      expect(JSON.stringify(await months())).toMatch(/^(?!.*default).*2026_01.*2026_02/);
      await keeping.tend(new Date('2026-03-01T00:00:00Z'));
      expect(JSON.stringify(await months())).toMatch(/^(?!.*2026_01).*2026_02/);
      await keeping.tend(new Date('2026-03-01T00:00:00Z'));

      const dropped = await lead('GET', `/scores/${id('1')}/cases`);
      expect(dropped).toMatchObject({ status: 410, json: { code: 'results_not_kept' } });
      expect(dropped.text).toContain('2026-01');
      expect((await lead('GET', '/changes?gate=old')).json).toEqual(before.json);
      expect((await lead('GET', `/scores/${id('1')}`)).json).toMatchObject({
        verdict: 'block',
        passed: 2,
        total: 3,
      });
      expect((await lead('GET', `/scores/${id('2')}/cases`)).json).toMatchObject({ cases: [{}, {}, {}] });
      expect(
        await rows(
          `SELECT (entry::json->>'about')::json AS about FROM audit WHERE entry::json->>'action' = 'results.dropped' ORDER BY sequence`,
        ),
      ).toEqual([
        { about: { month: '2025-09', results: 0 } },
        { about: { month: '2025-10', results: 0 } },
        { about: { month: null, before: '2026-01-28T23:59:59.999Z', results: 1 } },
        { about: { month: '2026-01', results: 3 } },
      ]);
      // What was made anew is guarded too.
      await expect(rows('DELETE FROM case_results_default')).rejects.toThrow();
      const verified = await runCommand(['audit', 'verify'], {
        HOLDBACK_URL: world.service.address,
        HOLDBACK_TOKEN: adminToken,
      });
      expect(verified).toMatchObject({ code: 0, err: '' });
    });
  });
});
