/** The queue of scores: whose turn it is, who may work, and that each score gets one verdict, whoever dies. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { appendScore, appendVerdict, indeterminate } from '../../gate/append-history.ts';
import { storeCandidate } from '../../gate/candidates.ts';
import { findScore, listForgotten } from '../../gate/history.ts';
import { type Lease, ScoreQueue } from '../../gate/queue/score-queue.ts';
import { VerdictNews } from '../../gate/queue/verdict-news.ts';
import { rowsOf } from '../../migrations/rows-of.ts';
import { createToken, revokeToken } from '../../server/tokens.ts';
import { loadIdentity } from '../../suites/sealing/identity.ts';
import { Seals } from '../../suites/sealing/sealing.ts';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';
import { hostsOf, isBusy } from '../processes.ts';
import { type ServiceProcess, startProcess } from '../service-process.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { adminToken, scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

const right = 'export const run = (x) => x';
const cases = [{ name: 'one', input: 1, expect: { equals: 1 } }];
const alone = { HOLDBACK_CONCURRENCY: '1', HOLDBACK_HOSTS_PER_SCORE: '1' };

/** A candidate that takes about so long to run its one case, and is right. The realm's clock stands still. */
function slow(ms: number, mark = ''): string {
  return `export const run = (x) => { let s = 0; for (let i = 0; i < ${ms}e5; i++) s += i % 7; return s > 0 ? x : s } // ${mark}`;
}

const idOf = ({ json }: { json: unknown }) => z.object({ id: z.uuid() }).parse(json).id;

async function count(world: World, question: ReturnType<typeof sql>): Promise<number> {
  const rows = rowsOf(await world.service.database.database.execute(question));
  return (
    z
      .array(z.object({ count: z.coerce.number() }))
      .length(1)
      .parse(rows)[0]?.count ?? -1
  );
}

test('news of a verdict that come between two waits are heard', async () => {
  const news = new VerdictNews();
  const waiting = news.wait('a score');
  expect(await waiting.next(1)).toBeUndefined();
  news.wakeAll();
  expect(await waiting.next(3_600_000)).toBeUndefined();
  const heard = waiting.next(3_600_000);
  news.wakeAll();
  expect(await heard).toBeUndefined();
  waiting.stop();
});

describe('in one process', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ ...alone, HOLDBACK_QUEUE: '19' });
    for (const gate of ['one', 'other']) await sealSuite(world, gate, { cases, limits: { caseMs: 60_000 } });
  });
  afterAll(() => world.close());

  /** Queues a score, which is of a change of its own. */
  async function queue(gate: string, source: string, change: string, more = {}): Promise<string> {
    const request = { ...scoreRequest(gate, source, change), ...more };
    const asked = await world.admin('POST', '/score', request, { prefer: 'respond-async' });
    expect(asked.status, asked.text).toBeLessThan(300);
    return idOf(asked);
  }

  /** The ids in the order in which their scores were decided. */
  async function inOrder(ids: string[]): Promise<string[]> {
    const { database } = world.service.database;
    await expect
      .poll(async () =>
        (await Promise.all(ids.map((id) => findScore(database, id)))).every(({ verdict }) => verdict),
      )
      .toBe(true);
    const scores = await Promise.all(ids.map((id) => findScore(database, id)));
    const at = (id: string) => scores.find((score) => score.id === id)?.verdict?.decidedAt.getTime() ?? 0;
    return ids.toSorted((one, two) => at(one) - at(two));
  }

  test('a merge queue comes before changes, and these before drafts', async () => {
    const first = await queue('one', slow(4_000, 'priorities'), 'p0');
    const draft = await queue('one', `${right} // draft`, 'p1', { priority: 'draft' });
    const change = await queue('one', `${right} // change`, 'p2');
    const merging = await queue('one', `${right} // merging`, 'p3', { priority: 'merge-queue' });
    expect(await inOrder([first, draft, change, merging])).toEqual([first, merging, change, draft]);
  });

  test('gates take turns, however many scores one of them has waiting', async () => {
    const first = await queue('one', slow(4_000, 'turns'), 't0');
    const many: string[] = [];
    for (const number of [1, 2, 3, 4])
      many.push(await queue('one', `${right} // many ${number}`, `t${number}`));
    const late = await queue('other', `${right} // late`, 'late');
    const order = await inOrder([first, ...many, late]);
    expect(order.indexOf(late)).toBeLessThan(3);
    expect(order.filter((id) => many.includes(id))).toEqual(many);
  });

  test('a gate that asks for more than there are places leaves some to the others', async () => {
    const ids = [await queue('one', 'export const run = () => { for (;;); }', 'f0')];
    for (let number = 1; number < 18; number++)
      ids.push(await queue('one', `${right} // place ${number}`, `f${number}`));
    const ask = (gate: string) =>
      world.admin('POST', '/score', scoreRequest(gate, `${right} // one more`), { prefer: 'respond-async' });
    expect(await ask('one')).toMatchObject({ status: 429, json: { code: 'queue_full' } });
    ids.push(idOf(await ask('other')));
    const endless = () => hostsOf(process.pid).filter(({ pid }) => isBusy(pid));
    await expect.poll(() => endless().map(({ pid }) => process.kill(pid, 'SIGKILL')).length).not.toBe(0);
    await inOrder(ids);
  });

  test('what waits for an earlier commit of a change is superseded; what has begun goes on, and other changes are left alone', async () => {
    const ask = (change: string, commit: string, source: string) =>
      world.admin('POST', '/score', scoreRequest('one', source, change, commit), { prefer: 'respond-async' });
    const begun = idOf(await ask('pushed', 'c1', slow(4_000, 'begun')));
    await expect.poll(() => world.service.runners.leasedCount).toBe(1);
    const waiting = idOf(await ask('pushed', 'c2', `${right} // c2`));
    const other = idOf(await ask('another', 'c2', `${right} // other`));
    const newest = idOf(await ask('pushed', 'c3', `${right} // c3`));
    await inOrder([begun, waiting, other, newest]);
    const reasons = [begun, waiting, other, newest].map(async (id) => {
      const { json } = await world.admin('GET', `/scores/${id}`);
      return z.object({ reason: z.string() }).parse(json).reason;
    });
    expect(await Promise.all(reasons)).toEqual(['green', 'superseded', 'green', 'green']);
  });

  test('the same candidate twice is run once, and both attempts get the verdict', async () => {
    const source = slow(4_000, 'twice');
    const [one, two] = [await queue('one', source, 'd1'), await queue('one', source, 'd2')];
    await inOrder([one, two]);
    const repeated = await findScore(world.service.database.database, two);
    expect(repeated.verdict).toMatchObject({ verdict: 'merge', repeats: one });
  });

  test('a node whose clock is behind decides no earlier than it was asked and has worked', async () => {
    const { database } = world.service;
    const claims = await ScoreQueue.open(database, { backend: 'postgres', slotMs: 0 });
    onTestFinished(() => claims.close());
    const known = await findScore(database.database, await queue('one', `${right} // behind`, 'behind-0'));
    const { sequence: _, attempt: __, firstRequestedAt: ___, verdict: ____, ...asked } = known;
    // Accepted by a node whose clock is ahead by an hour.
    const { record } = await appendScore(database.database, {
      ...asked,
      ...{ id: randomUUID(), change: { ...asked.change, id: 'behind-1' }, idempotencyKey: undefined },
      requestedAt: new Date(Date.now() + 3_600_000),
      deadlineAt: new Date(Date.now() + 7_200_000),
      candidate: await storeCandidate(database.database, Buffer.from(slow(3_000, 'behind'))),
    });
    await claims.adopt([record], async () => undefined);
    await expect
      .poll(async () => (await findScore(database.database, record.id)).verdict)
      .toMatchObject({ verdict: 'merge' });
    const { verdict, requestedAt } = await findScore(database.database, record.id);
    const tookMs = (verdict?.decidedAt.getTime() ?? 0) - requestedAt.getTime();
    expect(tookMs).toBeGreaterThanOrEqual(verdict?.durationMs ?? Number.NaN);
    // And no later than was measured.
    expect(tookMs).toBeLessThan(600_000);
  });

  test('a verdict can be appended once, by who holds the lease of the newest claim', async () => {
    const { database } = world.service;
    const claims = await ScoreQueue.open(database, { backend: 'postgres', slotMs: 0 });
    onTestFinished(() => claims.close());
    const busy = await queue('other', slow(4_000, 'busy'), 'claims-0');
    const claimed = await queue('one', `${right} // claimed`, 'claims-1');
    const lease = await claims.fetch();
    expect(lease).toMatchObject({ id: claimed, retryCount: 0 });
    if (lease === undefined) throw new Error('nothing was claimed');
    expect(await claims.beat(lease)).toBe(true);
    // Given up by its node, and claimed again.
    await claims.fail(lease, 'a failure');
    const second = await claims.fetch();
    expect(second).toMatchObject({ id: claimed, retryCount: 1 });
    expect(await claims.beat(lease)).toBe(false);
    const score = await findScore(database.database, claimed);
    const parts = {
      database: database.database,
      seals: new Seals(await loadIdentity({ dataDir: world.dataDir })),
    };
    const append = (held: typeof lease) =>
      appendVerdict(parts, indeterminate(score), (transaction, at) =>
        claims.complete(transaction, held, score, at),
      );
    await expect(append(lease)).rejects.toMatchObject({ code: 'lease_lost' });
    expect((await findScore(database.database, claimed)).verdict).toBeUndefined();
    if (second === undefined) throw new Error('nothing was claimed again');
    await append(second);
    await expect(append(second)).rejects.toMatchObject({ code: 'lease_lost' });
    await inOrder([busy, claimed]);
    expect(await count(world, sql`SELECT count(*) FROM verdicts WHERE score_id = ${claimed}`)).toBe(1);
  });
});

describe('on one PostgreSQL', () => {
  let server: PostgresServer;
  let shared: Record<string, string>;
  let api: World;
  beforeAll(async () => {
    server = await startPostgres();
    const dataDir = await temporaryFolder();
    shared = { DATABASE_URL: server.url, HOLDBACK_DATA_DIR: dataDir, HOLDBACK_ADMIN_TOKEN: adminToken };
    api = await startWorld({ ...shared, HOLDBACK_ROLE: 'api' });
    await sealSuite(api, 'shared', { cases, limits: { caseMs: 60_000 } });
    const policy = { suites: ['shared'], attemptsPerChange: 1_000, concurrency: 1 };
    expect((await api.admin('PUT', '/gates/bounded', policy)).json).toMatchObject({ concurrency: 1 });
  });
  afterAll(async () => {
    await api.close();
    await server.close();
  });

  /** A process that only works, and knows the identity by the folder that it shares. */
  function startRunner(): ServiceProcess {
    const runner = startProcess({
      ...shared,
      ...alone,
      HOLDBACK_ROLE: 'runner',
      HOLDBACK_POOL: '1',
      HOLDBACK_SLOT_MS: '0',
      HOLDBACK_DRAIN_MS: '200',
    });
    onTestFinished(() => runner.end('SIGKILL'));
    return runner;
  }

  /** What a node does that claims jobs, without one. */
  async function openQueue(): Promise<ScoreQueue> {
    const queue = await ScoreQueue.open(api.service.database, { backend: 'postgres', slotMs: 0 });
    onTestFinished(() => queue.close());
    return queue;
  }

  async function claim(queue: ScoreQueue): Promise<Lease> {
    const lease = await queue.fetch();
    if (lease === undefined) throw new Error('nothing could be claimed');
    return lease;
  }

  const ask = (source: string, change: string, { gate = 'shared', commit = 'c1', asker = api.admin } = {}) =>
    asker('POST', '/score', scoreRequest(gate, source, change, commit), { prefer: 'respond-async' });
  const reasonOf = async (id: string) => (await findScore(api.service.database.database, id)).verdict?.reason;
  const verdictsOf = (id: string) => count(api, sql`SELECT count(*) FROM verdicts WHERE score_id = ${id}`);
  const isActive = (id: string) =>
    count(api, sql`SELECT count(*) FROM pgboss.job WHERE id = ${id} AND state = 'active'`);

  test('a node with other time slots does not start, and says so', async () => {
    const other = startProcess({ ...shared, HOLDBACK_ROLE: 'runner', HOLDBACK_SLOT_MS: '5000' });
    onTestFinished(() => other.end('SIGKILL'));
    expect(await other.ended).toBe(1);
    expect(other.printed()).toMatch(
      /could not start: HOLDBACK_SLOT_MS is 5000 here and 0 in another process/,
    );
  });

  test('of a gate whose scores run one at a time no two are claimed, however many nodes claim at once', async () => {
    for (const number of [1, 2, 3, 4, 5, 6])
      await ask(`${right} // at once ${number}`, `at-once-${number}`, { gate: 'bounded' });
    const nodes = [await openQueue(), await openQueue(), await openQueue(), await openQueue()];
    for (const _ of [1, 2, 3]) {
      const claims = await Promise.all(nodes.map((node) => node.fetch()));
      const held = claims.filter((lease) => lease !== undefined);
      expect(held).toHaveLength(1);
      for (const lease of held) await nodes[0]?.giveBack(lease);
    }
  });

  test('attempts without a job are queued again, once, in their order and with the bounds of their gates', async () => {
    const { database } = api.service.database;
    await database.execute(sql`DELETE FROM pgboss.job WHERE name = 'scores'`);
    const forgotten = await listForgotten(database);
    expect(forgotten).toHaveLength(6);
    const nodes = [await openQueue(), await openQueue()];
    await Promise.all(nodes.map((node) => node.adopt(forgotten, async () => 1)));
    expect(await listForgotten(database)).toEqual([]);
    const [node] = nodes;
    if (node === undefined) throw new Error('there is no node');
    const first = await claim(node);
    expect(first.id).toBe(forgotten[0]?.id);
    expect(await node.fetch()).toBeUndefined();
    await node.giveBack(first);
  });

  test('a job is kept for as long as it waits, however long that is', async () => {
    expect(
      await count(
        api,
        sql`
        SELECT count(*) FROM pgboss.job JOIN scores USING (id)
        WHERE name = 'scores' AND keep_until > deadline_at + interval '1 year'`,
      ),
    ).toBe(6);
  });

  test('a job that its node gave back is lost after two failures, not after three', async () => {
    const queue = await openQueue();
    await queue.fail(await claim(queue), 'a failure');
    await queue.giveBack(await claim(queue));
    const lease = await claim(queue);
    await queue.fail(lease, 'another failure');
    expect((await queue.fetchLost())?.score).toBe(lease.id);
  });

  test('neither a commit that was asked for before nor what another token asks for supersedes anything', async () => {
    const other = await api.as('ci');
    const first = idOf(await ask(`${right} // first`, 'pushes'));
    const second = idOf(await ask(`${right} // second`, 'pushes', { commit: 'c2' }));
    await expect.poll(() => reasonOf(first)).toBe('superseded');
    const again = idOf(await ask(`${right} // first`, 'pushes'));
    const foreign = idOf(await ask(`${right} // foreign`, 'pushes', { commit: 'c3', asker: other }));
    const runner = startRunner();
    await runner.listening;
    await expect
      .poll(() => Promise.all([second, again, foreign].map(reasonOf)))
      .toEqual(['green', 'green', 'green']);
    await runner.end();
  });

  test('who follows a score hears nothing more of it once the token is revoked, on whatever node', async () => {
    const id = idOf(await ask(`${right} // followed`, 'followed'));
    const { database } = api.service.database;
    const { id: tokenId, token } = await createToken(database, { role: 'lead', name: 'leaves' }, 'a test');
    const followed = await fetch(`${api.service.address}/scores/${id}/events`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(followed.status).toBe(200);
    await revokeToken(database, tokenId, 'another node');
    // It ends, although the score has no verdict.
    const told = await followed.text().catch(String);
    expect(told).not.toContain('verdict');
    expect(await reasonOf(id)).toBeUndefined();
  });

  test('one node answers and runs nothing, another works and answers for itself alone', async () => {
    const waiting = api.admin('POST', '/score', scoreRequest('shared', `${right} // apart`, 'apart'));
    const runner = startRunner();
    const address = await runner.listening;
    expect((await waiting).json).toMatchObject({ verdict: 'merge' });
    expect(api.service.runners.readyCount).toBe(0);
    expect((await fetch(`${address}/healthz`)).status).toBe(200);
    expect(
      (await fetch(`${address}/gates`, { headers: { authorization: `Bearer ${adminToken}` } })).status,
    ).toBe(404);
    await runner.end();
    expect(await runner.ended).toBe(0);
  });

  test('a runner that dies at work is noticed, its score is taken over, and gets one verdict; one that was asleep is refused', async () => {
    const first = startRunner();
    await first.listening;
    const dying = idOf(await ask(slow(9_000, 'dying'), 'dying'));
    await expect.poll(() => isActive(dying)).toBe(1);
    first.child.kill('SIGSTOP');
    const second = startRunner();
    await second.listening;
    await expect.poll(() => verdictsOf(dying), { timeout: 60_000 }).toBe(1);
    const decided = await api.admin('GET', `/scores/${dying}`);
    expect(decided.json).toMatchObject({ verdict: 'merge', reason: 'green' });
    first.child.kill('SIGCONT');
    // It is right again: it works on.
    await second.end();
    const later = await api.admin('POST', '/score', scoreRequest('shared', `${right} // later`, 'later'));
    expect(later.json).toMatchObject({ verdict: 'merge' });
    expect(await verdictsOf(dying)).toBe(1);
    expect((await api.admin('GET', `/scores/${dying}`)).json).toEqual(decided.json);
    await first.end();
  });

  test('a score on which two nodes died is indeterminate', async () => {
    const id = idOf(await ask(slow(60_000, 'deadly'), 'deadly'));
    for (const _ of [1, 2]) {
      const runner = startRunner();
      await runner.listening;
      await expect.poll(() => isActive(id)).toBe(1);
      await runner.end('SIGKILL');
      // That a lease lapses by itself is tested above.
      await api.service.database.database.execute(
        sql`UPDATE pgboss.job SET heartbeat_on = heartbeat_on - interval '10 seconds' WHERE id = ${id}`,
      );
      await expect.poll(() => isActive(id)).toBe(0);
    }
    const third = startRunner();
    await third.listening;
    await expect.poll(() => verdictsOf(id)).toBe(1);
    expect((await api.admin('GET', `/scores/${id}`)).json).toMatchObject({
      verdict: 'block',
      reason: 'indeterminate',
    });
  });

  test('a node that is told to stop gives back what it cannot end, and that is no failure', async () => {
    const id = idOf(await ask(slow(9_000, 'given back'), 'given-back'));
    for (const _ of [1, 2]) {
      const runner = startRunner();
      await runner.listening;
      await expect.poll(() => isActive(id)).toBe(1);
      runner.child.kill('SIGTERM');
      await expect.poll(() => isActive(id)).toBe(0);
      expect(await runner.ended).toBe(0);
    }
    startRunner();
    await expect.poll(() => verdictsOf(id)).toBe(1);
    expect((await api.admin('GET', `/scores/${id}`)).json).toMatchObject({ verdict: 'merge' });
  });
});
