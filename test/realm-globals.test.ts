/** The globals of a realm, bundled as for the runner and installed in real realms. */
import { build } from 'esbuild';
import ivm from 'isolated-vm';
import { afterAll, expect, test } from 'vitest';
import { realmBundle } from '../runners/realm/globals/bundle.ts';

const firesMax = 100;
const isolate = new ivm.Isolate({ memoryLimit: 256 });
afterAll(() => isolate.dispose());

const bundled = await build({
  ...realmBundle(),
  stdin: {
    contents: `
      import { installGlobals } from '../runners/realm/globals.ts';
      globalThis.startClock = (seed) => { globalThis.clock = installGlobals(); globalThis.clock.enter(seed); };`,
    resolveDir: import.meta.dirname,
  },
});
const prelude = isolate.compileScriptSync(`(function () {${bundled.outputFiles[0]?.text}\n})()`);

/**
 * Runs `body`, the body of an async function, in a fresh realm, fires the virtual timers that it leaves, and gives
 * what it returned as text. Throws what firing a timer threw.
 */
function inRealm(body: string, seed = 1): string {
  const context = isolate.createContextSync();
  const run = (source: string) => isolate.compileScriptSync(source).runSync(context, { timeout: 5_000 });
  try {
    prelude.runSync(context);
    run(`startClock(${seed}); delete globalThis.startClock;`);
    run('{ const { clock } = globalThis; delete globalThis.clock; var advance = () => clock.advance(); }');
    run(`var outcome = 'pending';
      (async () => {${body}\n})().then(
        (value) => { outcome = String(value); },
        (error) => { outcome = 'threw ' + error; });`);
    for (let fired = 0; fired < firesMax && run('advance()') === true; fired++);
    return String(run('outcome'));
  } finally {
    context.release();
  }
}

/** The values of several expressions in one fresh realm, as JSON would say them. */
function valuesInRealm(expressions: string, seed = 1): unknown {
  return JSON.parse(inRealm(`return JSON.stringify([${expressions}]);`, seed));
}

test('time stands at the start of 2026 until a timer fires', () => {
  const start = 1_767_225_600_000;
  expect(
    valuesInRealm('Date.now(), +new Date(), new Date(), Date(), performance.now(), performance.timeOrigin'),
  ).toEqual([
    start,
    start,
    '2026-01-01T00:00:00.000Z',
    'Thu Jan 01 2026 00:00:00 GMT+0000 (Coordinated Universal Time)',
    0,
    start,
  ]);
});

test('a candidate that waits a minute gets its answer at once, one virtual minute later', () => {
  expect(
    inRealm(`
      await new Promise((resolve) => setTimeout(resolve, 60000));
      return [Date.now() - Date.UTC(2026, 0, 1), performance.now(), new Intl.DateTimeFormat('en-GB',
        { timeStyle: 'medium' }).format(), Temporal.Now.instant()];`),
  ).toBe('60000,60000,00:01:00,2026-01-01T00:01:00Z');
});

test('dates remain dates in every other way', () => {
  expect(
    valuesInRealm(`
      new Date(5), new Date(2020, 1, 29), new Date('2020-02-29'), Date.UTC(2020, 1), Date.parse('2020-02-29'),
      new Date() instanceof Date, Date.name, Date.length, new Date(NaN).getTime(), new Date(undefined).getTime(),
      Object.getPrototypeOf(new Date()) === Date.prototype, new (class extends Date {})(7).getTime()`),
  ).toEqual([
    '1970-01-01T00:00:00.005Z',
    '2020-02-29T00:00:00.000Z',
    '2020-02-29T00:00:00.000Z',
    1_580_515_200_000,
    1_582_934_400_000,
    true,
    'Date',
    7,
    null,
    null,
    true,
    7,
  ]);
});

test('no way leads back to the real clock', () => {
  const start = 1_767_225_600_000;
  expect(
    valuesInRealm(
      `
      +new Date.prototype.constructor(),
      +new (new Date(0).constructor)(),
      +new (class extends Date {})(),
      +Reflect.construct(Date, []),
      +Reflect.construct(Date, [], class extends Date {}),
      Date.prototype.constructor.now(),
      Date.parse(Date.call(undefined)),
      Date.parse(new Intl.DateTimeFormat('en-US').format() + ' UTC'),
      Date.parse(Intl.DateTimeFormat('en-US').format(undefined) + ' UTC'),
      Date.parse(new Intl.DateTimeFormat('en-US').formatToParts().map((part) => part.value).join('') + ' UTC'),
      Temporal.Now.instant().epochMilliseconds,
      Temporal.Now.zonedDateTimeISO().epochMilliseconds,
      Temporal.Now.plainDateTimeISO('UTC').toZonedDateTime('UTC').epochMilliseconds,
      Temporal.Now.plainDateISO().toZonedDateTime('UTC').epochMilliseconds,
      start + Temporal.Now.plainTimeISO('UTC').millisecond`.replace('start', String(start)),
    ),
  ).toEqual(Array(15).fill(start));
});

test('a candidate that patches what a patch needs still finds no real clock', () => {
  expect(
    inRealm(`
      const seen = [];
      const keep = (...args) => { seen.push(...args); };
      Object.prototype.get = keep;
      const name = Date.name;
      delete Object.prototype.get;
      Reflect.construct = Reflect.apply = Reflect.defineProperty = Object.defineProperty = keep;
      WeakMap.prototype.get = WeakMap.prototype.set = () => undefined;
      const text = new Intl.DateTimeFormat('en-US').format();
      return [name, text, seen.filter((value) => typeof value === 'function').length];`),
  ).toBe('Date,1/1/2026,0');
});

test('Temporal has all its classes, and they work', () => {
  expect(
    valuesInRealm(`
      Object.getOwnPropertyNames(Temporal).sort().join(), String(Temporal.PlainDate.from('2020-02-29').add({ years: 1 })),
      String(Temporal.Duration.from({ hours: 1 })), Temporal.Now.timeZoneId(), Object.prototype.toString.call(Temporal),
      new Date(0).toTemporalInstant() instanceof Temporal.Instant`),
  ).toEqual([
    'Duration,Instant,Now,PlainDate,PlainDateTime,PlainMonthDay,PlainTime,PlainYearMonth,ZonedDateTime',
    '2021-02-28',
    'PT1H',
    'UTC',
    '[object Temporal]',
    true,
  ]);
});

test('a date format keeps one bound format function', () => {
  expect(
    inRealm(`
      const date = new Intl.DateTimeFormat('en-US');
      return [date.format === date.format, [new Date(0), new Date(864e5)].map(date.format).join(' ')];`),
  ).toBe('true,1/1/1970 1/2/1970');
});

test('timers fire in order of their due time, immediates and microtasks before them', () => {
  expect(
    inRealm(`
      const order = [];
      let left = 3;
      setTimeout(() => order.push('later'), 25);
      setTimeout((...args) => order.push(...args), 0, 'soon', 'with arguments');
      setImmediate(() => order.push('immediate'));
      queueMicrotask(() => order.push('microtask'));
      const cleared = setTimeout(() => order.push('never'), 1);
      clearTimeout(cleared);
      const interval = setInterval(() => { order.push('tick'); if (--left === 0) clearInterval(interval); }, 10);
      interval.unref().ref();
      order.push('at once');
      await new Promise((resolve) => setTimeout(resolve, 50));
      return order;`),
  ).toBe('at once,microtask,immediate,soon,with arguments,tick,tick,later,tick');
});

test('waiting without a delay still lets time pass', () => {
  expect(
    inRealm(`
      const until = Date.now() + 5;
      while (Date.now() < until) await new Promise((resolve) => setTimeout(resolve));
      return 'passed';`),
  ).toBe('passed');
});

test('an error thrown by a timer reaches the code that runs the case', () => {
  expect(() => inRealm(`setTimeout(() => { throw new Error('from a timer'); }, 1);`)).toThrow('from a timer');
});

test('an error thrown by a microtask escapes no script and reaches the code that runs the case', () => {
  expect(() => inRealm(`queueMicrotask(() => { throw new Error('from a microtask'); });`)).toThrow(
    'from a microtask',
  );
  const context = isolate.createContextSync();
  prelude.runSync(context);
  const script = isolate.compileScriptSync(
    `startClock(1); queueMicrotask(() => { throw new Error('late'); }); 'ran'`,
  );
  expect(script.runSync(context)).toBe('ran');
  context.release();
});

test('timers and microtasks refuse what is not a function', () => {
  for (const call of ['setTimeout("1")', 'setInterval()', 'setImmediate({})', 'queueMicrotask(1)']) {
    expect(inRealm(call)).toMatch(/^threw TypeError/);
  }
});

test('chance is the same for the same seed and another for another', () => {
  const chance =
    'Math.random(), Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(8))]';
  expect(valuesInRealm(chance, 1)).toEqual(valuesInRealm(chance, 1));
  const first = Array.from({ length: 50 }, (_, seed) => inRealm('return Math.random()', seed));
  expect(new Set(first).size).toBe(50);
  const numbers = first.map(Number);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(numbers.filter((number) => number < 0.5).length).toBeGreaterThan(10);
  expect(numbers.filter((number) => number >= 0.5).length).toBeGreaterThan(10);
});

test('what libraries a candidate touches does not change its random numbers', () => {
  expect(inRealm('URL; structuredClone(1); return Math.random()')).toBe(inRealm('return Math.random()'));
});

test('crypto gives version 4 UUIDs, fills integer arrays in place, and refuses others', () => {
  expect(inRealm('return crypto.randomUUID()')).toMatch(
    /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/,
  );
  expect(
    inRealm(`
      const array = new Uint32Array(4);
      const part = array.subarray(1, 3);
      return [crypto.getRandomValues(part) === part, array[0], array[1] !== 0, array[3]];`),
  ).toBe('true,0,true,0');
  expect(inRealm('crypto.getRandomValues(new Float64Array(1))')).toMatch(/^threw TypeMismatchError/);
  expect(inRealm('crypto.getRandomValues(new Uint8Array(65537))')).toMatch(/^threw QuotaExceededError/);
});

test('URL and URLSearchParams follow the standard', () => {
  expect(
    valuesInRealm(`
      new URL('../b?x=1#h', 'https://тест/a/c').href, new URL('https://e.org/?a=1&a=2').searchParams.getAll('a'),
      String(new URLSearchParams({ q: 'a b&c' })), URL.canParse('nonsense'), URL.name, URLSearchParams.name,
      Object.prototype.toString.call(new URL('a:b'))`),
  ).toEqual([
    'https://xn--e1aybc/b?x=1#h',
    ['1', '2'],
    'q=a+b%26c',
    false,
    'URL',
    'URLSearchParams',
    '[object URL]',
  ]);
  expect(inRealm(`new URL('nonsense')`)).toMatch(/^threw TypeError/);
});

test('text is encoded and decoded in UTF-8, UTF-16 and Latin-1', () => {
  expect(
    valuesInRealm(`
      [...new TextEncoder().encode('ä€😀\\ud800')], new TextDecoder().decode(new Uint8Array([0xc3, 0xa4, 0xff])),
      new TextDecoder('utf-16le').decode(new Uint8Array([0xac, 0x20])),
      new TextDecoder('latin1').decode(new Uint8Array([0xe4])), TextEncoder.name, TextDecoder.name`),
  ).toEqual([
    [195, 164, 226, 130, 172, 240, 159, 152, 128, 239, 191, 189],
    'ä\ufffd',
    '€',
    'ä',
    'TextEncoder',
    'TextDecoder',
  ]);
  expect(inRealm(`new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff]))`)).toMatch(
    /^threw TypeError/,
  );
});

test('structuredClone, atob and btoa work and throw the DOMException of the realm', () => {
  expect(
    inRealm(`
      const value = { map: new Map([[1, new Date(3)]]), big: 1n, set: new Set([{}]) };
      value.self = value;
      const clone = structuredClone(value);
      const caught = [];
      for (const attempt of [() => structuredClone(() => 1), () => atob('*'), () => btoa('€')]) {
        try { attempt(); } catch (error) { caught.push(error instanceof DOMException && error.name); }
      }
      return [clone !== value, clone.self === clone, +clone.map.get(1), clone.big, btoa('hi'), atob('aGk='), ...caught];`),
  ).toBe('true,true,3,1,aGk=,hi,DataCloneError,InvalidCharacterError,InvalidCharacterError');
});

test('the console has its methods and looks at nothing it is given', () => {
  expect(
    inRealm(`
      let touched = 'untouched';
      const spy = new Proxy({}, { get() { touched = 'touched'; }, ownKeys() { touched = 'touched'; return []; } });
      for (const method of Object.keys(console)) console[method]('%s %o', spy, spy);
      return [touched, typeof console.log, typeof console.table, typeof console.group, console.context];`),
  ).toBe('untouched,function,function,function,');
});

test('shared memory and WebAssembly are gone', () => {
  expect(
    inRealm(`
      const own = Object.getOwnPropertyNames(globalThis);
      return ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'ShadowRealm', 'Worker', 'process', 'require']
        .filter((name) => own.includes(name) || name in globalThis).length;`),
  ).toBe('0');
});

test('a realm has no globals but those of the language and those described', () => {
  const described = `
    Array ArrayBuffer AggregateError AsyncDisposableStack BigInt BigInt64Array BigUint64Array Boolean
    DOMException DataView Date DisposableStack Error EvalError FinalizationRegistry Float16Array
    Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array Intl Iterator JSON Map
    Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set String
    SuppressedError Symbol SyntaxError Temporal TextDecoder TextEncoder TypeError URIError URL
    URLSearchParams Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet atob
    btoa clearImmediate clearInterval clearTimeout console crypto decodeURI decodeURIComponent encodeURI
    encodeURIComponent escape eval global globalThis isFinite isNaN parseFloat parseInt performance
    queueMicrotask self setImmediate setInterval setTimeout structuredClone undefined unescape`;
  expect(
    inRealm(`
      structuredClone(1); URL; TextEncoder; crypto; setTimeout(() => {}, 1);
      return Object.getOwnPropertyNames(globalThis).filter((name) => !['advance', 'outcome'].includes(name)).sort().join(' ')`),
  ).toBe(described.trim().split(/\s+/).sort().join(' '));
});

test('garbage collection cannot be observed', () => {
  expect(
    inRealm(`
      let calls = 0;
      const registry = new FinalizationRegistry(() => calls++);
      const token = {};
      const references = [];
      for (let index = 0; index < 2000; index++) {
        const target = { bytes: new Uint8Array(10_000) };
        references.push(new WeakRef(target));
        registry.register(target, index, token);
        if (index % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return [calls, references.filter((reference) => reference.deref() === undefined).length,
        registry.unregister(token), registry.unregister(token)];`),
  ).toBe('0,0,true,false');
});

test('weak references and registries look like the language has them', () => {
  expect(
    valuesInRealm(`
      WeakRef.name, WeakRef.prototype.constructor === WeakRef, new (class extends WeakRef {})({}) instanceof WeakRef,
      String(new WeakRef({})), FinalizationRegistry.name, String(new FinalizationRegistry(() => {}))`),
  ).toEqual([
    'WeakRef',
    true,
    true,
    '[object WeakRef]',
    'FinalizationRegistry',
    '[object FinalizationRegistry]',
  ]);
  expect(inRealm('new WeakRef(1)')).toMatch(/^threw TypeError/);
  expect(inRealm('new FinalizationRegistry(1)')).toMatch(/^threw TypeError/);
  expect(inRealm('new FinalizationRegistry(() => {}).register(1, 2)')).toMatch(/^threw TypeError/);
});

test('a candidate may put its own in place of any global', () => {
  expect(
    inRealm(`
      'use strict';
      URL = 1; globalThis.Intl = 2; globalThis.TextEncoder = class Own {}; Temporal = 3; setTimeout = 4;
      return [URL, Intl, TextEncoder.name, Temporal, setTimeout];`),
  ).toBe('1,2,Own,3,4');
});

test('state left in one realm is not seen in the next', () => {
  inRealm('URL.mark = Math.mark = Date.mark = Temporal.mark = Intl.mark = WeakRef.mark = 1');
  expect(
    inRealm('return [URL.mark, Math.mark, Date.mark, Temporal.mark, Intl.mark, WeakRef.mark].join("")'),
  ).toBe('');
});
