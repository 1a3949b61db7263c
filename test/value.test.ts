/**
 * Carried values: what is carried survives, what is refused is refused unread, and nothing that a hostile build patches
 * changes what is encoded. The last part runs the encoder, bundled as in a host, in realms of its own.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import vm from 'node:vm';
import { build } from 'esbuild';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CarriedInstance,
  decode,
  depthMax,
  type Encoded,
  encode,
  encodeError,
} from '../runners/realm/value.ts';

const charsMax = 1 << 20;

function textOf(encoded: Encoded): string {
  if (!encoded.ok) throw new Error(`refused: ${encoded.reason}`);
  return encoded.text;
}

function reasonOf(encoded: Encoded): string {
  return encoded.ok ? `carried as ${encoded.text}` : encoded.reason;
}

/** Any UTF-16 there is, with what usually goes wrong more often than chance has it. */
const anyText = fc.oneof(
  fc.string(),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('\0', '\u2028', '\u2029', '\ud800', '\udfff\ud800', '\ufeff', '"\\\n', '$date', ''),
);

const anyKey = fc.oneof(
  anyText,
  fc.constantFrom(
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'prototype',
    'toString',
    'valueOf',
    'toJSON',
    'then',
    'length',
    'size',
    '0',
    '-1',
    '4294967295',
    '$date',
    '$undefined',
    '$hole',
    '$object',
    '$instance',
    '$unknown',
    '$',
  ),
);

function withEntries(prototype: object | null, entries: [string, unknown][]): object {
  const object = Object.create(prototype);
  for (const [key, value] of entries) {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return object;
}

function named(name: string, message: string): Error {
  return Object.defineProperty(new Error(message), 'name', {
    value: name,
    configurable: true,
    writable: true,
  });
}

const typedArrays = [
  fc.int8Array(),
  fc.uint8Array(),
  fc.uint8ClampedArray(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
  fc.array(fc.double()).map((numbers) => Float16Array.from(numbers)),
];

const carriable = fc.letrec<{ value: unknown; entries: [string, unknown][] }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(anyText, fc.double(), fc.integer(), fc.maxSafeInteger(), fc.boolean(), fc.bigInt()),
    fc.constantFrom(undefined, null, Number.NaN, -0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    fc.constantFrom(5e-324, 1.7976931348623157e308, 1e21, 1e-7, 2n ** 64n, -(2n ** 70n)),
    fc.date({ noInvalidDate: false }),
    fc.oneof(...typedArrays),
    fc.uint8Array().map((bytes) => bytes.slice().buffer),
    fc.tuple(anyText, anyText).map(([name, message]) => named(name, message)),
    fc.array(fc.option(tie('value'), { nil: undefined })),
    fc.sparseArray(tie('value'), { noTrailingHole: false }).filter(({ length }) => length < 1_000),
    tie('entries').map((entries) => withEntries(Object.prototype, entries)),
    tie('entries').map((entries) => withEntries(null, entries)),
    // An instance that shows nothing is refused.
    tie('entries')
      .filter((entries) => entries.length > 0)
      .map((entries) => withEntries(CarriedInstance.prototype, entries)),
    fc.array(fc.tuple(tie('value'), tie('value'))).map((pairs) => new Map(pairs)),
    fc.array(tie('value')).map((members) => new Set(members)),
  ),
  entries: fc.uniqueArray(fc.tuple(anyKey, tie('value')), { selector: ([key]) => key, maxLength: 6 }),
})).value;

describe('what is carried', () => {
  test('survives: decoded it is the same value, and encoded again the same text', () => {
    fc.assert(
      fc.property(carriable, (value) => {
        const text = textOf(encode(value, charsMax));
        const back = decode(text);
        expect(isDeepStrictEqual(back, value)).toBe(true);
        expect(textOf(encode(back, charsMax))).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  test('is JSON text of one line, whatever text is in it', () => {
    fc.assert(
      fc.property(carriable, (value) => {
        const text = textOf(encode(value, charsMax));
        expect(text).not.toMatch(/[\n\r]/);
        expect(text.isWellFormed()).toBe(true);
        expect(JSON.stringify(JSON.parse(text))).toBe(text);
      }),
    );
  });

  test('keeps every UTF-16 code unit', () => {
    for (let unit = 0; unit <= 0xffff; unit++) {
      const text = String.fromCharCode(unit);
      expect(decode(textOf(encode(text, charsMax))) === text).toBe(true);
    }
  });

  test('keeps every number exactly', () => {
    fc.assert(
      fc.property(fc.double(), (number) => {
        expect(Object.is(decode(textOf(encode(number, charsMax))), number)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('leaves JSON as it is, in and out', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        expect(JSON.stringify(decode(text))).toBe(text);
        expect(textOf(encode(JSON.parse(text), charsMax))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test('never takes data for a tag, whatever its keys', () => {
    fc.assert(
      fc.property(anyKey, carriable, (key, value) => {
        const object = withEntries(Object.prototype, [[key, value]]);
        const nested = [object, { a: object }, new Map([[object, object]])];
        expect(isDeepStrictEqual(decode(textOf(encode(nested, charsMax))), nested)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('makes __proto__ a property and never a prototype', () => {
    const back = decode('{"__proto__": {"polluted": [{"$undefined": true}]}, "$bare": 1}');
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(Object.keys(Object(back))).toEqual(['__proto__', '$bare']);
    expect(Reflect.get(Object(back), 'polluted')).toBeUndefined();
  });

  test.each([
    ['arrays', (inner: unknown) => [inner]],
    ['objects', (inner: unknown) => ({ inner })],
    ['objects that look like tags', (inner: unknown) => ({ $map: inner })],
    ['objects without a prototype', (inner: unknown) => withEntries(null, [['inner', inner]])],
    ['instances', (inner: unknown) => withEntries(CarriedInstance.prototype, [['inner', inner]])],
    ['Maps, by value', (inner: unknown) => new Map([['inner', inner]])],
    ['Maps, by key', (inner: unknown) => new Map([[inner, 'inner']])],
    ['Sets', (inner: unknown) => new Set([inner])],
  ])('nests to the limit and not beyond it: %s', (_, wrap) => {
    let value: unknown = 'innermost';
    for (let depth = 0; depth < depthMax; depth++) value = wrap(value);
    const text = textOf(encode(value, charsMax));
    expect(textOf(encode(decode(text), charsMax))).toBe(text);
    expect(reasonOf(encode(wrap(value), charsMax))).toContain('nested deeper');
  });

  test('may be met twice in one value, as long as it is not within itself', () => {
    const shared = { a: [1] };
    expect(textOf(encode([shared, shared, [shared]], charsMax))).toBe('[{"a":[1]},{"a":[1]},[{"a":[1]}]]');
  });

  test('has as many characters as allowed and never more', () => {
    fc.assert(
      fc.property(carriable, fc.nat({ max: 200 }), (value, room) => {
        const full = textOf(encode(value, charsMax));
        const bounded = encode(value, room);
        if (full.length > room) expect(bounded.ok).toBe(false);
        else expect(bounded).toEqual({ ok: true, text: full });
      }),
      { numRuns: 500 },
    );
  });
});

/** Text that is JSON but no carried value. */
const wrongTags = [
  '{"$undefined": false}',
  '{"$number": "1"}',
  '{"$number": 1}',
  '{"$bigint": 5}',
  '{"$bigint": "0x10"}',
  '{"$bigint": ""}',
  '{"$bigint": "1.5"}',
  '{"$date": "yesterday"}',
  '{"$date": "1"}',
  '{"$date": "March 7"}',
  '{"$date": "2024-02-29T12:00:00"}',
  '{"$date": "2024-13-01"}',
  '{"$date": 0}',
  '{"$hole": true}',
  '{"a": {"$hole": true}}',
  '{"$map": {}}',
  '{"$map": [1]}',
  '{"$map": [["key"]]}',
  '{"$map": [{"$hole": true}]}',
  '{"$set": 1}',
  '{"$typed": ["Array", [1]]}',
  '{"$typed": ["Uint8Array", ["1"]]}',
  '{"$typed": ["BigInt64Array", [1]]}',
  '{"$typed": "Uint8Array"}',
  '{"$buffer": ["1"]}',
  '{"$buffer": 8}',
  '{"$error": "message"}',
  '{"$error": {"name": "Error"}}',
  '{"$error": {"name": 1, "message": ""}}',
  '{"$instance": []}',
  '{"$bare": null}',
  '{"$object": 1}',
];

test.each(wrongTags)('a tag that says nonsense is an error: %s', (text) => {
  expect(() => decode(text)).toThrow(/wants|holds/);
});

test('text nested without end is an error, not a crash', () => {
  const depth = 100_000;
  expect(() => decode('['.repeat(depth) + ']'.repeat(depth))).toThrow(/nested deeper/);
  expect(() => decode(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)).toThrow(/nested deeper/);
  expect(() => decode(`${'{"$set":['.repeat(depth)}${']}'.repeat(depth)}`)).toThrow(/nested deeper/);
});

describe('what is refused', () => {
  const wide = Array.from({ length: 2_000 }, () => ({}));
  const ring: unknown[] = [];
  ring.push({ a: new Map([[1, new Set([ring])]]) });
  const web: Record<string, unknown> = {};
  for (const key of 'abcdefgh') web[key] = web;

  test.each<[string, unknown, string]>([
    ['a function', () => 1, 'a function'],
    ['a class', class {}, 'a function'],
    ['a symbol', Symbol.iterator, 'a symbol'],
    ['a function deep within', [{ a: new Map([[1, new Set([Math.max])]]) }], 'a function'],
    ['a property named by a symbol', { [Symbol.toStringTag]: 'Map' }, 'a symbol'],
    ['an iterator made by hand', { [Symbol.iterator]: 1 }, 'a symbol'],
    ['an asymmetric matcher', expect.anything(), 'a symbol|a function|shows no properties'],
    [
      'a getter of an object',
      Object.defineProperty({}, 'a', { get: () => 1, enumerable: true }),
      'an accessor',
    ],
    ['a setter alone', Object.defineProperty({}, 'a', { set() {}, enumerable: true }), 'an accessor'],
    [
      'a getter of an array',
      Object.defineProperty([], '0', { get: () => 1, enumerable: true }),
      'an accessor',
    ],
    ['a hidden getter of an array', Object.defineProperty([], '0', { get: () => 1 }), 'an accessor'],
    ['a cycle', ring, 'a cycle'],
    ['cycles in all directions', web, 'a cycle'],
    ['text that is too long', 'x'.repeat(5_000), 'long'],
    ['text that only its escapes make too long', '\0'.repeat(900), 'long'],
    ['an object that is too wide', { ...wide }, 'long'],
    ['a key that is too long', { ['k'.repeat(5_000)]: 1 }, 'long'],
    ['a Map that is too large', new Map(wide.map((key) => [key, key])), 'long'],
    ['a Set that is too large', new Set(wide), 'long'],
    ['a typed array that is too large', new Uint8Array(1 << 24), 'long'],
    ['a buffer that is too large', new ArrayBuffer(1 << 24), 'long'],
    ['a sparse giant', new Array(2 ** 32 - 1), 'an array too long'],
    ['a bigint that is too long', 1n << 65_536n, 'a bigint too long'],
    ['a negative bigint that is too long', -(1n << 65_536n), 'a bigint too long'],
    ['an error whose message is too long', new Error('x'.repeat(5_000)), 'an error too long'],
    ['a promise', Promise.resolve(1), 'a promise'],
    ['a promise of a subclass', new (class extends Promise<number> {})(() => {}), 'a promise'],
    ['a regular expression', /a/g, 'a regexp'],
    ['a WeakMap', new WeakMap(), 'a weakMap'],
    ['a WeakSet', new WeakSet(), 'a weakSet'],
    ['a WeakRef', new WeakRef({}), 'shows no properties'],
    ['a boxed number', Object(1), 'a number'],
    ['a boxed string', Object('a'), 'a string'],
    ['a boxed boolean', Object(true), 'a boolean'],
    ['a boxed bigint', Object(1n), 'a bigint'],
    ['a boxed symbol', Object(Symbol.iterator), 'a symbol'],
    ['a DataView', new DataView(new ArrayBuffer(2)), 'a view'],
    ['an iterator', [1].values(), 'a iterator'],
    ['a generator', (function* () {})(), 'a iterator'],
    ['an asynchronous generator', (async function* () {})(), 'shows no properties'],
    ['a URL', new URL('https://example.com/a'), 'shows no properties|a symbol'],
    ['a Temporal date', Temporal.PlainDate.from('2024-02-29'), 'shows no properties'],
    ['a formatter of Intl', new Intl.NumberFormat('en'), 'shows no properties'],
    [
      'an object with nothing but private members',
      new (class {
        #a = 1;
        a() {
          return this.#a;
        }
      })(),
      'shows no',
    ],
    ['a resizable buffer', new ArrayBuffer(1, { maxByteLength: 2 }), 'a resizable buffer'],
    ['an array with a property besides', Object.assign([1], { a: 1 }), 'an array with properties'],
    [
      'an array with a symbol besides',
      Object.assign([1], { [Symbol.iterator]: 1 }),
      'an array with properties',
    ],
    ['what String.match gives', 'abc'.match(/b/), 'an array with properties'],
    ['a proxy that was revoked', revokedProxy(), 'reading the value failed'],
    ['a buffer that was transferred', transferred(), 'reading the value failed'],
  ])('%s', (_, value, reason) => {
    expect(reasonOf(encode(value, 4_096))).toMatch(new RegExp(`^(?:.*${reason})`));
    expect(encode({ deep: [value] }, 4_096).ok).toBe(false);
  });

  function revokedProxy(): object {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  }

  function transferred(): ArrayBuffer {
    const buffer = new ArrayBuffer(8);
    buffer.transfer();
    return buffer;
  }

  test('leaves getters unread, wherever they are', () => {
    let reads = 0;
    const counting = { get: () => ++reads, enumerable: true };
    const hidden = { get: () => ++reads, enumerable: false };
    const error = Object.defineProperty(new Error('told'), 'name', counting);
    const values = [
      Object.defineProperty({}, 'a', counting),
      Object.defineProperty({}, 'toJSON', hidden),
      Object.defineProperty([1, 2], '1', counting),
      Object.defineProperty(new Map([[1, 2]]), 'size', counting),
      Object.defineProperty(new Date(0), 'getTime', counting),
      Object.defineProperty(new Uint8Array(1), 'length', counting),
      Object.defineProperty(new Set([1]), 'forEach', counting),
      Object.defineProperty(new Uint8Array(1).buffer, 'byteLength', counting),
      Object.defineProperties(new (class {})(), { constructor: hidden, toString: hidden, a: { value: 1 } }),
      error,
    ];
    for (const value of values) encode(value, 4_096);
    encodeError(error, 4_096);
    encodeError(Object.defineProperty({}, 'message', counting), 4_096);
    expect(reads).toBe(0);
  });
});

describe('a Proxy', () => {
  /** A proxy that writes down how often each property was asked for, in whatever way. */
  function observed(target: object, seen: Map<string, number>): object {
    const count = (trap: string, key: PropertyKey) => {
      const name = `${trap} ${String(key)}`;
      seen.set(name, (seen.get(name) ?? 0) + 1);
    };
    return new Proxy(target, {
      get: (_, key) => count('get', key),
      has: (_, key) => {
        count('has', key);
        return true;
      },
      getOwnPropertyDescriptor: (from, key) => {
        count('read', key);
        return Reflect.getOwnPropertyDescriptor(from, key);
      },
      ownKeys: (from) => {
        count('list', '');
        return Reflect.ownKeys(from);
      },
    });
  }

  test('is asked for each property once, and never to get one', () => {
    fc.assert(
      fc.property(fc.oneof(fc.dictionary(anyKey, fc.integer()), fc.array(fc.integer())), (target) => {
        const seen = new Map<string, number>();
        expect(textOf(encode(observed(target, seen), charsMax))).toBe(textOf(encode(target, charsMax)));
        for (const [name, times] of seen) {
          expect(name).toMatch(/^(?:read|list) /s);
          expect(times).toBe(1);
        }
      }),
    );
  });

  test('is asked once for the name and once for the message when it is thrown', () => {
    const seen = new Map<string, number>();
    expect(encodeError(observed(new Error('told'), seen), 4_096)).toBe('{"name":"Error","message":"told"}');
    expect(Object.fromEntries(seen)).toEqual({ 'read name': 1, 'read message': 1 });
  });

  test('that answers differently each time is taken at its first word', () => {
    let turn = 0;
    const flipping = new Proxy(
      { a: 0 },
      {
        getOwnPropertyDescriptor: () => ({
          value: ++turn,
          writable: true,
          enumerable: true,
          configurable: true,
        }),
      },
    );
    expect(textOf(encode(flipping, 4_096))).toBe('{"a":1}');
  });

  const throwing = (thrown: unknown) => () => {
    throw thrown;
  };
  const nastyThrown = new Proxy(
    {},
    {
      getPrototypeOf: throwing('again'),
      get: throwing('again'),
      has: throwing('again'),
      ownKeys: throwing('again'),
    },
  );

  test.each([
    ['that throws', new Proxy({}, { ownKeys: throwing(new Error('no')) })],
    ['that throws another that throws', new Proxy({}, { ownKeys: throwing(nastyThrown) })],
    ['that throws on every way to look at it', nastyThrown],
    ['that throws nothing at all', new Proxy({}, { getPrototypeOf: throwing(undefined) })],
    [
      'that throws what looks like a refusal',
      new Proxy([], { ownKeys: throwing({ ok: true, reason: '', text: '1' }) }),
    ],
  ])('%s is refused', (_, value) => {
    expect(encode(value, 4_096)).toEqual({ ok: false, reason: 'reading the value failed' });
    expect(encode([[value]], 4_096)).toEqual({ ok: false, reason: 'reading the value failed' });
  });

  test('whose prototypes never end is refused', () => {
    const endless: object = new Proxy({}, { getPrototypeOf: () => endless });
    expect(reasonOf(encode(endless, 4_096))).toBe('a prototype chain too long');
    expect(encodeError(endless, 4_096)).toBe('{"name":"","message":""}');
  });

  test('that claims to be an array of any length is bounded', () => {
    for (const length of [Number.NaN, -1, 0.5, 2 ** 53, '2', undefined, null]) {
      const liar = new Proxy([1], {
        getOwnPropertyDescriptor: (target, key) =>
          key === 'length'
            ? { value: length, writable: true, enumerable: false, configurable: false }
            : Reflect.getOwnPropertyDescriptor(target, key),
      });
      const encoded = encode(liar, 4_096);
      if (encoded.ok) expect(() => decode(encoded.text)).not.toThrow();
    }
  });
});

describe('what was thrown', () => {
  test.each<[unknown, string, string]>([
    [new TypeError('told'), 'TypeError', 'told'],
    [new (class Own extends Error {})('told'), 'Error', 'told'],
    [{ name: 'Own', message: 'told' }, 'Own', 'told'],
    [{ message: 5 }, '', ''],
    ['told', 'string', 'told'],
    [5, 'number', '5'],
    [undefined, 'undefined', 'undefined'],
    [null, 'object', 'null'],
    [10n ** 1_000n, 'bigint', 'a bigint'],
    [Symbol('told'), 'symbol', 'Symbol(told)'],
    [function told() {}, 'told', ''],
  ])('%s tells name and message', (thrown, name, message) => {
    expect(JSON.parse(encodeError(thrown, 4_096))).toEqual({ name, message });
  });

  test('keeps any text', () => {
    fc.assert(
      fc.property(anyText, anyText, (name, message) => {
        expect(JSON.parse(encodeError(named(name, message), charsMax))).toEqual({ name, message });
      }),
    );
  });

  test('is refused when it tells too much', () => {
    expect(() => encodeError(new Error('x'.repeat(5_000)), 4_096)).toThrow();
    expect(() => encodeError('x'.repeat(5_000), 4_096)).toThrow();
  });
});

/** The encoder's script, as it is bundled for realms: an expression whose value is what the module exports. */
const script = build({
  entryPoints: [fileURLToPath(new URL('../runners/realm/value.ts', import.meta.url))],
  bundle: true,
  minify: true,
  format: 'cjs',
  target: 'node26',
  write: false,
}).then(({ outputFiles }) => {
  const code = outputFiles[0]?.text ?? '';
  return `((module) => { 'use strict'; const { exports } = module; ${code}; return module.exports; })({ exports: {} })`;
});

/** One value of every kind that is carried, and some that are refused, as made in a realm. */
const samples = `[
  'text \\ud800 \\u2028', 1.5, -0, NaN, Infinity, 5n, true, null, undefined,
  [1, , [2, [3]]], { value: 1, get: 2, enumerable: false, reason: 4, ok: 5, length: 6, $: 7 },
  { $date: 1 }, { '': 1 }, { $: 1 }, { __proto__: null, a: 1 }, new (class { a = { b: 1 } })(),
  new Date(0), new Date(NaN), new Map([[{ a: 1 }, new Map([[1, 2]])]]), new Set([1, { a: 1 }]),
  new Uint8Array([1, 2]), new Float16Array([NaN, 0.5]), new BigInt64Array([1n]), new Uint8Array([1]).buffer,
  new TypeError('told'), { deep: [[[[[[[[[[[[{}]]]]]]]]]]]] },
  () => 1, Symbol('s'), { [Symbol.iterator]: 1 }, { get a() { return 1; } }, Promise.resolve(1), /a/, new Number(1),
  new WeakMap(), Object.assign([1], { a: 1 }), 'x'.repeat(300), new Array(1e9), new Proxy([1], {}), new URIError('u'),
  new Proxy({}, { ownKeys() { throw 1; } }), (function* () {})(), new ArrayBuffer(1, { maxByteLength: 2 }),
]`;

/**
 * Encodes the samples in a fresh realm, after the patch has run there. The patch finds `planted`, to be called by
 * whatever it plants; the answer tells how often it was.
 */
async function encodeAfter(patch: string): Promise<{ encoded: string[]; planted: number }> {
  const realm = vm.createContext({});
  const all = vm.runInContext(
    `const carrier = ${await script};
    let plantedCalls = 0;
    const planted = () => { plantedCalls++; };
    const samples = ${samples};
    const plainText = (value) => typeof value === 'string' ? value : '';
    const encodeAll = () => {
      // Nothing here but what cannot be patched: calls, literals and operators.
      let out = '';
      for (let index = 0; index < ${sampleCount}; index++) {
        const encoded = carrier.encode(samples[index], 200);
        out += (encoded.ok ? 'ok ' + encoded.text : 'no ' + encoded.reason) + '\\n';
        try { out += carrier.encodeError(samples[index], 200) + '\\n'; } catch { out += 'refused\\n'; }
      }
      return out;
    };
    (() => { ${patch} })();
    plantedCalls = 0;
    const all = encodeAll();
    const calls = plantedCalls;
    ({ __proto__: null, all, calls })`,
    realm,
  );
  return { encoded: String(all.all).split('\n'), planted: Number(all.calls) };
}

const sampleCount = 42;

/** Puts the same thing in the place of every primordial that a script can reach, but for the root of all objects. */
const replaceAll = (replacement: string) => `
  const { ownKeys, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
  const push = [].push.bind([]);
  const seen = new Set(), queue = [globalThis, getPrototypeOf(Uint8Array), (function* () {})(), (async function* () {})(),
    [].values(), new Map().values(), new Set().values(), ''[Symbol.iterator](), /a/[Symbol.matchAll]('')];
  const holders = [];
  for (let index = 0; index < queue.length; index++) {
    const holder = queue[index];
    if ((typeof holder !== 'object' && typeof holder !== 'function') || holder === null || seen.has(holder)) continue;
    if (holder === carrier || holder === samples) continue;
    seen.add(holder);
    holders[holders.length] = holder;
    queue[queue.length] = getPrototypeOf(holder);
    for (const key of ownKeys(holder)) {
      const { value, get, set } = getOwnPropertyDescriptor(holder, key);
      queue[queue.length] = value; queue[queue.length] = get; queue[queue.length] = set;
    }
  }
  const jobs = [];
  for (const holder of holders) for (const key of ownKeys(holder)) jobs[jobs.length] = { __proto__: null, holder, key };
  const count = jobs.length;
  for (let index = 0; index < count; index++) {
    const { holder, key } = jobs[index];
    // Some are fixed, and the length of Array.prototype wants a number.
    try { defineProperty(holder, key, ${replacement}); } catch {}
  }`;

describe('what is encoded stays the same, and nothing planted is called, after a build has patched', () => {
  const plants = {
    getter: 'get() { planted(); return undefined; }, set() { planted(); }',
    thrower: 'value() { planted(); throw 1; }',
  };
  const onPrototypes = (keys: string, plant: string) => `
    const holders = [Object, Array, String, Number, BigInt, Boolean, Function, Map, Set, Date, Error, Uint8Array, Symbol];
    for (let at = 0; at < holders.length; at++) {
      const holder = holders[at];
      for (let index = 0, keys = ${keys}; index < keys.length; index++) {
        const key = keys[index], own = Reflect.getOwnPropertyDescriptor(holder.prototype, key);
        if (own === undefined || own.configurable)
          Reflect.defineProperty(holder.prototype, key, { __proto__: null, configurable: true, ${plant} });
      }
    }`;
  const names = `['value', 'get', 'set', 'enumerable', 'configurable', 'writable', 'reason', 'ok', 'text', 'length', 'up',
    'depth', 'then', 'toJSON', 'toString', 'valueOf', 'name', 'message', 'stack', 'size', 'done', 'next', 'next', '$', '$date',
    'promise', 'regexp', 'a', '', 'value', 'cause', 'constructor']`;
  const symbols = `[Symbol.toPrimitive, Symbol.toStringTag, Symbol.iterator, Symbol.asyncIterator, Symbol.species, Symbol.match,
    Symbol.isConcatSpreadable, Symbol.unscopables, Symbol.hasInstance, Symbol.replace, Symbol.split, Symbol.search]`;

  test.each<[string, string]>([
    ['nothing', ''],
    [
      'JSON.stringify and JSON.parse',
      "JSON.stringify = () => { planted(); return '42'; }; JSON.parse = JSON.stringify;",
    ],
    ['the whole of JSON', 'globalThis.JSON = undefined;'],
    [
      'every method of Reflect',
      'for (const key of Object.keys(Object.getOwnPropertyDescriptors(Reflect))) Reflect[key] = planted;',
    ],
    [
      'Object.is, Object.hasOwn and Array.isArray',
      'Object.is = Object.hasOwn = Array.isArray = Error.isError = planted;',
    ],
    [
      'Map.prototype.forEach and Set.prototype.forEach',
      'Map.prototype.forEach = Set.prototype.forEach = planted;',
    ],
    [
      'the methods of Map and Set',
      'for (const kind of [Map, Set]) for (const key of Reflect.ownKeys(kind.prototype)) Reflect.defineProperty(kind.prototype, key, { value: planted });',
    ],
    [
      'the methods of String',
      'for (const key of Reflect.ownKeys(String.prototype)) Reflect.defineProperty(String.prototype, key, { value: planted });',
    ],
    [
      'the methods of Date',
      'for (const key of Reflect.ownKeys(Date.prototype)) Reflect.defineProperty(Date.prototype, key, { value: planted });',
    ],
    [
      'RegExp.prototype',
      'for (const key of Reflect.ownKeys(RegExp.prototype)) Reflect.defineProperty(RegExp.prototype, key, { value: planted });',
    ],
    [
      'Function.prototype.call, apply and bind',
      'const p = Function.prototype; p.call = p.apply = p.bind = planted;',
    ],
    [
      'Symbol.hasInstance',
      'Reflect.defineProperty(Function.prototype, Symbol.hasInstance, { get: planted }); Reflect.defineProperty(Object, Symbol.hasInstance, { value: planted });',
    ],
    [
      'Error.prepareStackTrace and captureStackTrace',
      'Error.prepareStackTrace = Error.captureStackTrace = planted; Object.defineProperty(Error, "stackTraceLimit", { get: planted });',
    ],
    [
      'the prototype of Array',
      'Reflect.setPrototypeOf(Array.prototype, new Proxy({}, { get: planted, has: planted, set: planted }));',
    ],
    [
      'the prototype of String',
      'Reflect.setPrototypeOf(String.prototype, new Proxy({}, { get: planted, has: planted, getOwnPropertyDescriptor: planted }));',
    ],
    [
      'the prototype of Function',
      'Reflect.setPrototypeOf(Function.prototype, new Proxy({}, { get: planted, has: planted }));',
    ],
    [
      'setters of index 0 and others',
      `for (const holder of [Array.prototype, Object.prototype]) for (const key of [0, 1, 2, 3, -1]) Reflect.defineProperty(holder, key, { __proto__: null, ${plants.getter} });`,
    ],
    ['enumerable keys of Object.prototype', `for (const key of ${names}) Object.prototype[key] ??= planted;`],
    [
      'getters and setters of Object.prototype',
      `for (const key of ${names}) Reflect.defineProperty(Object.prototype, key, { __proto__: null, enumerable: true, configurable: true, ${plants.getter} });`,
    ],
    ['getters and setters of all prototypes, by name', onPrototypes(names, plants.getter)],
    ['methods of all prototypes, by name', onPrototypes(names, plants.thrower)],
    ['getters and setters of all prototypes, by symbol', onPrototypes(symbols, plants.getter)],
    ['methods of all prototypes, by symbol', onPrototypes(symbols, plants.thrower)],
    [
      'every primordial there is, with what throws',
      replaceAll('{ __proto__: null, value() { planted(); throw 1; } }'),
    ],
    ['every primordial there is, with getters', replaceAll(`{ __proto__: null, ${plants.getter} }`)],
    ['every primordial there is, with nothing', replaceAll('{ __proto__: null, value: undefined }')],
    [
      'every primordial there is, with itself under a lying Proxy',
      replaceAll(
        '{ __proto__: null, value: new Proxy(function () {}, { apply() { planted(); return true; }, get() { planted(); }, has() { planted(); return true; } }) }',
      ),
    ],
  ])('%s', async (_, patch) => {
    // What an error tells is looked up on its prototypes, where patching them is a way to choose the words.
    const wordsOf = (lines: string[]) =>
      lines.filter((line) => !line.startsWith('{"name"') && !line.includes('$error'));
    const before = await encodeAfter('');
    const after = await encodeAfter(patch);
    expect(before.encoded.filter((line) => line.startsWith('ok '))).toHaveLength(28);
    expect(wordsOf(after.encoded)).toEqual(wordsOf(before.encoded));
    expect(after.planted).toBe(0);
  });
});

describe('docs/values.md', async () => {
  const page = await readFile(new URL('../docs/values.md', import.meta.url), 'utf8');
  const rows = Array.from(
    page.matchAll(/^\| `(.+?)` +\| (?:`(.+)`|(.+?)) +\|$/gm),
    ([, value, json, reason]) => ({
      value: value ?? '',
      json,
      reason,
    }),
  );
  const carriedRows = rows.flatMap(({ value, json }) => (json === undefined ? [] : [{ value, json }]));
  const refusedRows = rows.flatMap(({ value, reason }) => (reason === undefined ? [] : [{ value, reason }]));
  const evaluate = (value: string): unknown => vm.runInThisContext(`(${value})`);

  test('has a row for every tag that the code knows', async () => {
    const code = await readFile(new URL('../runners/realm/value.ts', import.meta.url), 'utf8');
    const known = new Set(Array.from(code.matchAll(/'(\$[a-z]+)'/g), ([, tag]) => tag));
    // It is read in the inputs of steps alone.
    expect(known.delete('$output')).toBe(true);
    expect(page).toContain('`$output`');
    const shown = new Set(carriedRows.flatMap(({ json }) => json.match(/\$[a-z]+/g) ?? []));
    expect(known.size).toBeGreaterThan(10);
    expect(shown).toEqual(known);
  });

  test.each(carriedRows)('says the truth: $value is carried as $json', ({ value, json }) => {
    expect(textOf(encode(evaluate(value), charsMax))).toBe(JSON.stringify(JSON.parse(json)));
    expect(textOf(encode(decode(json), charsMax))).toBe(JSON.stringify(JSON.parse(json)));
  });

  test.each(refusedRows)('says the truth: $value is refused', ({ value, reason }) => {
    expect(reasonOf(encode(evaluate(value), 64 << 10))).toBe(reason);
  });
});
