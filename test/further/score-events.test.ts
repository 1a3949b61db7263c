/** A score can be followed while it is made, by people who hear of verdicts at once, and by nobody else. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { scoreStateSchema } from '../../gate/scoring/progress.ts';
import { createToken } from '../../server/tokens.ts';
import { adminToken, scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

/** Each case takes a moment of processor time, so that there is something to see. */
const slow =
  'export function run(x) { let n = 0; for (let i = 0; i < 3e7; i++) n += i; return n < 0 ? n : x }';
const quick = 'export function run(x) { return x }';
const caseCount = 16;

let world: World;

beforeAll(async () => {
  world = await startWorld({ HOLDBACK_CONCURRENCY: '1' });
  const cases = Array.from({ length: caseCount }, (_, at) => ({
    name: `case ${at}`,
    input: at,
    expect: { equals: at },
  }));
  await sealSuite(world, 'followed', { cases });
});

afterAll(() => world.close());

type Told = { event: string; data: unknown };

function follow(id: string, token = adminToken): Promise<Response> {
  return fetch(`${world.service.address}/scores/${id}/events`, {
    headers: { authorization: `Bearer ${token}` },
  });
}

/** All that a stream tells until it ends. */
async function readAll(response: Response): Promise<Told[]> {
  const text = await response.text();
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('event: '))
    .map((block) => {
      const [, event = '', data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      return { event, data: JSON.parse(data) };
    });
}

async function submit(source: string): Promise<string> {
  const { json } = await world.admin('POST', '/score', scoreRequest('followed', source), {
    prefer: 'respond-async',
  });
  return z.object({ id: z.string() }).parse(json).id;
}

test('a score is seen waiting, running and decided, and the stream ends with its verdict', async () => {
  const [first, second] = [await submit(slow), await submit(`${slow}\n`)];
  const [ofFirst, ofSecond] = await Promise.all([first, second].map(async (id) => readAll(await follow(id))));
  for (const told of [ofFirst, ofSecond]) {
    expect(told?.at(-1)).toEqual({
      event: 'verdict',
      data: { verdict: 'merge', canMerge: true, reason: 'green' },
    });
  }
  const states = [...(ofFirst ?? []), ...(ofSecond ?? [])]
    .filter(({ event }) => event === 'state')
    .map(({ data }) => scoreStateSchema.parse(data));
  expect(states).toContainEqual({ state: 'waiting', place: 1 });
  const running = states.filter((state) => state.state === 'running');
  expect(running.length).toBeGreaterThan(0);
  for (const { suite, observed, trials } of running) {
    expect([suite, trials]).toEqual(['followed', caseCount]);
    expect(observed).toBeLessThanOrEqual(caseCount);
  }
});

test('of a score that is decided the verdict is told at once', async () => {
  const { json } = await world.admin('POST', '/score', scoreRequest('followed', quick));
  const { id } = z.object({ id: z.string() }).parse(json);
  const response = await follow(id);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect((await readAll(response)).map(({ event }) => event)).toEqual(['verdict']);
});

test('agents, and those who hear in slots, are not told how far a score has come', async () => {
  const id = await submit(`${quick}\n\n`);
  for (const role of ['ci', 'harness'] as const) {
    expect((await (await world.as(role))('GET', `/scores/${id}/events`)).status).toBe(403);
  }
  const limited = await world.as('author', undefined, { suites: ['followed'] });
  expect((await limited('GET', `/scores/${id}/events`)).json).toMatchObject({ code: 'suite_forbidden' });
  const elsewhere = await world.as('lead', ['another']);
  expect((await elsewhere('GET', `/scores/${id}/events`)).json).toMatchObject({ code: 'gate_forbidden' });
});

test('a token follows only so many scores at once, and one that stops reading frees its place', async () => {
  const { database } = world.service.database;
  const { token } = await createToken(database, { role: 'lead', name: 'a follower' }, 'a test');
  const id = await submit(`${slow}\n\n\n`);
  const leaving = new AbortController();
  const open = () =>
    fetch(`${world.service.address}/scores/${id}/events`, {
      headers: { authorization: `Bearer ${token}` },
      signal: leaving.signal,
    });
  const streams = await Promise.all(Array.from({ length: 8 }, open));
  expect(streams.map(({ status }) => status)).toEqual(Array(8).fill(200));
  expect((await follow(id, token)).status).toBe(429);
  leaving.abort();
  await expect.poll(async () => (await follow(id, token)).status).toBe(200);
});
