/** An author reads what a failing case required beside what came of it, in lines that can be compared; and nobody else does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Failure, failureSchema } from '../../gate/disclosure/disclosed.ts';
import { contrasts } from '../../gate/scoring/contrast.ts';
import { linesOf, quoted, textOfLine } from '../../gate/scoring/readable.ts';
import type { ObservedTrial, Trial } from '../../gate/scoring/trials.ts';
import { scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

const read = (carried: unknown) => linesOf(carried).map(textOfLine).join('\n');

describe('a value', () => {
  test('has a line for each property and element, its keys in order', () => {
    expect(read({ b: [1, 'two', null], a: { 'a key': true, c: {} }, empty: [] })).toBe(
      `{
  a: {
    "a key": true,
    c: {},
  },
  b: [
    1,
    "two",
    null,
  ],
  empty: [],
}`,
    );
  });

  test.each([
    [{ $undefined: true }, 'undefined'],
    [{ $number: '-0' }, '-0'],
    [{ $number: 'NaN' }, 'NaN'],
    [{ $bigint: '12345678901234567890' }, '12345678901234567890n'],
    [{ $date: '2024-02-29' }, 'Date 2024-02-29T00:00:00.000Z'],
    [{ $date: 'Invalid Date' }, 'Date invalid'],
    [[1, { $hole: true }], '[\n  1,\n  (a hole),\n]'],
    [
      {
        $map: [
          ['a', 1],
          [{ id: 2 }, { $undefined: true }],
        ],
      },
      'Map {\n  "a" => 1,\n  key {\n    id: 2,\n  },\n    => undefined,\n}',
    ],
    [{ $set: [1, 'one'] }, 'Set {\n  1,\n  "one",\n}'],
    [{ $typed: ['Uint8Array', [1]] }, 'Uint8Array [\n  1,\n]'],
    [{ $buffer: [1] }, 'ArrayBuffer [\n  1,\n]'],
    [
      { $error: { name: 'RangeError', message: 'no' } },
      'Error {\n  message: "no",\n  name: "RangeError",\n}',
    ],
    [{ $instance: { cents: 5 } }, '(instance of a class) {\n  cents: 5,\n}'],
    [{ $bare: {} }, '(without a prototype) {}'],
    [{ $object: { $date: 1 } }, '{\n  "$date": 1,\n}'],
    [{ $ref: '#/a' }, '{\n  "$ref": "#/a",\n}'],
  ])('that JSON cannot say is said in words: %j', (carried, text) => {
    expect(read(carried)).toBe(text);
  });

  test('of several lines of text has as many lines', () => {
    expect(read({ page: 'one\ntwo\n', name: 'x' })).toBe(
      '{\n  name: "x",\n  page:\n    "one\\n"\n    "two\\n",\n}',
    );
  });

  test('holds nothing that cannot be seen or that moves what is beside it', () => {
    expect(quoted('a\u202eb\u2028c\u00a0d\ud800e\u0000f\u200b "g"')).toBe(
      '"a\\u{202e}b\\u{2028}c\\u{a0}d\\ud800e\\u0000f\\u{200b} \\"g\\""',
    );
    expect(read({ '\u202e': 1 })).toBe('{\n  "\\u{202e}": 1,\n}');
  });
});

function contrastOf(expected: unknown, returned: string) {
  const trial: Trial = {
    position: 0,
    run: 0,
    testCase: { name: 'a case', input: 'null', expect: Object(expected), tags: [] },
    related: undefined,
  };
  const tried: ObservedTrial = {
    observed: { observation: { outcome: 'returned', value: returned }, durationMs: 1 },
    related: undefined,
  };
  return contrasts()({ trial, tried, at: 0 });
}

describe('long texts', () => {
  test('are told from where they first differ', () => {
    const numbers = Array.from({ length: 3_000 }, (_, at) => at);
    const { expected = '', observed = '' } = contrastOf(
      { equals: numbers },
      JSON.stringify(numbers.with(2_900, -1)),
    );
    for (const text of [expected, observed]) {
      expect(text.length).toBeLessThan(9_000);
      expect(text).toMatch(/^… 2889 lines before are alike\n {2}2888,\n/);
    }
    expect(expected).toContain('\n  2900,\n');
    expect(observed).toContain('\n  -1,\n');
  });

  test('of one line are cut where they differ', () => {
    const long = 'x'.repeat(20_000);
    const { expected = '', observed = '' } = contrastOf({ equals: `${long}a` }, JSON.stringify(`${long}b`));
    expect(expected).toMatch(/^… 19901 characters before are alike …x+a"$/);
    expect(observed).toMatch(/^… 19901 characters before are alike …x+b"$/);
  });

  test.each([
    ['too many elements', `[${'1,'.repeat(60_000)}1]`],
    ['too deep', `${'['.repeat(60_000)}${']'.repeat(60_000)}`],
    ['too long', JSON.stringify('y'.repeat(200_000))],
    ['no JSON at all', '<img src=x onerror=alert(1)>'],
  ])('that are %s are not shown', (_what, returned) => {
    expect(contrastOf({ equals: 1 }, returned)).toEqual({ expected: '1', observed: '(too large to show)' });
  });

  test('are told of some cases only, where very many fail', () => {
    const tell = contrasts();
    const value = JSON.stringify('z'.repeat(60_000));
    const trial = { position: 0, run: 0, testCase: { name: 'a case', tags: [] }, related: undefined };
    const observed = { observation: { outcome: 'returned' as const, value }, durationMs: 1 };
    const told = Array.from({ length: 100 }, () =>
      tell({ trial, tried: { observed, related: undefined }, at: 0 }),
    );
    expect(told[0]?.observed).toMatch(/^"z+… \d+ more characters$/);
    expect(told.at(-1)).toEqual({});
  });
});

const module = `
const predicate = (output) => output === 'never';
export default {
  limits: { caseMs: 300 },
  cases: [
    { name: 'equals', input: { kind: 'value' }, expect: { equals: { total: 12, at: new Date(0), tags: new Set(['a']) } } },
    { name: 'matches', input: { kind: 'value' }, expect: { matches: { total: 12 } } },
    { name: 'closeTo', input: { kind: 'number' }, expect: { closeTo: { value: 0.5, tolerance: 0.1 } } },
    { name: 'oneOf', input: { kind: 'number' }, expect: { oneOf: [2, 'two'] } },
    { name: 'schema', input: { kind: 'number' }, expect: { schema: { type: 'string' } } },
    { name: 'throws', input: { kind: 'throw' }, expect: { throws: { name: 'RangeError', message: 'too large' } } },
    { name: 'should throw', input: { kind: 'number' }, expect: { throws: true } },
    { name: 'threw', input: { kind: 'throw' }, expect: { equals: 1 } },
    { name: 'loops', input: { kind: 'loop' }, expect: { equals: undefined } },
    { name: 'predicate', input: { kind: 'number' }, expect: predicate },
    { name: 'generated', generate: (fc) => fc.constant({ kind: 'number' }), runs: 3, expect: predicate },
    { name: 'related', input: { kind: 'number' }, relate: { from: () => ({ kind: 'number' }), hold: (a, b) => a === b + 1 } },
    { name: 'steps', steps: [
      { input: { kind: 'number' }, expect: { equals: 1 } },
      { name: 'second', input: { kind: 'number' }, expect: { equals: { sum: 2 } } },
    ] },
  ],
};`;

const compared = {
  references: [{ name: 'right', verdict: 'merge', build: 'export const run = ({ kind }) => ({ kind })' }],
  cases: [{ name: 'same as', input: { kind: 'number' }, sameAs: 'right' }],
};

const wrong = `export function run({ kind }) {
  if (kind === 'value') return { total: 11, at: new Date(1), tags: new Set(['a']) };
  if (kind === 'throw') throw new TypeError('it is\\nwrong');
  if (kind === 'loop') while (true);
  return 1;
}`;

describe('a red score', () => {
  let world: World;
  let id: string;

  beforeAll(async () => {
    world = await startWorld();
    await sealSuite(world, 'compared', compared);
    await sealSuite(world, 'told', { module });
    await world.admin('PUT', '/gates/told', { suites: ['told', 'compared'] });
    const scored = await world.admin('POST', '/score', scoreRequest('told', wrong));
    id = z.object({ id: z.string() }).parse(scored.json, { error: () => scored.text }).id;
  });

  afterAll(() => world.close());

  test('tells its author what each failing case required, and what came of it', async () => {
    const { json } = await (await world.as('author'))('GET', `/scores/${id}`);
    const { failures } = z.object({ failures: z.array(failureSchema) }).parse(json);
    const told = Object.fromEntries(
      failures.map(({ case: name, expected, observed }) => [name, [expected, observed]]),
    );
    const value = (total: number, at: string) =>
      `{\n  at: Date 1970-01-01T00:00:00.00${at}Z,\n  tags: Set {\n    "a",\n  },\n  total: ${total},\n}`;
    const threw = 'throws\n  name: "TypeError"\n  message: "it is\\n"\n    "wrong"';
    expect(told).toEqual({
      equals: [value(12, '0'), value(11, '1')],
      matches: ['{\n  total: 12,\n}', value(11, '1')],
      closeTo: ['0.5 ± 0.1', '1'],
      oneOf: ['one of\n  2\n  "two"', '1'],
      schema: ['what satisfies the schema\n  {\n    type: "string",\n  }', '1'],
      throws: ['throws\n  name: "RangeError"\n  message: like "too large"', threw],
      'should throw': ['throws', '1'],
      threw: ['1', threw],
      loops: ['undefined', expect.stringMatching(/^ended as timed_out/)],
      predicate: [undefined, '1'],
      'same as': ['{\n  kind: "number",\n}', '1'],
      generated: [undefined, '1'],
      related: [undefined, 'for the input\n  1\nfor the related input\n  1'],
      steps: ['{\n  sum: 2,\n}', '1'],
    });
  });

  test('tells nobody else, and replays to the same', async () => {
    for (const role of ['lead', 'ci', 'harness'] as const) {
      const { text } = await (await world.as(role))('GET', `/scores/${id}`);
      expect(text).not.toMatch(/expected|observed|RangeError|1970/);
    }
    const { json } = await (await world.as('author'))('POST', `/scores/${id}/replay`);
    const { agrees, failures } = z
      .object({ agrees: z.boolean(), failures: z.array(z.custom<Failure>()) })
      .parse(json);
    expect(agrees).toBe(true);
    expect(failures.find((failure) => failure.case === 'oneOf')).toMatchObject({ observed: '1' });
  });
});
