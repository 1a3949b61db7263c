/**
 * The corpus: programs that try to hurt what runs them, and programs that try to look right. Each must get the verdict that
 * its index says, through the real service, with right candidates scored beside them all the while.
 */
import { readFile } from 'node:fs/promises';
import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { hostsOf } from './processes.ts';
import { type Client, scoreRequest, sealSuite, startWorld, type World } from './world.ts';

const indexSchema = z.record(z.string(), z.strictObject({ verdict: z.enum(['merge', 'block', 'either']) }));

/** Short, so that the many programs that never end do not take long to be found out. */
const limits = { caseMs: 250 };

const tasks = {
  hostile: {
    cases: [{ name: 'the answer', input: 41, expect: { equals: 42 } }],
    right: 'export function run(x) { return x + 1 }',
  },
  cheats: {
    cases: [[3, 1, 2, 3], [], [5], [10, 9, 1], [-1, 0, 1, -1], [2, 2, 2, 2, 2], [7, 8, 100, 20, 3]].map(
      (input, index) => ({
        name: `numbers ${index}`,
        input,
        expect: { equals: [...new Set(input)].sort((one, other) => one - other) },
      }),
    ),
    right: 'export const run = (numbers) => [...new Set(numbers)].sort((a, b) => a - b)',
  },
};

describe.each(['hostile', 'cheats'] as const)('the corpus of %s candidates', (kind) => {
  let world: World;
  let ci: Client;
  let index: z.infer<typeof indexSchema>;

  beforeAll(async () => {
    const folder = new URL(`./corpus/${kind}/`, import.meta.url);
    index = indexSchema.parse(JSON.parse(await readFile(new URL('index.json', folder), 'utf8')));
    world = await startWorld();
    await sealSuite(world, kind, { cases: tasks[kind].cases, limits });
    ci = await world.as('ci');
  });
  afterAll(() => world.close());

  test('every program gets its verdict, right builds beside it are never misjudged, and nothing is left running', {
    timeout: 180_000,
  }, async () => {
    // As many as the service remembers how to load: beyond that, each is read twice.
    const turns = pLimit(32);
    const score = async (source: string, change: string) => {
      const request = scoreRequest(kind, source, change);
      const reply = await turns(() => ci('POST', '/score', request, { prefer: 'wait=170' }));
      const { verdict, reason } = Object(reply.json);
      return { change, verdict, reason, told: verdict === undefined ? reply.text : '' };
    };
    const names = Object.keys(index);
    const scored = await Promise.all(
      names.flatMap(async (name, turn) => {
        const source = await readFile(new URL(`./corpus/${kind}/${name}`, import.meta.url), 'utf8');
        const right =
          turn % 5 === 0 ? [score(`${tasks[kind].right} // ${turn}`, `right beside ${name}`)] : [];
        return Promise.all([score(source, name), ...right]);
      }),
    );
    const wrong = scored.flat().filter(({ change, verdict, reason }) => {
      const wanted = index[change]?.verdict ?? 'merge';
      if (wanted === 'either') return !['green', 'red'].includes(`${reason}`);
      return verdict !== wanted || !['green', 'red'].includes(`${reason}`);
    });
    expect(wrong).toEqual([]);
    expect(scored.flat().length).toBeGreaterThan(names.length);
    expect((await ci('GET', '/healthz')).status).toBe(200);
    // Ready hosts remain, and no other: each of the many that ran a candidate is gone.
    const { runners, graders } = world.service;
    await expect
      .poll(() => hostsOf(process.pid).length - runners.readyCount - graders.readyCount, { timeout: 30_000 })
      .toBe(0);
  });

  test('after the service has closed no host is left', async () => {
    await world.close();
    expect(hostsOf(process.pid)).toEqual([]);
  });
});
