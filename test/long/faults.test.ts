/** Failures of ours: while one lasts there is no green, it is never called red, and a later score is right again. */
import { rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { killOf } from '../../runners/kill-of.ts';
import { startPostgres } from '../postgres-server.ts';
import { descendantsOf, isBusy } from '../processes.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { openWorld, scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

const right = 'export const run = (x) => x + 1';
const cases = [{ name: 'one', input: 1, expect: { equals: 2 } }];

/** The beginning of what esbuild takes longer to read than anybody waits. */
const endless = 'a=>'.repeat(3_000);

test('a service whose runner hosts no longer start answers indeterminate, which is neither red nor green, until they start again', async () => {
  const world = await openWorld({ HOLDBACK_POOL: '1' });
  await sealSuite(world, 'plain', { cases });
  const { folder } = world.service.hostCode;
  // One that is still starting would be ready after those that are.
  await world.service.runners.warm();
  await rename(folder, `${folder}.away`);
  // What was ready is used up, and what is started now finds no code.
  for (const pid of world.service.runners.pids) process.kill(pid, 'SIGKILL');
  await expect.poll(() => world.service.runners.readyCount).toBe(0);
  const scored = await world.admin('POST', '/score', scoreRequest('plain', right));
  expect(scored.json).toMatchObject({ verdict: 'block', canMerge: false, reason: 'indeterminate' });
  expect((await world.admin('GET', '/readyz')).json).toMatchObject({ status: 'not_ready', runners: false });
  expect((await world.admin('GET', '/healthz')).status).toBe(200);
  // What is not ready is sent nothing that would have it try.
  await rename(`${folder}.away`, folder);
  await expect
    .poll(async () => (await world.admin('GET', '/readyz')).json, { timeout: 20_000 })
    .toMatchObject({ status: 'ready', runners: true });
});

test('a service whose graders no longer start answers indeterminate', async () => {
  const world = await openWorld({ HOLDBACK_CONCURRENCY: '1' });
  await sealSuite(world, 'plain', { cases });
  await world.service.graderCode.remove();
  for (const pid of world.service.graders.pids) process.kill(pid, 'SIGKILL');
  await expect.poll(() => world.service.graders.readyCount).toBe(0);
  const scored = await world.admin('POST', '/score', scoreRequest('plain', right));
  expect(scored.json).toMatchObject({ verdict: 'block', reason: 'indeterminate' });
});

test('graders that stand still, because somebody has stopped them, make nothing red', async () => {
  const world = await openWorld({ HOLDBACK_CONCURRENCY: '1', HOLDBACK_POOL: '1' });
  await sealSuite(world, 'plain', { cases });
  for (const pid of world.service.graders.pids) process.kill(pid, 'SIGSTOP');
  const scored = await world.admin('POST', '/score', scoreRequest('plain', right));
  expect(scored.json).toMatchObject({ verdict: 'merge' });
});

test('a score that is under way when the service closes goes back to the queue, and whoever waits is told that it runs', async () => {
  const dataDir = await temporaryFolder();
  const world = await openWorld({ HOLDBACK_DATA_DIR: dataDir, HOLDBACK_DRAIN_MS: '2000' });
  await sealSuite(world, 'slow', { cases, limits: { caseMs: 60_000 } });
  const scoring = world.admin('POST', '/score', scoreRequest('slow', 'export function run() { for (;;); }'));
  const { runners } = world.service;
  await expect.poll(() => runners.leasedCount).toBeGreaterThan(0);
  const reading = world.admin('POST', '/suites/slow/check', { module: `x=${endless}1` }).catch(() => {});
  await expect.poll(() => esbuilds().some(({ pid }) => isBusy(pid))).toBe(true);
  const closing = world.service.close();
  // Whoever sends it requests hears that another should have them.
  expect((await world.admin('GET', '/readyz')).json).toMatchObject({ status: 'not_ready', stopping: true });
  const [scored] = await Promise.all([scoring, closing, reading]);
  expect(scored).toMatchObject({ status: 202, json: { state: 'running' } });
  await expect.poll(esbuilds).toEqual([]);
  const again = await openWorld({ HOLDBACK_DATA_DIR: dataDir });
  await expect.poll(() => again.service.runners.leasedCount).toBeGreaterThan(0);
  await again.service.close();
});

test('while the database is away nothing merges, and the service says so; it is right again when the database is back', async () => {
  const postgres = await startPostgres();
  const world = await openWorld({ DATABASE_URL: postgres.url });
  await sealSuite(world, 'plain', { cases });
  const merged = await world.admin('POST', '/score', scoreRequest('plain', right));
  expect(merged.json).toMatchObject({ verdict: 'merge' });
  await postgres.stop();
  const away = await world.admin('POST', '/score', scoreRequest('plain', right));
  expect(away.json).toMatchObject({ status: 503, code: 'database_unavailable' });
  expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0);
  // Where the database is, is for the log.
  expect(away.text).not.toMatch(/merge|ECONN|127\.0\.0\.1/);
  expect((await world.admin('GET', '/readyz')).json).toMatchObject({ status: 'not_ready', database: false });
  await postgres.start();
  await expect
    .poll(async () => (await world.admin('POST', '/score', scoreRequest('plain', right))).json, {
      timeout: 20_000,
    })
    .toMatchObject({ verdict: 'merge' });
  await world.close();
  await postgres.close();
});

describe('in a service that goes on', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  test('hosts that are killed while they wait cost nobody a verdict', async () => {
    await sealSuite(world, 'waiting', { cases });
    for (const pid of [...world.service.runners.pids, ...world.service.graders.pids])
      process.kill(pid, 'SIGKILL');
    const scored = await world.admin('POST', '/score', scoreRequest('waiting', right));
    expect(scored.json).toMatchObject({ verdict: 'merge', reason: 'green' });
  });

  test('a service that is held up itself makes no candidate red', async () => {
    await sealSuite(world, 'patient', { cases, limits: { caseMs: 600 } });
    const source =
      'export function run(x) { let s = 0; for (let i = 0; i < 2e7; i++) s += i % 7; return x + (s > 0 ? 1 : 0) }';
    const scoring = world.admin('POST', '/score', scoreRequest('patient', source));
    // It is looked often, because it does not run for long.
    await expect.poll(() => world.service.runners.leasedCount, { interval: 2 }).toBeGreaterThan(0);
    // The service runs in this very process, so this holds it up.
    for (const until = performance.now() + 2_000; performance.now() < until; );
    expect((await scoring).json).toMatchObject({ verdict: 'merge' });
  });

  test('an esbuild that is killed from outside says nothing about the candidate', async () => {
    await sealSuite(world, 'read', { cases });
    const large = `${right}; ${'/* */ 1;'.repeat(200_000)}`;
    const scoring = world.admin('POST', '/score', scoreRequest('read', large));
    await expect.poll(() => esbuilds().length, { interval: 2 }).toBeGreaterThan(0);
    for (const { pid } of esbuilds()) process.kill(pid, 'SIGKILL');
    expect((await scoring).json).toMatchObject({ verdict: 'merge' });
  });

  test('an esbuild that ends as where it lacks memory or threads, however often, is a failure of ours', async () => {
    await sealSuite(world, 'lacking', { cases });
    let isAnswered = false;
    const scoring = world.admin('POST', '/score', scoreRequest('lacking', `x=${endless}`)).finally(() => {
      isAnswered = true;
    });
    while (!isAnswered) {
      // Go ends with the same exit code, 2, and lines of its own, as where it is refused memory.
      for (const { pid } of esbuilds()) killOf(pid, 'SIGQUIT');
      await sleep(2);
    }
    expect((await scoring).json).toMatchObject({ verdict: 'block', reason: 'indeterminate' });
  });

  test('a module that is nested too deeply to be read is red', async () => {
    await sealSuite(world, 'deep', { cases });
    const deep = `${right}; x = ${'['.repeat(3_000_000)}${']'.repeat(3_000_000)}`;
    const scored = await world.admin('POST', '/score', scoreRequest('deep', deep));
    expect(scored.json).toMatchObject({ verdict: 'block', reason: 'red' });
  });

  test('modules that take long to read keep nobody waiting whose requests are refused', async () => {
    await sealSuite(world, 'unhindered', { cases });
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const refused = await world.admin('POST', '/score', scoreRequest('nobodys', `x=${endless}${index}`));
        expect(refused.status).toBe(404);
      }),
    );
    for (const { pid } of esbuilds()) process.kill(pid, 'SIGKILL');
    const scored = await world.admin('POST', '/score', scoreRequest('unhindered', right));
    expect(scored.json).toMatchObject({ verdict: 'merge' });
  });

  test('a candidate that is too much to be read for its host is red, and not our failure', async () => {
    await sealSuite(world, 'small', { cases, limits: { hostMb: 192 } });
    const source = `${right}; export const text = "${'\u0001'.repeat(14 << 20)}\u4e2d"`;
    const uploaded = await world.admin('POST', '/candidates', source, {
      'content-type': 'application/octet-stream',
    });
    const scored = await world.admin('POST', '/score', {
      gate: 'small',
      change: { id: '1', commit: '1' },
      candidate: { digest: Reflect.get(Object(uploaded.json), 'digest') },
    });
    expect(scored.json).toMatchObject({ verdict: 'block', reason: 'red' });
  });
});

/** The esbuilds of services in this process. */
function esbuilds() {
  return descendantsOf(process.pid).filter(({ command }) => command.includes('--minify-whitespace'));
}
