/** What is published becomes a test that says what the case said: values are written as JavaScript says them. Pure. */
import { describe, expect, test } from 'vitest';
import { literal } from '../../cli/literal.ts';
import { visibleTest } from '../../cli/visible-test.ts';
import { decode, encode } from '../../runners/realm/value.ts';
import type { PublishedCase } from '../../suites/life/life.ts';

/** What the source of an expression evaluates to. */
function evaluate(source: string): unknown {
  return Function(`return (${source});`)();
}

describe('a carried value', () => {
  const values: unknown[] = [
    { total: 12.5, codes: ['A', null, true], 'a key': "it's", __proto__: null },
    JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}'),
    undefined,
    evaluate('[1, , 3, ,]'),
    [[], {}],
    Number.NaN,
    -0,
    Number.POSITIVE_INFINITY,
    12345678901234567890n,
    new Date('2024-02-29T12:00:00Z'),
    new Date(Number.NaN),
    new Map<unknown, unknown>([
      ['a', 1],
      [{ id: 2 }, undefined],
    ]),
    new Set([1, 'one']),
    new Float64Array([0.5, Number.NaN]),
    new BigInt64Array([-1n]),
    new Uint8Array([1, 2]).buffer,
    new RangeError('too large'),
    { $date: 1 },
    'line\u2028 and \ud800 and a `tick`',
  ];

  test.each(values.map((value) => [value]))('%o is written as an expression of the same value', (value) => {
    const encoded = encode(value, 10_000);
    if (!encoded.ok) throw new Error(encoded.reason);
    const source = literal(JSON.parse(encoded.text));
    const again = encode(evaluate(source), 10_000);
    // Of an error only name and message are carried.
    if (value instanceof Error)
      expect(evaluate(source)).toMatchObject({ name: 'RangeError', message: 'too large' });
    else expect(again, source).toEqual(encoded);
    expect(decode(encoded.text)).toEqual(decode(again.ok ? again.text : 'null'));
  });
});

describe('a published case', () => {
  /** Runs the test file's text against a candidate: which of its tests passed, which failed, and which are still to be written. */
  async function verdicts(cases: PublishedCase[], run: (input: unknown) => unknown): Promise<string[]> {
    const text = visibleTest({ suite: 'prices', cases }, '../src/index.ts');
    expect(text).toContain('import * as candidate from "../src/index.ts";');
    const ended: Promise<string>[] = [];
    const collect = Object.assign(
      (_: string, body: () => Promise<void>) => {
        ended.push(
          body().then(
            () => 'passed',
            () => 'failed',
          ),
        );
      },
      { todo: () => ended.push(Promise.resolve('to do')) },
    );
    const code = text.replaceAll(/^import .*$/gm, '');
    Function('expect', 'test', 'candidate', code)(expect, collect, { run });
    return Promise.all(ended);
  }

  const of = (wanted: Record<string, unknown>, input: unknown = 1): PublishedCase => ({
    name: `a "case" of ${Object.keys(wanted).join()}`,
    input,
    expect: wanted,
    tags: [],
  });

  test('passes on what is right and fails on what is wrong, whatever it expects', async () => {
    const cases = [
      of({ equals: { a: 1 } }),
      of({ strictEquals: { a: 1 } }),
      of({ matches: { a: 1 } }),
      of({ oneOf: [{ a: 2 }, { a: 1 }] }),
      of({ predicate: '(out, input) => out.a === input' }),
      of({ predicate: 'expect(out) { return out.a === 1; }' }),
    ];
    const all = (verdict: string) => cases.map(() => verdict);
    expect(await verdicts(cases, () => ({ a: 1 }))).toEqual(all('passed'));
    expect(await verdicts(cases, () => ({ a: 3 }))).toEqual(all('failed'));
    const near = [of({ closeTo: { value: 1, tolerance: 0.1 } })];
    expect(await verdicts(near, () => 1.05)).toEqual(['passed']);
    expect(await verdicts(near, () => 1.5)).toEqual(['failed']);
    expect(await verdicts(near, () => Number.NaN)).toEqual(['failed']);
    const thrown = [of({ throws: true }), of({ throws: { name: 'RangeError', message: 'qu.ntity' } })];
    const thrower = (error: Error) => () => {
      throw error;
    };
    expect(await verdicts(thrown, thrower(new RangeError('the quantity')))).toEqual(['passed', 'passed']);
    expect(await verdicts(thrown, thrower(new TypeError('the quantity')))).toEqual(['passed', 'failed']);
    expect(await verdicts(thrown, () => 1)).toEqual(['failed', 'failed']);
  });

  test('for which there is no short form is left to be written, with all that is known of it', async () => {
    const cases = [of({ schema: { type: 'number' } }), { ...of({ equals: 1 }), steps: [] }];
    expect(await verdicts(cases, () => 1)).toEqual(['to do', 'to do']);
    expect(visibleTest({ suite: 'prices', cases }, 'x')).toContain('//     "schema": {');
  });
});
