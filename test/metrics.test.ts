/** What Prometheus reads: figures of everything that an operator asks about, for nobody whom they would tell of cases. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Role } from '../gate/disclosure/disclosed.ts';
import { Metrics } from '../server/metrics.ts';
import { scoreRequest, sealSuite, startWorld, type World } from './world.ts';

const metricsToken = 'a-token-for-prometheus-alone';
const canary = 'kanarienvogel';
let world: World;

beforeAll(async () => {
  world = await startWorld({ HOLDBACK_METRICS_TOKEN: metricsToken });
  const cases = [{ name: `${canary}-name`, input: canary, expect: { equals: `${canary}!` } }];
  await sealSuite(world, `${canary}-suite`, { cases });
  const ask = (source: string) =>
    world.admin('POST', '/score', scoreRequest(`${canary}-suite`, source, `${canary}-change`));
  await ask("export const run = (text) => text + '!'");
  await ask('export const run = (text) => text');
  await world.admin('GET', `/changes/${canary}-change?gate=${canary}-suite`);
  await world.client(undefined)('GET', `/${canary}-nowhere`);
});
afterAll(() => world.close());

/** The value of a figure, by its name and labels as they are written. */
async function read(): Promise<(figure: string) => number | undefined> {
  const { text } = await world.client(metricsToken)('GET', '/metrics');
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return (figure) => {
    const line = lines.find((each) => each.startsWith(`${figure} `));
    return line === undefined ? undefined : Number(line.slice(figure.length));
  };
}

test('scores are counted by reason, and how long they took, waited and were graded', async () => {
  const value = await read();
  expect(value('holdback_scores_total{verdict="merge",reason="green"}')).toBe(1);
  expect(value('holdback_scores_total{verdict="block",reason="red"}')).toBe(1);
  expect(value('holdback_score_duration_seconds_count')).toBe(2);
  expect(value('holdback_score_wait_seconds_count')).toBe(2);
  expect(value('holdback_grader_duration_seconds_count')).toBeGreaterThanOrEqual(2);
  expect(value('holdback_graded_trials_total')).toBeGreaterThanOrEqual(2);
});

test('hosts, the database, the event loop and the process are told of', async () => {
  const value = await read();
  const { startedCount } = world.service.runners;
  expect(value('holdback_hosts_started_total{pool="runners"}')).toBe(startedCount);
  expect(value('holdback_host_start_failures_total{pool="runners"}')).toBe(0);
  expect(value('holdback_hosts{pool="graders",state="ready"}')).toBe(world.service.graders.readyCount);
  expect(value('holdback_hosts{pool="runners",state="leased"}')).toBeGreaterThanOrEqual(0);
  expect(value('holdback_database_answer_seconds')).toBeGreaterThan(0);
  expect(value('holdback_queue_oldest_seconds')).toBe(0);
  expect(value('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0);
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(0);
});

test('how many scores wait is told at every scrape, the first too, and of that moment', async () => {
  const { runners, graders, database } = world.service;
  let waiting = 3;
  const queue = async () => ({ waiting: waiting++, running: 1, oldestSeconds: 7 });
  const metrics = new Metrics({ database: database.database, pools: { runners, graders }, queue });
  for (const expected of [3, 4]) {
    const { text } = await metrics.read();
    expect(text).toContain(`holdback_queue_scores{state="waiting"} ${expected}\n`);
    expect(text).toContain('holdback_queue_scores{state="running"} 1\n');
    expect(text).toContain('holdback_queue_oldest_seconds 7\n');
  }
  metrics.close();
});

test('while the database does not answer all else is told, and in time for who reads it', async () => {
  const { runners, graders, database } = world.service;
  const queue = () => new Promise<never>(() => {});
  const metrics = new Metrics({ database: database.database, pools: { runners, graders }, queue });
  const { text } = await metrics.read();
  expect(text).toMatch(/^holdback_queue_scores\{state="waiting"\} NaN$/im);
  expect(text).toContain('holdback_hosts_started_total{pool="runners"} ');
  metrics.close();
});

test('what can be counted is there before it happens, because what appears with 1 is no growth to Prometheus', async () => {
  const value = await read();
  expect(value('holdback_scores_total{verdict="block",reason="budget_exhausted"}')).toBe(0);
  expect(value('holdback_infrastructure_failures_total{code="machine_overloaded"}')).toBe(0);
});

test('requests are counted by the pattern of their route, and nothing is named that a caller chose', async () => {
  const value = await read();
  const count = 'holdback_http_request_duration_seconds_count';
  expect(value(`${count}{method="POST",route="/score",status="200"}`)).toBe(2);
  expect(value(`${count}{method="GET",route="none",status="404"}`)).toBe(1);
  const { text } = await world.client(metricsToken)('GET', '/metrics');
  expect(text).not.toContain(canary);
});

test('a failure of ours is counted by its code', async () => {
  for (const pid of world.service.runners.pids) process.kill(pid, 'SIGKILL');
  await world.service.hostCode.remove();
  await expect.poll(() => world.service.runners.readyCount).toBe(0);
  const scored = await world.admin('POST', '/score', scoreRequest(`${canary}-suite`, 'export const run = 1'));
  expect(scored.json).toMatchObject({ reason: 'indeterminate' });
  const value = await read();
  expect(value('holdback_infrastructure_failures_total{code="host_unavailable"}')).toBeGreaterThan(0);
  expect(value('holdback_host_start_failures_total{pool="runners"}')).toBeGreaterThan(0);
  expect(value('holdback_scores_total{verdict="block",reason="indeterminate"}')).toBe(1);
});

test('they are for the token of the settings and for leads that are not limited, from whatever address', async () => {
  const answers = async (role: Role, gates?: string[]) =>
    (await (await world.as(role, gates))('GET', '/metrics')).status;
  expect(await answers('lead')).toBe(200);
  expect((await world.admin('GET', '/metrics')).status).toBe(200);
  expect(await answers('lead', [`${canary}-suite`])).toBe(403);
  expect(await answers('ci')).toBe(403);
  expect(await answers('harness')).toBe(403);
  expect(await answers('author')).toBe(403);
  expect((await world.client(undefined)('GET', '/metrics')).status).toBe(401);
  expect((await world.client(`${metricsToken}x`)('GET', '/metrics')).status).toBe(401);
  const elsewhere = await world.client(metricsToken)('GET', '/scores/00000000-0000-0000-0000-000000000000');
  expect(elsewhere.status).toBe(401);
});
