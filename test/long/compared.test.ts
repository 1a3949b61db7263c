/** Cases that are compared with a reference in the same score: its output (sameAs), and its processor time (within). */
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { budgetFloorMs, overBudget } from '../../gate/scoring/budget.ts';
import { scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({ HOLDBACK_POOL: '2', HOLDBACK_PREFLIGHT_ROUNDS: '1' });
});
afterAll(() => world.close());

const scoreSchema = z.object({
  verdict: z.string(),
  reason: z.string(),
  failures: z.array(z.object({ case: z.string(), message: z.string() })).optional(),
});

let changes = 0;
async function score(gate: string, source: string) {
  const reply = await world.admin('POST', '/score', scoreRequest(gate, source, `change-${changes++}`));
  expect(reply.status, reply.text).toBe(200);
  return scoreSchema.parse(reply.json);
}

describe('sameAs', () => {
  const right = `export const run = (n) => {
    if (n < 0) throw new RangeError('negative: ' + n);
    return n === 0 ? { zero: -0, none: undefined } : [n, new Map([[n, 'n']])];
  };`;
  const cases = [3, 0, -1].map((input) => ({
    name: `like the reference on ${input}`,
    input,
    sameAs: 'right',
  }));

  beforeAll(async () => {
    const references = [{ name: 'right', build: right, verdict: 'merge' }];
    await sealSuite(world, 'alike', { references, cases });
    const both = {
      name: 'both',
      input: 3,
      sameAs: 'right',
      expect: { schema: { type: 'array', prefixItems: [{ const: 3 }] } },
    };
    await sealSuite(world, 'both', { references, cases: [both] });
  });

  test('passes what returns the same values, and throws errors of the same names', async () => {
    const other = right.replace("'negative: ' + n", "'less than nothing'").replace('none: undefined', '');
    expect(await score('alike', other)).toMatchObject({ verdict: 'merge' });
  });

  test.each([
    ['another value', right.replace('[n, new', '[n + 1, new'), 'like the reference on 3'],
    ['0 in place of -0', right.replace('-0', '0'), 'like the reference on 0'],
    ['an error of another name', right.replace('RangeError', 'TypeError'), 'like the reference on -1'],
    [
      'a value in place of an error',
      right.replace('throw new RangeError', 'return String'),
      'like the reference on -1',
    ],
    [
      'an error in place of a value',
      right.replace('return n === 0', 'if (n === 0) throw 1; return n === 0'),
      'like the reference on 0',
    ],
  ])('fails %s, and tells its author why', async (_what, build, name) => {
    const { verdict, failures = [] } = await score('alike', build);
    expect(verdict).toBe('block');
    expect(failures.map((failure) => failure.case)).toEqual([name]);
    expect(failures[0]?.message).toMatch(/^unlike reference right: /);
  });

  test('is required besides what else is, and the other way round', async () => {
    expect(await score('both', right)).toMatchObject({ verdict: 'merge' });
    const unlike = await score('both', 'export const run = (n) => [n, 1];');
    expect(unlike.failures).toMatchObject([{ case: 'both', message: expect.stringContaining('unlike') }]);
    const unmatched = await score('both', 'export const run = (n) => [n + 1, 1];');
    expect(unmatched.failures).toMatchObject([{ message: expect.stringContaining('schema') }]);
  });

  test('holds for every input that is generated, of which each is asked of the reference as well', async () => {
    const references = JSON.stringify([{ name: 'right', build: right, verdict: 'merge' }]);
    const generated = `{
      name: 'like the reference', sameAs: 'right', runs: 30,
      generate: (fc) => fc.integer({ min: -1, max: 40 }),
    }`;
    // The last input of a preflight's round is now one that throws, now one that does not: that is no flakiness.
    await sealSuite(world, 'generated', {
      module: `export default { references: ${references}, cases: [${generated}] };`,
    });
    expect(await score('generated', right)).toMatchObject({ verdict: 'merge' });
    const { verdict, failures = [] } = await score('generated', right.replace('[n, new', '[n % 9, new'));
    expect(verdict).toBe('block');
    expect(failures).toMatchObject([
      { case: 'like the reference', message: expect.stringMatching(/^unlike reference right: /) },
    ]);
  });

  test('refuses a suite whose reference comes to grief on its own case', async () => {
    const references = [{ name: 'right', build: 'export const run = () => () => 1;', verdict: 'merge' }];
    const source = { references, cases: [{ name: 'a', input: 1, sameAs: 'right' }] };
    const reply = await world.admin('POST', '/suites/grief/revisions?activate=true', source);
    expect(reply.status).toBe(409);
    expect(reply.text).toContain(
      'nobody can be compared with reference right, which ended as output_rejected',
    );
  });
});

describe('within', () => {
  /** Counts distinct numbers; what replaces the marks is what is slow. */
  const linear = `export const run = ({ length }) => {
    const numbers = Array.from({ length }, (_, i) => (i * 7919) % 1000003);
    return new Set(numbers).size;
  };`;
  const quadratic = `export const run = ({ length }) => {
    const numbers = Array.from({ length }, (_, i) => (i * 7919) % 1000003);
    const seen = [];
    for (const number of numbers) if (!seen.includes(number)) seen.push(number);
    return seen.length;
  };`;
  const cases = [
    { name: 'many numbers', input: { length: 30_000 }, expect: { equals: 30_000 }, within: 3 },
    { name: 'a few', input: { length: 3 }, expect: { equals: 3 } },
  ];
  const burn = 'const until = 1e8; let sum = 0; for (let i = 0; i < until; i++) sum += i % 7;';
  const result = 'return new Set(numbers).size;';

  beforeAll(async () => {
    const references = [
      { name: 'linear', build: linear, verdict: 'merge' },
      { name: 'quadratic', build: quadratic, verdict: 'block' },
    ];
    await sealSuite(world, 'timed', { references, cases });
  });

  test('lets an honest build pass on a busy machine', async () => {
    const burners = await burnCores();
    try {
      const honest = linear.replace('new Set(numbers).size', '[...new Set(numbers.toSorted())].length');
      for (const build of [linear, honest])
        expect(await score('timed', build)).toMatchObject({ verdict: 'merge' });
    } finally {
      for (const burner of burners) burner.kill('SIGKILL');
    }
  });

  test.each([
    ['a quadratic rewrite', quadratic],
    ['work while the module loads', `${burn}\n${linear}`],
    [
      'work in a microtask',
      linear
        .replace('({ length }) =>', 'async ({ length }) =>')
        .replace(result, `await null; ${burn} ${result}`),
    ],
    [
      'work in a timer',
      linear.replace(
        result,
        `return new Promise((resolve) => setTimeout(() => { ${burn} resolve(new Set(numbers).size); }, 5));`,
      ),
    ],
  ])('blocks %s, and tells its author both times', async (_what, build) => {
    const { verdict, failures = [] } = await score('timed', build);
    expect(verdict).toBe('block');
    expect(failures.map((failure) => failure.case)).toContain('many numbers');
    expect(failures[0]?.message).toMatch(
      /^it took \d+ ms of processor time, more than 3 times the [\d.]+ ms of reference linear$/,
    );
  });

  test('counts nothing that is not measured as within a budget, and nothing short as over it', () => {
    const of = (cpuMs?: number) => (cpuMs === undefined ? {} : { cpuMs });
    const over = (cpuMs?: number, reference?: number) =>
      overBudget(3, of(cpuMs), { ...of(reference), name: 'right' });
    expect(over(300, 100)).toBe('');
    expect(over(301, 100)).toContain('it took 301 ms');
    expect(over(budgetFloorMs, 0.01)).toBe('');
    expect(over(undefined, 100)).toContain('not measured');
    expect(over(300, undefined)).toContain('not measured');
    expect(over(Number.NaN, Number.NaN)).toContain('not measured');
  });
});

/** Twice as many processes as there are cores, each of which would like one for itself. */
async function burnCores(): Promise<ChildProcess[]> {
  const burners = Array.from({ length: 2 * availableParallelism() }, () =>
    spawn(process.execPath, ['-e', 'setTimeout(() => process.exit(), 60000); for (;;);']),
  );
  await Promise.all(burners.map((burner) => new Promise((resolve) => burner.once('spawn', resolve))));
  return burners;
}
