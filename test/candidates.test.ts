/** What a candidate may be, what it finds in its realm, and which of its ends count as what. */
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, scoreRequest, sealSuite, startWorld, type World } from './world.ts';

let world: World;
let author: Client;

beforeAll(async () => {
  world = await startWorld();
  author = await world.as('author');
});
afterAll(() => world.close());

let suites = 0;

/** Scores a candidate against cases made for it alone, as an author sees it. */
async function score(source: string, cases: object[], limits: object = {}): Promise<Record<string, unknown>> {
  const name = `suite-${++suites}`;
  await sealSuite(world, name, { cases, limits });
  const reply = await author('POST', '/score', scoreRequest(name, source));
  expect(reply.status, reply.text).toBe(200);
  return Object(reply.json);
}

const addsOne = [{ name: 'adds one', input: 41, expect: { equals: 42 } }];

describe('a candidate may be', () => {
  test.each([
    ['an ES module', 'export function run(x) { return x + 1 }'],
    ['an ES module with a default export', 'export default { run: (x) => x + 1 }'],
    ['an ES module with a renamed export', 'const f = (x) => x + 1; export { f as run }'],
    ['CommonJS', 'module.exports = { run(x) { return x + this.step }, step: 1 }'],
    ['CommonJS with exports', 'exports.run = function (x) { return x + 1 }'],
    [
      'TypeScript',
      'enum Step { One = 1 }\nexport const run = (x: number): number => x + (Step.One satisfies number)',
    ],
    ['async', 'export async function run(x) { await null; return x + 1 }'],
    ['one that answers with a thenable', 'export const run = (x) => ({ then(resolve) { resolve(x + 1) } })'],
    [
      'one that waits for a timer',
      'export const run = (x) => new Promise((done) => setTimeout(done, 3_600_000, x + 1))',
    ],
    [
      'one with a shebang and a byte order mark',
      '\uFEFF#!/usr/bin/env node\nexport const run = (x) => x + 1',
    ],
    [
      'one with text that looks like an end',
      'export const run = (x) => x + ["}) } </script> `"].length // })',
    ],
  ])('%s', async (_what, source) => {
    expect(await score(source, addsOne)).toMatchObject({ verdict: 'merge', passed: 1, total: 1 });
  });

  test.each([
    ['semver', `import { inc } from 'semver'; export const run = (v) => inc(v, 'minor')`, '1.2.3', '1.3.0'],
    [
      'lodash-es',
      `import { groupBy } from 'lodash-es'; export const run = (v) => groupBy(v, Math.floor)`,
      [6.1, 4.2, 6.3],
      { 4: [4.2], 6: [6.1, 6.3] },
    ],
    [
      'date-fns',
      `import { addMonths, formatISO } from 'date-fns'; export const run = (v) => addMonths(new Date(v), 1).toISOString()`,
      '2024-01-31T00:00:00.000Z',
      '2024-02-29T00:00:00.000Z',
    ],
    [
      'marked',
      `import { marked } from 'marked'; export const run = (v) => marked.parse(v)`,
      '# *hi*',
      '<h1><em>hi</em></h1>\n',
    ],
    [
      'zod',
      `import { z } from 'zod'; export const run = (v) => z.email().safeParse(v).success`,
      'a@example.org',
      true,
    ],
    ['yaml', `import { parse } from 'yaml'; export const run = (v) => parse(v)`, 'a: [1, 2]', { a: [1, 2] }],
    [
      'ajv',
      `import Ajv from 'ajv'; export const run = (v) => new Ajv().compile({ type: 'integer' })(v)`,
      1.5,
      false,
    ],
    [
      'fast-check',
      `import fc from 'fast-check'; export const run = (v) => fc.sample(fc.integer(), { seed: v, numRuns: 3 }).length`,
      7,
      3,
    ],
  ])('%s, a published library, bundled by esbuild', async (_name, source, input, equals) => {
    const { outputFiles } = await build({
      stdin: { contents: source, resolveDir: import.meta.dirname },
      bundle: true,
      format: 'esm',
      platform: 'browser',
      write: false,
    });
    const scored = await score(outputFiles[0]?.text ?? '', [
      { name: 'as documented', input, expect: { equals } },
    ]);
    expect(scored).toMatchObject({ verdict: 'merge' });
  });

  test('as large as 16 MiB, and not a byte larger', async () => {
    const ci = await world.as('ci');
    const body = 'export const run = (x) => x + 1 //';
    const upload = (bytes: number) =>
      ci('POST', '/candidates', body.padEnd(bytes, 'x'), { 'content-type': 'application/octet-stream' });
    expect((await upload((16 << 20) + 1)).status).toBe(413);
    expect((await upload(16 << 20)).status).toBe(201);
    expect(await score(body.padEnd(16 << 20, 'x'), addsOne)).toMatchObject({ verdict: 'merge' });
  });
});

describe('a realm', () => {
  test('has what typical libraries expect, and none of what could harm', async () => {
    const source = `export const run = () => ({
      there: ['console', 'structuredClone', 'TextEncoder', 'TextDecoder', 'URL', 'URLSearchParams', 'atob', 'btoa', 'queueMicrotask',
        'setTimeout', 'setInterval', 'clearTimeout', 'crypto', 'Intl', 'Date', 'globalThis'].filter((name) => typeof globalThis[name] === 'undefined'),
      absent: ['process', 'require', 'fetch', 'SharedArrayBuffer', 'Atomics', 'WebAssembly', 'XMLHttpRequest', 'Worker'].filter((name) => typeof globalThis[name] !== 'undefined'),
      url: new URL('/a?b=1', 'https://example.org').searchParams.get('b'),
      text: new TextDecoder().decode(new TextEncoder().encode('é')),
      clone: structuredClone(new Map([[1, { a: 1 }]])).get(1).a,
      base64: atob(btoa('x')),
    })`;
    const equals = { there: [], absent: [], url: '1', text: 'é', clone: 1, base64: 'x' };
    expect(await score(source, [{ name: 'globals', expect: { equals } }])).toMatchObject({
      verdict: 'merge',
      failures: [],
    });
  });

  test('is deterministic: chance and time are the same in every score', async () => {
    const source = `export const run = () => JSON.stringify([Math.random(), crypto.randomUUID(), Date.now(), String(new Date()), new Intl.DateTimeFormat().resolvedOptions()])`;
    const cases = [{ name: 'one', expect: { equals: 'x' } }];
    await sealSuite(world, 'chance', { cases });
    const replies = await Promise.all(
      [1, 2].map(() => author('POST', '/score', scoreRequest('chance', source))),
    );
    const [one, other] = replies.map(({ json }) => JSON.stringify(Reflect.get(Object(json), 'failures')));
    expect(one).toBe(other);
    expect(one).toContain('2026');
  });

  test('is fresh for each case: nothing is carried from one to the next', async () => {
    const source = `let calls = 0; globalThis.seen ??= 0; Array.prototype.extra = 0;
      export const run = () => { calls++; globalThis.seen++; Object.prototype.polluted ??= 0; Object.prototype.polluted++; return [calls, globalThis.seen, ({}).polluted] }`;
    const cases = Array.from({ length: 12 }, (_, index) => ({
      name: `${index}`,
      input: index,
      expect: { equals: [1, 1, 1] },
    }));
    expect(await score(source, cases)).toMatchObject({ verdict: 'merge' });
  });

  test('of a candidate that answers by chance is never green, however often it tries', async () => {
    const cases = Array.from({ length: 4 }, (_, index) => ({
      name: `${index}`,
      input: index,
      expect: { equals: index % 2 === 0 },
    }));
    await sealSuite(world, 'lottery', { cases });
    const source = 'export const run = () => Math.random() < 0.5';
    for (let turn = 0; turn < 10; turn++) {
      const reply = await author('POST', '/score', scoreRequest('lottery', source));
      expect(reply.json).toMatchObject({ verdict: 'block' });
    }
  });
});

describe('only a value that the candidate threw satisfies `throws`', () => {
  const throwsAnything = [{ name: 'throws', input: 1, expect: { throws: true } }];

  test.each([
    [
      'an error',
      'export function run() { throw new RangeError("too far") }',
      { name: 'RangeError', message: 'far$' },
    ],
    [
      'a subclass of its own',
      'class Lost extends Error { name = "Lost" }\nexport async function run() { throw new Lost("x") }',
      { name: 'Lost' },
    ],
    [
      'a rejected promise',
      'export const run = () => Promise.reject(new TypeError("no"))',
      { name: 'TypeError', message: '^no$' },
    ],
    ['a string', 'export function run() { throw "no way" }', { message: 'no way' }],
    ['null', 'export function run() { throw null }', true],
  ])('%s does', async (_what, source, throws) => {
    expect(await score(source, [{ name: 'throws', input: 1, expect: { throws } }])).toMatchObject({
      verdict: 'merge',
    });
  });

  test.each([
    ['a time-out', 'export function run() { for (;;); }', 'timed_out'],
    ['a promise that never settles', 'export const run = () => new Promise(() => {})', 'timed_out'],
    [
      'memory exhausted',
      'export function run() { const kept = []; for (;;) kept.push({ a: [1, 2, 3] }); }',
      'out_of_memory',
    ],
    ['a module that throws while it loads', 'throw new Error("timed out")', 'crashed'],
    ['a module that does not parse', 'export function run( { throw new Error() }', 'crashed'],
    ['a module without run', 'export const walk = 1', 'crashed'],
    [
      'an import',
      'import { readFileSync } from "node:fs"; export const run = () => readFileSync("/etc/passwd")',
      'crashed',
    ],
    ['an output that cannot be carried', 'export const run = () => () => {}', 'output_rejected'],
  ])('%s does not', async (_what, source, outcome) => {
    const scored = await score(source, throwsAnything, { caseMs: 1_000, isolateMb: 32 });
    expect(scored).toMatchObject({
      verdict: 'block',
      failures: [
        { outcome: outcome === 'out_of_memory' ? expect.stringMatching(/out_of_memory|timed_out/) : outcome },
      ],
    });
  });

  test('bytes that are no text are a failing candidate, not a failing service', async () => {
    await sealSuite(world, 'bytes', { cases: throwsAnything });
    const uploaded = await author('POST', '/candidates', new Uint8Array([0xff, 0xfe, 0x00]), {
      'content-type': 'application/octet-stream',
    });
    const reply = await author('POST', '/score', {
      gate: 'bytes',
      change: { id: '1', commit: '1' },
      candidate: { digest: Reflect.get(Object(uploaded.json), 'digest') },
    });
    expect(reply.json).toMatchObject({ verdict: 'block', reason: 'red', failures: [{ outcome: 'crashed' }] });
  });
});

describe('limits', () => {
  test('an output of exactly the limit is accepted, and one byte more is rejected', async () => {
    const source = 'export const run = (length) => "x".repeat(length - 2)';
    const cases = [
      { name: 'fits', input: 1_000, expect: { equals: 'x'.repeat(998) } },
      { name: 'too long', input: 1_001, expect: { equals: 'x'.repeat(999) } },
      { name: 'bytes are counted, not characters', input: 700, expect: { matches: {} } },
    ];
    const scored = await score(
      `export const run = (n) => n === 700 ? "é".repeat(600) : (${source.slice(19)})(n)`,
      cases,
      { outputBytes: 1_000 },
    );
    expect(scored.failures).toMatchObject([
      { case: 'too long', outcome: 'output_rejected' },
      { case: 'bytes are counted, not characters', outcome: 'output_rejected' },
    ]);
  });

  test('a suite may give its cases more time and memory than the defaults', async () => {
    const source = `export function run() { const kept = []; for (let i = 0; i < 2_500_000; i++) kept.push({ i, text: 'n' + i }); return kept.length }`;
    const cases = [{ name: 'large', expect: { equals: 2_500_000 } }];
    expect(await score(source, cases)).toMatchObject({ verdict: 'block' });
    const generous = { caseMs: 30_000, isolateMb: 1_000, hostMb: 2_000 };
    expect(await score(source, cases, generous)).toMatchObject({ verdict: 'merge' });
  });
});
