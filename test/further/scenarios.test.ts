/** Scenarios and fixtures in a runner: what is observed of steps, clock, zone, chance and requests, whatever a candidate does about it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleHost, type HostCode } from '../../runners/bundle.ts';
import { type Call, type CaseRun, type Exchange, type Fixtures, plainRun } from '../../runners/case-run.ts';
import { HostPool } from '../../runners/pool.ts';
import { limitsSchema, type Observation, type ObservedCase } from '../../runners/protocol.ts';
import { runCandidate, together } from '../../runners/run-candidate.ts';
import { Transformer } from '../../runners/transformer.ts';

const transformer = new Transformer();
let code: HostCode;
let pool: HostPool;

beforeAll(async () => {
  code = await bundleHost(new URL('../../runners/host/candidate-task.ts', import.meta.url), {
    REALM_SOURCE: new URL('../../runners/realm/main.ts', import.meta.url),
  });
  pool = new HostPool({ code, size: 2, isolateMb: 128 });
  await pool.warm(1);
});
afterAll(async () => {
  await pool.close();
  await code.remove();
});

async function observeAll(
  source: string,
  runs: CaseRun[],
  limits: Partial<typeof usualLimits> = {},
): Promise<Observation[]> {
  const transformed = await transformer.transform(source);
  if (!transformed.ok) throw new Error(transformed.detail);
  const { script } = transformed;
  const observed = await runCandidate(pool, {
    script,
    runs,
    seed: 1,
    limits: { ...usualLimits, ...limits },
    hosts: 1,
  });
  return observed.map(({ observation }) => observation);
}

const usualLimits = limitsSchema.parse({});

/** A scenario of calls, each by the name of the export and its input as carried JSON data. Set-up is named with a `-`. */
function scenarioOf(calls: [call: string, input?: unknown][], fixtures?: Fixtures): CaseRun {
  const [first, ...rest] = calls.map(
    ([call, input = { $undefined: true }]): Call => ({
      call: call.replace('-', ''),
      input: JSON.stringify(input),
      wanted: !call.startsWith('-'),
    }),
  );
  if (first === undefined) throw new Error('a scenario has calls');
  return { calls: [first, ...rest], isScenario: true, ...(fixtures === undefined ? {} : { fixtures }) };
}

/** What a scenario tells, as data; or how it ended. */
function told(observation: Observation | undefined): unknown {
  return observation?.outcome === 'returned' ? JSON.parse(observation.value) : observation;
}

async function play(
  source: string,
  calls: [call: string, input?: unknown][],
  fixtures?: Fixtures,
): Promise<unknown> {
  const [observation] = await observeAll(source, [scenarioOf(calls, fixtures)]);
  return told(observation);
}

const returned = (value: unknown) => ({ outcome: 'returned', value });

const cart = `
  class Cart { items = []; #secret = 7; add(sku) { this.items.push(sku); } get secret() { return this.#secret; } }
  export const open = () => new Cart();
  export function add({ cart, sku }) { if (sku === '') throw new RangeError('no sku'); cart.add(sku); return cart.items.length; }
  export const secret = (cart) => cart.secret;
  export const double = () => (n) => n * 2;
  export const apply = ({ f, n }) => f(n);
  export async function later(n) { await new Promise((done) => setTimeout(done, 1000)); return [n, Date.now()]; }
  export const echo = (x) => x;
  export default { total: (cart) => cart.items.length };
`;

describe('a scenario', () => {
  test('calls several exports in one realm, and hands live outputs on', async () => {
    const observed = await play(cart, [
      ['-open'],
      ['add', { cart: { $output: 0 }, sku: 'a' }],
      ['add', { cart: { $output: 0 }, sku: '' }],
      ['add', { cart: { $output: 0 }, sku: 'b' }],
      ['secret', { $output: 0 }],
      ['total', { $output: 0 }],
      ['-double'],
      ['apply', { f: { $output: 6 }, n: { $bigint: '21' } }],
      ['apply', { f: { $output: 6 }, n: 21 }],
      ['echo', [{ $output: 0, at: '/items/1' }, { $output: 1 }, { $map: [[{ $output: 3 }, 1]] }]],
      ['echo', { $object: { $output: 0 } }],
    ]);
    expect(observed).toEqual({
      steps: [
        { outcome: 'done' },
        returned(1),
        { outcome: 'threw', error: { name: 'RangeError', message: 'no sku' } },
        returned(2),
        returned(7),
        returned(2),
        { outcome: 'done' },
        { outcome: 'threw', error: { name: 'TypeError', message: expect.stringMatching(/BigInt/) } },
        returned(42),
        returned(['b', 1, { $map: [[2, 1]] }]),
        returned({ $object: { $output: 0 } }),
      ],
      requests: [],
    });
  });

  test('waits for promises in virtual time, which goes on from step to step', async () => {
    expect(
      await play(
        cart,
        [
          ['later', 1],
          ['later', 2],
        ],
        { atMs: -1_500 },
      ),
    ).toEqual({
      steps: [returned([1, -500]), returned([2, 500])],
      requests: [],
    });
  });

  test('does not call a step whose input cannot be made', async () => {
    const source = `
      export const fail = () => { throw new Error('no'); };
      export const odd = () => ({ get trap() { return 'ran'; }, deep: { list: ['a'] }, 'a/b': { '~': 1 } });
      export const proxy = () => new Proxy({}, { getOwnPropertyDescriptor() { throw { outcome: 'returned' }; } });
      export const echo = (x) => x;`;
    const observed = await play(source, [
      ['fail'],
      ['echo', { $output: 0 }],
      ['-odd'],
      ['echo', { $output: 2, at: '/trap' }],
      ['echo', { $output: 2, at: '/deep/list/1' }],
      ['echo', { $output: 2, at: '/deep/list/0' }],
      ['echo', { $output: 2, at: '/a~1b/~0' }],
      ['echo', { $output: 2, at: '/toString' }],
      ['-proxy'],
      ['echo', { $output: 8, at: '/x' }],
    ]);
    const notCalled = (detail: RegExp) => ({ outcome: 'not_called', detail: expect.stringMatching(detail) });
    expect(observed).toMatchObject({
      steps: [
        { outcome: 'threw' },
        notCalled(/output of step 1, which gave none/),
        { outcome: 'done' },
        notCalled(/accessor/),
        notCalled(/nothing at that place/),
        returned('a'),
        returned(1),
        notCalled(/nothing at that place/),
        { outcome: 'done' },
        notCalled(/could not be made/),
      ],
    });
  });

  test('ends as a case ends: missing exports, endless steps and promises, outputs that cannot be carried', async () => {
    const source = `
      export const fine = () => 1;
      export const never = () => new Promise(() => {});
      export const loop = () => { for (;;); };
      export const huge = () => 'x'.repeat(700);
      export const closure = () => () => 1;
      export const hostile = () => { throw { get message() { return 'x'; }, name: 'x'.repeat(2000) }; };
      export const hog = () => { const all = []; for (;;) all.push(new Array(1e6).fill(1.5)); };`;
    const ends = await observeAll(
      source,
      [
        scenarioOf([['fine'], ['missing']]),
        scenarioOf([['fine'], ['never'], ['fine']]),
        scenarioOf([['fine'], ['loop']]),
        scenarioOf([['huge'], ['huge']]),
        scenarioOf([['-huge'], ['huge'], ['-huge']]),
        scenarioOf([['fine'], ['closure']]),
        scenarioOf([['-closure'], ['fine']]),
        scenarioOf([['fine'], ['hostile']]),
        scenarioOf([['fine'], ['hog']]),
      ],
      // Where memory is slow, to take much of it may take longer than a case has.
      { caseMs: 1_000, isolateMb: 32, outputBytes: 1_000 },
    );
    expect(ends.map((end) => ('detail' in end ? `${end.outcome}: ${end.detail}` : end.outcome))).toEqual([
      'crashed: the module exports no function named missing',
      'timed_out: step 2 (never): the promise that it returned can never settle',
      'timed_out: it did not finish within the time of a case',
      expect.stringMatching(/^output_rejected: step 2 \(huge\): too long/),
      'returned',
      'output_rejected: step 2 (closure): a function cannot be carried',
      'returned',
      'output_rejected: step 2 (hostile): what was thrown cannot be carried',
      'out_of_memory',
    ]);
  });

  test('stays a plain observation where a plain case calls another export in another world', async () => {
    const [run] = [plainRun('1')];
    const observed = await observeAll('export const now = (x) => [x, new Date().toISOString()]', [
      { ...run, calls: [{ ...run.calls[0], call: 'now' }], fixtures: { atMs: 1_000 } },
    ]);
    expect(observed).toEqual([returned('[1,"1970-01-01T00:00:01.000Z"]')]);
  });
});

describe('a hostile candidate', () => {
  /** Each turns the realm against the scenario in its first call; the second returns a wrong 1, and 42 would be right. */
  const attempts: Record<string, string> = {
    'gives all objects a then': `Object.prototype.then = function (done) { done({ steps: [{ outcome: 'returned', value: 42 }] }); };`,
    'patches promises': `Promise.prototype.then = function () { return 42; }; Promise.resolve = () => 42;
      Object.defineProperty(Promise.prototype, 'constructor', { get() { return class { constructor(f) { f(() => {}, () => {}); } }; } });`,
    'patches iterators and arrays': `Array.prototype[Symbol.iterator] = function* () { yield 42; }; Array.prototype.push = () => 42;
      Array.prototype.map = Array.prototype.flatMap = () => [42]; Array.prototype.join = () => '42';
      Object.defineProperty(Array.prototype, '1', { set(v) {}, get() { return 42; } });`,
    'patches JSON': `JSON.stringify = () => '42'; JSON.parse = () => 42; String.prototype.split = () => ['42'];`,
    'plants setters on Object.prototype': `for (const key of ['steps', 'value', 'outcome', 'output', 'gave', 'callee', 'input'])
      Object.defineProperty(Object.prototype, key, { __proto__: null, get() { return 42; }, set() {}, configurable: true });`,
    'patches Reflect and Function': `Reflect.apply = () => 42; Function.prototype.call = Function.prototype.apply = () => 42;
      Reflect.getOwnPropertyDescriptor = () => ({ value: 42 }); Object.hasOwn = () => false;`,
    'patches Map and WeakMap': `Map.prototype.get = () => () => 42; Map.prototype.set = function () { return this; };
      WeakMap.prototype.get = () => 42;`,
    'returns a thenable that resolves twice': `first = { then(done) { done(1); done(42); } };`,
  };

  test('forges no output of another step', async () => {
    const names = Object.keys(attempts);
    const attacks = names.map(
      (name, turn) => `export function attack${turn}() { ${attempts[name]}; return first; }`,
    );
    const source = `
      let first = 1;
      ${attacks.join('\n')}
      export const wrong = (x) => 1;
      export const echo = (x) => x;`;
    const runs = names.map((_, turn) =>
      scenarioOf([[`attack${turn}`], ['wrong', 5], ['echo', { $output: 1 }], ['-wrong']]),
    );
    const honest = { steps: [returned(1), returned(1), returned(1), { outcome: 'done' }], requests: [] };
    const observed = (await observeAll(source, runs)).map(told);
    for (const [turn, name] of names.entries()) expect(observed[turn], `one that ${name}`).toEqual(honest);
  });

  test('that changes an input or an output later changes nothing that was told', async () => {
    const source = `
      let kept, given;
      export const keep = (x) => { kept = x; given = { answer: [1] }; return given; };
      export const change = () => { kept.push('changed'); given.answer.push('changed'); return kept; };
      export const echo = (x) => x;`;
    const observed = await play(source, [['keep', [1]], ['change'], ['echo', [1]], ['echo', { $output: 0 }]]);
    expect(observed).toMatchObject({
      steps: [
        returned({ answer: [1] }),
        returned([1, 'changed']),
        returned([1]),
        returned({ answer: [1, 'changed'] }),
      ],
    });
  });
});

describe('fixtures', () => {
  test('put the clock, the chance and the time zone where the case says', async () => {
    const source = `export function run(time) {
      const date = new Date(time);
      return {
        now: new Date().toISOString(),
        text: String(date),
        local: [date.getFullYear(), date.getMonth(), date.getDate(), date.getHours(), date.getMinutes()],
        offset: date.getTimezoneOffset(),
        next: new Date(date.getTime() + 60 * 60 * 1000).toString(),
        gap: new Date(2026, 2, 29, 2, 30).toISOString(),
        intl: new Intl.DateTimeFormat('de-DE', { dateStyle: 'short', timeStyle: 'long' }).format(date),
        locale: date.toLocaleString('de-DE'),
        zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        temporal: Temporal.Now.timeZoneId(),
        origin: performance.timeOrigin,
        random: Math.random(),
      };
    }`;
    const input = JSON.stringify('2026-03-29T01:30:00+01:00');
    const zoned = (fixtures: Fixtures): CaseRun => ({ ...plainRun(input), fixtures });
    const atMs = Date.parse('2026-03-29T01:30:00+01:00');
    const observed = await observeAll(source, [
      zoned({ zone: 'Europe/Berlin', atMs }),
      zoned({ zone: 'America/New_York' }),
      plainRun(input),
      zoned({ seed: 2 }),
      zoned({ seed: 2, zone: 'Europe/Berlin' }),
    ]);
    const [berlin, newYork, usual, seeded, both] = observed.map((each) => Object(told(each)));
    expect(berlin).toMatchObject({
      now: '2026-03-29T00:30:00.000Z',
      text: 'Sun Mar 29 2026 01:30:00 GMT+0100 (Central European Standard Time)',
      local: [2026, 2, 29, 1, 30],
      offset: -60,
      next: 'Sun Mar 29 2026 03:30:00 GMT+0200 (Central European Summer Time)',
      // Half past two did not exist in that night.
      gap: '2026-03-29T01:30:00.000Z',
      intl: '29.03.26, 01:30:00 MEZ',
      locale: '29.3.2026, 01:30:00',
      zone: 'Europe/Berlin',
      temporal: 'Europe/Berlin',
      origin: atMs,
    });
    expect(newYork).toMatchObject({ local: [2026, 2, 28, 20, 30], zone: 'America/New_York' });
    expect(usual).toMatchObject({ now: '2026-01-01T00:00:00.000Z', offset: 0, zone: 'UTC' });
    expect(usual.random).toBe(berlin.random);
    expect(seeded.random).not.toBe(usual.random);
    expect(both.random).toBe(seeded.random);
  });
});

function exchange(
  request: Partial<Exchange['request']>,
  response: Partial<Exchange['response']> = {},
): Exchange {
  return {
    request: { method: 'GET', url: 'https://api.test/rate', headers: [], ...request },
    response: { status: 200, statusText: 'OK', headers: [], body: '', ...response },
  };
}

describe('fetch', () => {
  const requested = (source: string, http: Exchange[]) =>
    play(`export async function run() { ${source} }`, [['run']], { http });

  test('is there only where a case lists exchanges', async () => {
    const source = 'export const run = () => typeof fetch + typeof Response';
    const [plain] = await observeAll(source, [plainRun('null')]);
    expect(plain).toEqual(returned('"undefinedundefined"'));
    expect(await play(source, [['run']], { http: [] })).toMatchObject({
      steps: [returned('functionfunction')],
    });
  });

  test('answers as the exchange says', async () => {
    const http = [
      exchange(
        { url: 'https://api.test/rate?of=EUR' },
        { status: 404, statusText: 'Not Found', headers: [['X-Kind', 'a']], body: '{"rate":"ü"}' },
      ),
    ];
    const observed = await requested(
      `const res = await fetch(new URL('/rate?of=EUR#x', 'https://API.test:443/'));
       const copy = res.clone();
       const json = await res.json();
       const again = await res.text().catch((error) => error.name);
       const bytes = new Uint8Array(await copy.arrayBuffer()).length;
       const { ok, status, statusText, url, redirected, type, bodyUsed } = res;
       return { json, again, bytes, ok, status, statusText, url, redirected, type, bodyUsed,
         kind: res.headers.get('x-kind'), all: [...res.headers], name: res.constructor.name };`,
      http,
    );
    expect(observed).toEqual({
      steps: [
        returned({
          json: { rate: 'ü' },
          again: 'TypeError',
          bytes: 13,
          ok: false,
          status: 404,
          statusText: 'Not Found',
          url: 'https://api.test/rate?of=EUR',
          redirected: false,
          type: 'basic',
          bodyUsed: true,
          kind: 'a',
          all: [['x-kind', 'a']],
          name: 'Response',
        }),
      ],
      requests: [1],
    });
  });

  test('matches method, URL, headers and body, and goes through answers in order', async () => {
    const url = 'https://api.test/orders';
    const http = [
      exchange(
        { url, method: 'POST', body: { json: '{"a":1,"b":[2]}' }, headers: [['X-Key', 'k']] },
        { body: 'json' },
      ),
      exchange({ url, method: 'PUT', body: { text: 'q=1+2' } }, { body: 'text' }),
      exchange({ url }, { body: 'first' }),
      exchange({ url }, { body: 'then' }),
      exchange({ url, method: 'DELETE' }, { status: 204 }),
    ];
    const observed = await requested(
      `const text = async (...request) => (await fetch(...request)).text();
       const url = '${url}';
       const headers = { 'x-key': 'k' };
       return [
         await text(url, { method: 'post', body: '{ "b": [2], "a": 1 }', headers }),
         await text(new Request(url, { method: 'POST', body: new TextEncoder().encode('{"a":1,"b":[2]}'), headers: new Headers(headers) })),
         await text(url, { method: 'PUT', body: new URLSearchParams({ q: '1 2' }) }),
         await text(url), await text(url), await text({ toString: () => url }),
       ];`,
      http,
    );
    expect(observed).toEqual({
      steps: [returned(['json', 'json', 'text', 'first', 'then', 'then'])],
      requests: [2, 1, 1, 2, 0],
    });
  });

  const unlisted: Record<string, string> = {
    'another URL': "fetch('https://api.test/other')",
    'another method': "fetch('https://api.test/rate', { method: 'DELETE' })",
    'no such body': "fetch('https://api.test/post', { method: 'POST', body: '{\"a\":2}' })",
    'a body that is no JSON': "fetch('https://api.test/post', { method: 'POST', body: '['.repeat(100000) })",
    'one that nobody waits for': "void fetch('https://api.test/other').catch(() => {})",
  };

  test('fails the case for what is not listed, though the candidate swallows that', async () => {
    const http = [
      exchange({}),
      exchange({ url: 'https://api.test/post', method: 'POST', body: { json: '{"a":1}' } }),
    ];
    const names = Object.keys(unlisted);
    const source = names.map(
      (name, turn) =>
        `export async function try${turn}() { try { await ${unlisted[name]}; } catch {} return 1; }`,
    );
    const runs = names.map((_, turn) => scenarioOf([[`try${turn}`]], { http }));
    const observed = await observeAll(source.join('\n'), runs);
    for (const [turn, name] of names.entries())
      expect(observed[turn], name).toEqual({
        outcome: 'output_rejected',
        detail: expect.stringMatching(
          /^it requested [A-Z]+ https:\/\/api\.test\/\w+, which the case does not list$/,
        ),
      });
  });

  test('counts what was requested, whatever the candidate has made of the realm', async () => {
    const observed = await requested(
      `Array.prototype[Symbol.iterator] = function* () {};
       Object.prototype.then = undefined;
       for (const key of ['made', 'exchange', 'counts']) Object.defineProperty(Object.prototype, key, { get: () => 7, set() {} });
       JSON.parse = () => ({}); JSON.stringify = () => '[0]'; String.prototype.toUpperCase = function () { return 'GET'; };
       let seen = 0;
       for (let turn = 0; turn < 3; turn++) { try { seen += (await fetch('https://api.test/rate')).status; } catch {} }
       return seen;`,
      [exchange({})],
    );
    const { steps, requests } = Object(observed);
    const [{ value }] = steps;
    expect(value).toBe(requests[0] * 200);
  });

  test('shows nobody what a request should be, and lets nobody say what it should have been', async () => {
    const plant = `
      const seen = [];
      const plant = (key, get) => Object.defineProperty(Object.prototype, key, {
        get, set(value) { Object.defineProperty(this, key, { value, writable: true, enumerable: true }); },
      });
      plant('body', function () { if (this.url) seen.push(this.url); });
      plant('text', function () { if (this.json) seen.push(this.json); return '0'; });
      const post = () => fetch('https://api.test/rate', { method: 'POST', body: '0' });`;
    const posted = exchange({ method: 'POST', body: { json: '{"amount":12345}' } });
    const guessed = await requested(`${plant} return [(await post()).status, seen];`, [posted]);
    expect(guessed).toMatchObject({ outcome: 'output_rejected' });
    const http = [exchange({ url: 'https://api.test/other' }), exchange({ method: 'POST' })];
    const read = await requested(`${plant} return [(await post()).status, seen];`, http);
    expect(read).toEqual({ steps: [returned([200, []])], requests: [0, 1] });
  });

  test('heeds a signal: what is aborted before it is made is not made', async () => {
    const observed = await requested(
      `const controller = new AbortController();
       const signal = AbortSignal.timeout(50);
       const made = (await fetch('https://api.test/rate', { signal: controller.signal })).status;
       controller.abort();
       const refused = await fetch('https://api.test/rate', { signal: controller.signal }).catch((error) => error.name);
       await new Promise((done) => setTimeout(done, 100));
       const late = await fetch(new Request('https://api.test/rate', { signal })).catch((error) => error.name);
       return [made, refused, late];`,
      [exchange({})],
    );
    expect(observed).toEqual({ steps: [returned([200, 'AbortError', 'TimeoutError'])], requests: [1] });
  });

  test('is given hostile things, and makes no request of them', async () => {
    const observed = await requested(
      `const errors = [];
       const hostile = [
         [{ toString() { throw new Error('mine'); } }], ['not a URL'], [Symbol('s')],
         ['https://api.test/rate', { get method() { throw new Error('mine'); } }],
         ['https://api.test/rate', { body: 'x' }],
       ];
       for (let i = 0; i < hostile.length; i++) await fetch(...hostile[i]).catch((error) => errors.push(error.name));
       return errors;`,
      [exchange({})],
    );
    expect(observed).toEqual({
      steps: [returned(['Error', 'TypeError', 'TypeError', 'Error', 'TypeError'])],
      requests: [0],
    });
  });
});

test('a module is not told ahead how often its exports will be called', async () => {
  const source = `const seen = [];
    module.exports = new Proxy({}, { get: (_, name) => { seen.push(name); return () => seen; } });`;
  const { steps } = Object(await play(source, [['a'], ['b'], ['a'], ['a']]));
  expect(steps[0]).toEqual(returned(['a', 'b']));
});

describe('several runs of one case that is timed', () => {
  const of = (value: string, cpuMs: number): ObservedCase => ({
    observation: { outcome: 'returned', value },
    durationMs: 1,
    cpuMs,
  });

  test('come to what the first gave, and the least time of those that gave the same', () => {
    expect([of('1', 90), of('1', 70), of('1', 80)].reduce(together)).toEqual(of('1', 70));
    // A candidate that knows that it was run before need not do the work again.
    expect([of('1', 90), of('2', 1), of('1', 80)].reduce(together)).toEqual(of('1', 80));
    const hung: ObservedCase = { observation: { outcome: 'timed_out' }, durationMs: 1 };
    expect([of('1', 90), hung, of('1', 1)].reduce(together)).toEqual(hung);
  });
});
