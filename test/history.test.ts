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
import { rowsOf } from '../migrations/rows-of.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { startWorld, type World } from './world.ts';

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
});
