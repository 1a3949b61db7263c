/** The main job on both databases: a sealed suite gates a build, and the verdict holds for exactly what was scored. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { scoreRequest, sealSuite, startWorld, type World } from './world.ts';

const addOne = 'export function run(x) { return x + 1 }';
const always42 = 'export const run = () => 42';
const cases = [
  { name: 'the answer', input: 41, expect: { equals: 42 } },
  { name: 'SECRET-CASE-NAME', input: 1, expect: { equals: 2 } },
];

describe.each(['the embedded database', 'PostgreSQL'])('on %s', (kind) => {
  let postgres: PostgresServer | undefined;
  let world: World;

  beforeAll(async () => {
    if (kind === 'PostgreSQL') postgres = await startPostgres();
    world = await startWorld(postgres === undefined ? {} : { DATABASE_URL: postgres.url });
    await sealSuite(world, 'increment', { cases });
  });
  afterAll(async () => {
    await world.close();
    await postgres?.close();
  });

  test('a right build may merge, and the verdict says so to whoever asks', async () => {
    const ci = await world.as('ci');
    const scored = await ci('POST', '/score', scoreRequest('increment', addOne, 'PR-1', 'aaa'));
    expect(scored.status).toBe(200);
    expect(scored.json).toMatchObject({
      verdict: 'merge',
      canMerge: true,
      reason: 'green',
      gate: 'increment',
    });
    const digest = digestOf(scored.json);
    const harness = await world.as('harness');
    const asked = await harness('GET', verdictPath('increment', 'PR-1', 'aaa', digest));
    expect(asked.json).toMatchObject({ verdict: 'merge', canMerge: true, reason: 'green' });
  });

  test('an over-fitted build is blocked', async () => {
    const ci = await world.as('ci');
    const scored = await ci('POST', '/score', scoreRequest('increment', always42, 'PR-2'));
    expect(scored.json).toMatchObject({ verdict: 'block', canMerge: false, reason: 'red' });
  });

  test('ci sees the verdict and nothing of the cases; an author sees which case failed and how', async () => {
    const [ci, author, lead] = await Promise.all([world.as('ci'), world.as('author'), world.as('lead')]);
    const scored = await ci('POST', '/score', scoreRequest('increment', always42, 'PR-3'));
    expect(Object.keys(Object(scored.json)).sort()).toEqual(
      ['canMerge', 'candidate', 'change', 'gate', 'id', 'reason', 'revisions', 'state', 'verdict'].sort(),
    );
    const path = `/scores/${Reflect.get(Object(scored.json), 'id')}`;
    expect((await ci('GET', path)).text).toBe(scored.text);
    expect((await author('GET', path)).json).toMatchObject({
      passed: 1,
      total: 2,
      failures: [
        {
          suite: 'increment',
          case: 'SECRET-CASE-NAME',
          outcome: 'returned',
          message: 'it should equal 2, but is 42',
        },
      ],
    });
    const seenByLead = await lead('GET', path);
    expect(seenByLead.json).toMatchObject({ passed: 1, total: 2 });
    expect(seenByLead.text).not.toContain('SECRET');
  });

  test('a verdict is for its change, commit and candidate alone', async () => {
    const ci = await world.as('ci');
    const scored = await ci('POST', '/score', scoreRequest('increment', addOne, 'PR-4', 'bbb'));
    const digest = digestOf(scored.json);
    const other = `sha256:${'0'.repeat(64)}`;
    for (const path of [
      verdictPath('increment', 'PR-5', 'bbb', digest),
      verdictPath('increment', 'PR-4', 'ccc', digest),
      verdictPath('increment', 'PR-4', 'bbb', other),
    ]) {
      const asked = await ci('GET', path);
      expect(asked.status).toBe(200);
      expect(asked.json).toMatchObject({ verdict: 'block', canMerge: false, reason: 'not_scored' });
    }
  });

  test('a green goes stale when a required suite gets another active revision, and when the policy changes', async () => {
    await sealSuite(world, 'moving', { cases });
    const ci = await world.as('ci');
    const scorePaths: string[] = [];
    const score = async () => {
      const scored = await ci('POST', '/score', scoreRequest('moving', addOne, 'PR-6', 'ddd'));
      expect(scored.json).toMatchObject({ verdict: 'merge' });
      scorePaths.push(`/scores/${Reflect.get(Object(scored.json), 'id')}`);
      return verdictPath('moving', 'PR-6', 'ddd', digestOf(scored.json));
    };
    const path = await score();
    const draft = await world.admin('POST', '/suites/moving/revisions', { cases });
    expect(draft.json).toMatchObject({ revision: 2, state: 'draft' });
    expect((await ci('GET', path)).json).toMatchObject({ verdict: 'merge' });
    await world.admin('POST', '/suites/moving/revisions/2/activate');
    expect((await ci('GET', path)).json).toMatchObject({
      verdict: 'block',
      canMerge: false,
      reason: 'stale',
    });
    // By its score, as a request that is repeated with its idempotency key would be answered: so it is too.
    const [scorePath = ''] = scorePaths;
    expect((await ci('GET', scorePath)).json).toMatchObject({ canMerge: false, reason: 'stale' });
    expect((await world.admin('GET', scorePath)).json).toMatchObject({ reason: 'green' });
    await score();
    expect((await ci('GET', path)).json).toMatchObject({ verdict: 'merge' });
    await world.admin('PUT', '/gates/moving', { suites: ['moving', 'increment'] });
    expect((await ci('GET', path)).json).toMatchObject({ verdict: 'block', reason: 'stale' });
  });

  test('a change that was tried as often as its gate allows is blocked, whoever asks; another change is not', async () => {
    await sealSuite(world, 'budgeted', { cases });
    await world.admin('PUT', '/gates/budgeted', { suites: ['budgeted'], attemptsPerChange: 2 });
    const reasons: unknown[] = [];
    for (const source of [always42, `${always42} // again`, addOne]) {
      const ci = await world.as('ci');
      const scored = await ci('POST', '/score', scoreRequest('budgeted', source, 'PR-12'));
      reasons.push(Reflect.get(Object(scored.json), 'reason'));
    }
    expect(reasons).toEqual(['red', 'red', 'budget_exhausted']);
    const other = await world.admin('POST', '/score', scoreRequest('budgeted', addOne, 'PR-13'));
    expect(other.json).toMatchObject({ verdict: 'merge' });
  });

  test('a gate whose suite has no active revision never merges', async () => {
    await world.admin('POST', '/suites/drafted/revisions', { cases });
    await world.admin('PUT', '/gates/drafted', { suites: ['drafted'] });
    const scored = await world.admin('POST', '/score', scoreRequest('drafted', addOne));
    expect(scored.json).toMatchObject({ verdict: 'block', reason: 'not_scored' });
  });

  test('a candidate uploaded before is scored by its digest', async () => {
    const ci = await world.as('ci');
    const uploaded = await ci('POST', '/candidates', addOne, { 'content-type': 'application/octet-stream' });
    expect(uploaded.status).toBe(201);
    const digest = `${Reflect.get(Object(uploaded.json), 'digest')}`;
    const scored = await ci('POST', '/score', {
      gate: 'increment',
      change: { id: 'PR-7', commit: 'eee' },
      candidate: { digest },
    });
    expect(scored.json).toMatchObject({ verdict: 'merge', candidate: { digest } });
  });

  test('the same Idempotency-Key gives the same score, also at once, and never another request', async () => {
    const ci = await world.as('ci');
    const key = { 'idempotency-key': 'run-1' };
    const request = scoreRequest('increment', addOne, 'PR-8');
    const replies = await Promise.all([1, 2, 3].map(() => ci('POST', '/score', request, key)));
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
    const conflict = await ci('POST', '/score', scoreRequest('increment', always42, 'PR-8'), key);
    expect(conflict.status).toBe(422);
    expect(conflict.json).toMatchObject({ code: 'idempotency_conflict' });
    const another = await world.as('ci');
    expect((await another('POST', '/score', scoreRequest('increment', always42, 'PR-8'), key)).status).toBe(
      200,
    );
  });

  test('a caller that does not wait is told where the score will be', async () => {
    const ci = await world.as('ci');
    const accepted = await ci('POST', '/score', scoreRequest('increment', `${addOne} // later`, 'PR-9'), {
      prefer: 'respond-async',
    });
    expect(accepted.status).toBe(202);
    expect(accepted.json).toMatchObject({ state: 'running' });
    expect(accepted.text).not.toContain('verdict');
    const location = accepted.headers.get('location') ?? '';
    await expect.poll(async () => (await ci('GET', location)).json).toMatchObject({ verdict: 'merge' });
  });

  test('the history of a change has every attempt, newest first, page by page', async () => {
    const ci = await world.as('ci');
    for (const source of [always42, addOne, always42]) {
      await ci('POST', '/score', scoreRequest('increment', source, 'team/shop#10'));
    }
    const lead = await world.as('lead');
    const path = `/changes/${encodeURIComponent('team/shop#10')}?gate=increment&limit=2`;
    const first = await lead('GET', path);
    expect(verdictsOf(first.json)).toEqual(['block', 'merge']);
    const rest = await lead('GET', `${path}&cursor=${Reflect.get(Object(first.json), 'next')}`);
    expect(verdictsOf(rest.json)).toEqual(['block']);
    expect(rest.json).toMatchObject({ next: null });
    expect((await ci('GET', path)).status).toBe(403);
  });

  test('history is append-only: the database itself refuses to change it', async () => {
    await world.admin('POST', '/score', scoreRequest('increment', addOne, 'PR-11'));
    const { database } = world.service.database;
    for (const table of [
      'scores',
      'verdicts',
      'case_results',
      'revisions',
      'activations',
      'gate_policies',
      'candidates',
    ]) {
      for (const statement of [`DELETE FROM ${table}`, `TRUNCATE ${table} CASCADE`]) {
        await expect(database.execute(statement), statement).rejects.toMatchObject({
          cause: { message: expect.stringContaining('append-only') },
        });
      }
    }
    await expect(database.execute("UPDATE verdicts SET verdict = 'merge'")).rejects.toMatchObject({
      cause: { message: expect.stringContaining('append-only') },
    });
  });
});

function digestOf(score: unknown): string {
  return `${Reflect.get(Object(Reflect.get(Object(score), 'candidate')), 'digest')}`;
}

function verdictPath(gate: string, change: string, commit: string, candidate: string): string {
  return `/verdict?${new URLSearchParams({ gate, change, commit, candidate })}`;
}

function verdictsOf(history: unknown): unknown[] {
  const scores: unknown = Reflect.get(Object(history), 'scores');
  return Array.isArray(scores) ? scores.map((score) => Reflect.get(Object(score), 'verdict')) : [];
}
