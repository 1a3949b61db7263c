/** Expectations: the declared ones mean what Vitest's matchers mean, but less leniently; a predicate must say `true`. */
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { build } from 'esbuild';
import fc from 'fast-check';
import { type Assertion, describe, expect, test } from 'vitest';
import type { Observation } from '../runners/protocol.ts';
import { realmBundle } from '../runners/realm/globals/bundle.ts';
import { CarriedInstance, decode, depthMax, encode } from '../runners/realm/value.ts';
import { type Expectation, expectationSchema } from '../suites/expectation.ts';
import { grade, problemOf } from '../suites/grader/expectations.ts';
import { isSameText } from '../suites/grader/same-text.ts';

/** The carried form of a value, as JSON data. */
function carried(value: unknown): unknown {
  const encoded = encode(value, 1 << 20);
  if (!encoded.ok) throw new Error(`refused: ${encoded.reason}`);
  return JSON.parse(encoded.text);
}

function returned(value: unknown): Observation {
  return { outcome: 'returned', value: JSON.stringify(carried(value)) };
}

function threw(name: string, message: string): Observation {
  return { outcome: 'threw', error: { name, message } };
}

/** Whether a value satisfies an expectation, both as they come: the expectation in carried form. */
function satisfies(value: unknown, expectation: Expectation): boolean {
  return grade(expectation, returned(value)).passed;
}

/** What Vitest's own matcher says of the same values, decoded. */
function vitestSays(
  kind: 'equals' | 'strictEquals' | 'matches',
  actual: unknown,
  expected: unknown,
): boolean | undefined {
  const value = decode(JSON.stringify(carried(actual)));
  const wanted = decode(JSON.stringify(carried(expected)));
  const says = (assertion: Assertion): boolean => {
    try {
      if (kind === 'equals') assertion.toEqual(wanted);
      else if (kind === 'strictEquals') assertion.toStrictEqual(wanted);
      else assertion.toMatchObject(Object(wanted));
      return true;
    } catch {
      return false;
    }
  };
  // Vitest's printer of differences stumbles over some data, so that one answer or both may not come.
  const [passes, fails] = [says(expect(value)), says(expect(value).not)];
  return passes === fails ? undefined : passes;
}

function withEntries(prototype: object | null, entries: [string, unknown][]): object {
  const object = Object.create(prototype);
  for (const [key, value] of entries) {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return object;
}

/** Names that an equality might ask an object about, and be lied to. */
const hostileKeys = [
  'asymmetricMatch',
  'nodeType',
  'nodeName',
  'isEqualNode',
  'constructor',
  '__proto__',
  'toString',
  'valueOf',
  'toJSON',
  'length',
  'size',
  'has',
  'href',
  '$$typeof',
  'sample',
  'inverse',
  'then',
  'name',
  'message',
  'cause',
  'hasOwnProperty',
  'Symbol(Symbol.iterator)',
  '@@iterator',
  '@@__IMMUTABLE_SET__@@',
  '@@__IMMUTABLE_ITERABLE__@@',
  '~standard',
];

const key = fc.oneof({ weight: 3, arbitrary: fc.constantFrom('a', 'b') }, fc.constantFrom(...hostileKeys));

/** So few and so small that two of them are often equal, or differ in one place. */
const primitive = fc.constantFrom<unknown>(
  0,
  -0,
  1,
  Number.NaN,
  '',
  'a',
  '1',
  true,
  false,
  null,
  undefined,
  1n,
);
const leaf = fc.oneof(
  { weight: 4, arbitrary: primitive },
  fc.constantFrom(0, 1, Number.NaN).map((time) => new Date(time)),
  fc
    .tuple(fc.constantFrom('Error', 'TypeError'), fc.constantFrom('', 'told'))
    .map(([name, message]) => Object.defineProperty(new Error(message), 'name', { value: name })),
  fc.array(fc.constantFrom(0, 1), { maxLength: 2 }).map((numbers) => new Uint8Array(numbers)),
  fc.array(fc.constantFrom(0, -0, Number.NaN), { maxLength: 2 }).map((numbers) => new Float32Array(numbers)),
);

function valuesOf(leaves: fc.Arbitrary<unknown>, wideSets: boolean): fc.Arbitrary<unknown> {
  return fc.letrec<{ value: unknown; entries: [string, unknown][] }>((tie) => {
    // Vitest compares Sets and Maps of primitives as we do; where objects are members, it is more lenient.
    const member = wideSets ? tie('value') : primitive;
    return {
      value: fc.oneof(
        { maxDepth: 3 },
        leaves,
        fc.array(tie('value'), { maxLength: 3 }),
        fc.sparseArray(tie('value'), { maxLength: 3, maxNumElements: 2 }),
        tie('entries').map((entries) => withEntries(Object.prototype, entries)),
        tie('entries').map((entries) => withEntries(null, entries)),
        tie('entries')
          .filter((entries) => entries.length > 0)
          .map((entries) => withEntries(CarriedInstance.prototype, entries)),
        fc.array(fc.tuple(member, tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
        fc.array(member, { maxLength: 3 }).map((members) => new Set(members)),
      ),
      entries: fc.uniqueArray(fc.tuple(key, tie('value')), { selector: ([name]) => name, maxLength: 3 }),
    };
  }).value;
}

/** Two values that are the same, differ in one place, or have nothing to do with each other. */
function pairsOf(values: fc.Arbitrary<unknown>): fc.Arbitrary<[unknown, unknown]> {
  return fc.oneof(
    fc.tuple(values, values),
    values.map((value): [unknown, unknown] => [value, value]),
    fc.tuple(values, key, primitive, primitive).map(([value, name, one, other]): [unknown, unknown] => [
      withEntries(Object.prototype, [
        [name, one],
        ['rest', value],
      ]),
      withEntries(Object.prototype, [
        [name, other],
        ['rest', value],
      ]),
    ]),
    fc
      .tuple(values, values)
      .map(([value, other]): [unknown, unknown] => [{ a: value, b: other }, { a: value }]),
    fc.tuple(values, values).map(([value, other]): [unknown, unknown] => [
      [value, other],
      [value, value],
    ]),
  );
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

/** Runs a property of three kinds of equality over many pairs. */
const kinds = ['equals', 'strictEquals', 'matches'] as const;

describe.each(kinds)('%s', (kind) => {
  const says = (actual: unknown, expected: unknown) => satisfies(actual, { [kind]: carried(expected) });

  test("agrees with Vitest's matcher", () => {
    const pairs = pairsOf(valuesOf(leaf, false)).filter(
      ([actual, expected]) => kind !== 'matches' || (isObject(actual) && isObject(expected)),
    );
    fc.assert(
      fc.property(pairs, ([actual, expected]) => {
        // Typed arrays apart, which Vitest lets match arrays and objects of the same entries.
        fc.pre(kind !== 'matches' || !hasTyped(expected));
        const theirs = vitestSays(kind, actual, expected);
        fc.pre(theirs !== undefined);
        expect(says(actual, expected)).toBe(theirs);
      }),
      { numRuns: 3_000 },
    );
  });

  test("never passes what Vitest's matcher does not", () => {
    const buffers = fc
      .array(fc.constantFrom(0, 1), { maxLength: 2 })
      .map((bytes) => new Uint8Array(bytes).buffer);
    fc.assert(
      fc.property(pairsOf(valuesOf(fc.oneof(leaf, buffers), true)), ([actual, expected]) => {
        if (says(actual, expected)) expect(vitestSays(kind, actual, expected)).not.toBe(false);
      }),
      { numRuns: 1_500 },
    );
  });

  test('passes every value against itself', () => {
    fc.assert(
      fc.property(valuesOf(leaf, true), (value) => {
        fc.pre(kind !== 'matches' || isObject(value));
        // toStrictEqual compares what an object says its constructor is, which data may say otherwise.
        fc.pre(kind !== 'strictEquals' || !JSON.stringify(carried(value)).includes('"constructor"'));
        expect(says(value, value)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  test('is never passed by the shortcut for the same text where comparing would not pass it', () => {
    fc.assert(
      fc.property(pairsOf(valuesOf(leaf, true)), ([actual, wanted]) => {
        const expectation = JSON.stringify({ [kind]: carried(wanted) });
        const same = (value: unknown) => isSameText(expectation, JSON.stringify(returned(value)));
        expect(same(wanted)).toBe(kind === 'equals');
        if (same(actual)) expect(says(actual, wanted)).toBe(true);
        expect(isSameText(expectation, JSON.stringify(threw('Error', 'told')))).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  test('tells ArrayBuffers apart by their bytes, and from everything else', () => {
    const bytes = (...numbers: number[]) => new Uint8Array(numbers).buffer;
    expect(says(bytes(1, 2), bytes(1, 2))).toBe(true);
    for (const other of [
      bytes(1, 3),
      bytes(1),
      bytes(),
      {},
      [1, 2],
      new Uint8Array([1, 2]),
      new Map(),
      null,
    ]) {
      expect(says(other, bytes(1, 2))).toBe(false);
      expect(says({ a: [other] }, { a: [bytes(1, 2)] })).toBe(false);
      expect(says(new Map([['a', other]]), new Map([['a', bytes(1, 2)]]))).toBe(false);
    }
  });

  test('tells typed arrays apart by their kind, and from arrays and objects', () => {
    expect(says(new Uint8Array([1, 2]), new Uint8Array([1, 2]))).toBe(true);
    for (const other of [
      new Int8Array([1, 2]),
      new Uint8Array([1]),
      [1, 2],
      { 0: 1, 1: 2 },
      {},
      new Set([1, 2]),
    ]) {
      expect(says(other, new Uint8Array([1, 2]))).toBe(false);
    }
    expect(says({}, new Uint8Array())).toBe(false);
  });

  test('compares the deepest values that can be carried', () => {
    for (const wrap of [
      (inner: unknown) => [inner],
      (inner: unknown) => ({ inner }),
      (inner: unknown) => new Map([['a', inner]]),
    ]) {
      let one: unknown = 1;
      let other: unknown = 2;
      for (let depth = 0; depth < depthMax; depth++) [one, other] = [wrap(one), wrap(other)];
      expect(says(one, one)).toBe(true);
      expect(says(other, one)).toBe(false);
    }
  });
});

function hasTyped(value: unknown): boolean {
  return JSON.stringify(carried(value)).includes('$typed');
}

describe('equals and strictEquals', () => {
  test.each(['equals', 'strictEquals'] as const)(
    '%s lets the members of Sets and Maps pair off only once',
    (kind) => {
      const says = (actual: unknown, expected: unknown) => satisfies(actual, { [kind]: carried(expected) });
      const [one, two] = [{ id: 1 }, { id: 2 }];
      expect(says(new Set([two, one]), new Set([one, two]))).toBe(true);
      expect(says(new Set([one, { ...one }]), new Set([one, two]))).toBe(false);
      expect(says(new Set([one, { ...one }, two]), new Set([one, two, { ...two }]))).toBe(false);
      expect(
        says(
          new Map([
            [one, 1],
            [{ ...one }, 1],
          ]),
          new Map([
            [one, 1],
            [two, 1],
          ]),
        ),
      ).toBe(false);
      expect(
        says(
          new Map([
            [one, 1],
            [two, 2],
          ]),
          new Map([
            [two, 2],
            [one, 1],
          ]),
        ),
      ).toBe(true);
      expect(
        says(
          new Map([
            [one, 1],
            [two, 2],
          ]),
          new Map([
            [two, 1],
            [one, 2],
          ]),
        ),
      ).toBe(false);
    },
  );

  test.each<[string, unknown, unknown, { equals: boolean; strictEquals: boolean }]>([
    ['an undefined property and none', { a: undefined }, {}, { equals: true, strictEquals: false }],
    ['a hole and undefined', [undefined], new Array(1), { equals: true, strictEquals: false }],
    [
      'an instance and a plain object',
      { a: 1 },
      new (class {
        a = 1;
      })(),
      { equals: true, strictEquals: false },
    ],
    ['0 and -0', 0, -0, { equals: false, strictEquals: false }],
    ['NaN and NaN', Number.NaN, Number.NaN, { equals: true, strictEquals: true }],
    ['null and undefined', null, undefined, { equals: false, strictEquals: false }],
    ['1 and true', 1, true, { equals: false, strictEquals: false }],
    ['1 and "1"', 1, '1', { equals: false, strictEquals: false }],
    ['1 and 1n', 1, 1n, { equals: false, strictEquals: false }],
    ['an empty object and an empty array', {}, [], { equals: false, strictEquals: false }],
    [
      'an array and an object with its entries',
      { 0: 1, length: 1 },
      [1],
      { equals: false, strictEquals: false },
    ],
    ['a date and its text', new Date(0), new Date(0).toISOString(), { equals: false, strictEquals: false }],
    ['two invalid dates', new Date(Number.NaN), new Date(Number.NaN), { equals: true, strictEquals: true }],
    ['errors of two names', new TypeError('a'), new RangeError('a'), { equals: false, strictEquals: false }],
    [
      'a tag and data that looks like it',
      { $date: 'Invalid Date' },
      new Date(Number.NaN),
      { equals: false, strictEquals: false },
    ],
    ['two lone surrogates', '\ud800', '\ud801', { equals: false, strictEquals: false }],
    ['text with and without U+0000', 'a\0', 'a', { equals: false, strictEquals: false }],
  ])('of %s', (_, actual, expected, says) => {
    expect({
      equals: satisfies(actual, { equals: carried(expected) }),
      strictEquals: satisfies(actual, { strictEquals: carried(expected) }),
    }).toEqual(says);
  });
});

test('a primitive matches no object, whatever the object asks of it', () => {
  for (const primitiveValue of [1, 'text', true, null, undefined, 1n]) {
    for (const subset of [{}, [], { length: 4 }, { constructor: {} }]) {
      expect(satisfies(primitiveValue, { matches: subset })).toBe(false);
    }
  }
});

test('an inherited property matches no expectation', () => {
  for (const name of ['toString', 'constructor', 'hasOwnProperty', '__proto__', 'valueOf']) {
    const wanted = withEntries(Object.prototype, [[name, 1]]);
    expect(satisfies({}, { matches: carried(wanted) })).toBe(false);
    expect(satisfies({}, { equals: carried(wanted) })).toBe(false);
    expect(satisfies({}, { schema: { required: [name] } })).toBe(false);
    expect(satisfies(wanted, { schema: { additionalProperties: false } })).toBe(false);
    const schema = { properties: withEntries(Object.prototype, [[name, false]]) };
    if (name === '__proto__') expect(problemOf({ schema })).not.toBe('');
    else {
      expect(satisfies({}, { schema })).toBe(true);
      expect(satisfies(wanted, { schema })).toBe(false);
    }
  }
});

describe('hostile data', () => {
  const anything: fc.Arbitrary<unknown> = fc.constantFrom(
    true,
    1,
    11,
    'function',
    '() => true',
    'Symbol(jest.asymmetricMatcher)',
    'Anything',
    null,
    {},
    [],
    { call: true, apply: true },
  );
  const liar = fc
    .uniqueArray(fc.tuple(fc.constantFrom(...hostileKeys), anything), {
      selector: ([name]) => name,
      minLength: 1,
    })
    .chain((entries) =>
      fc
        .constantFrom(Object.prototype, null, CarriedInstance.prototype)
        .map((prototype) => withEntries(prototype, entries)),
    );
  const honest = fc.constantFrom<unknown>(
    42,
    'right',
    null,
    undefined,
    [1, 2],
    { total: 1 },
    {},
    new Date(0),
    new Map([['a', 1]]),
    new Set([1]),
    new Error('told'),
    new Uint8Array([1]),
    new Uint8Array([1]).buffer,
  );

  test('is never taken for a value that it is not', () => {
    fc.assert(
      fc.property(liar, honest, (lie, expected) => {
        const wanted = carried(expected);
        for (const actual of [
          lie,
          [lie],
          new Map([['a', lie]]),
          new Set([lie]),
          { total: lie },
          [lie, lie],
        ]) {
          expect(satisfies(actual, { equals: wanted })).toBe(false);
          expect(satisfies(actual, { strictEquals: wanted })).toBe(false);
          expect(satisfies(actual, { oneOf: [wanted, wanted] })).toBe(false);
          expect(satisfies(actual, { closeTo: { value: 1, tolerance: 1e300 } })).toBe(false);
          expect(satisfies(actual, { throws: true })).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('that no encoder wrote fails its case, and nothing else', () => {
    for (const value of ['{"$date":"never"}', '{"$hole":true}', '{"$typed":["Array",[]]}', '', '{']) {
      for (const expectation of [
        { equals: 1 },
        { matches: {} },
        { schema: true },
        { oneOf: [{ $undefined: true }] },
      ]) {
        const { passed, message } = grade(expectation, { outcome: 'returned', value });
        expect(passed).toBe(false);
        expect(message).not.toBe('');
      }
    }
  });

  test('of any length gives a short message: those of a whole score are kept', () => {
    const long = '~/'.repeat(30_000);
    for (const observation of [threw(long, long), returned({ [long]: long }), returned(long)]) {
      for (const expectation of [
        { equals: 1 },
        { matches: {} },
        { closeTo: { value: 1, tolerance: 1 } },
        { throws: { name: 'Error', message: '^told$' } },
        { schema: { type: 'object', additionalProperties: { type: 'number' } } },
      ]) {
        const { passed, message } = grade(expectation, observation);
        expect(message.length, message.slice(0, 100)).toBeLessThan(2_000);
        expect(message === '').toBe(passed);
      }
    }
  });

  test('never gives a grade that is neither passed nor failed', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (value, wanted) => {
        for (const expectation of [{ equals: wanted }, { strictEquals: wanted }, { matches: wanted }]) {
          const { passed, message } = grade(expectation, {
            outcome: 'returned',
            value: JSON.stringify(value),
          });
          expect(message === '').toBe(passed);
        }
      }),
    );
  });
});

describe('closeTo', () => {
  const close = (value: unknown, wanted: unknown, tolerance: number) =>
    satisfies(value, { closeTo: { value: carried(wanted), tolerance } });

  test('passes exactly the numbers within the tolerance, its edges included', () => {
    fc.assert(
      fc.property(
        fc.double(),
        fc.double({ noNaN: true }),
        fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
        (value, wanted, tolerance) => {
          const within = Number.isFinite(value) && Math.abs(value - wanted) <= tolerance;
          expect(close(value, wanted, tolerance)).toBe(within || value === wanted);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test.each<[unknown, number, number, boolean]>([
    [1.5, 1, 0.5, true],
    [0.5, 1, 0.5, true],
    [1.5000001, 1, 0.5, false],
    [0.1 + 0.2, 0.3, 0, false],
    [0.1 + 0.2, 0.3, 1e-15, true],
    [1, 1, 0, true],
    [0, -0, 0, true],
    [-0, 0, 0, true],
    [Number.NaN, 0, 1e308, false],
    [Number.NaN, Number.POSITIVE_INFINITY, 1e308, false],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, true],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e308, false],
    [Number.POSITIVE_INFINITY, 1.7976931348623157e308, 1.7976931348623157e308, false],
    [1e308, -1e308, 1.7976931348623157e308, false],
    ['1', 1, 1, false],
    [1n, 1, 1, false],
    [null, 0, 1, false],
    [undefined, 0, 1, false],
    [[1], 1, 1, false],
    [new Date(1), 1, 1, false],
    [true, 1, 1, false],
  ])('of %s to %s within %s is %s', (value, wanted, tolerance, passes) => {
    expect(close(value, wanted, tolerance)).toBe(passes);
  });
});

describe('oneOf', () => {
  test('passes exactly what equals one of the choices', () => {
    fc.assert(
      fc.property(
        valuesOf(leaf, true),
        fc.array(valuesOf(leaf, true), { minLength: 1, maxLength: 4 }),
        (value, choices) => {
          const equal = choices.some((choice) => satisfies(value, { equals: carried(choice) }));
          expect(satisfies(value, { oneOf: choices.map(carried) })).toBe(equal);
          expect(satisfies(value, { oneOf: [...choices, value].map(carried) })).toBe(true);
        },
      ),
    );
  });

  test('without choices passes nothing', () => {
    expect(satisfies(undefined, { oneOf: [] })).toBe(false);
  });
});

describe('throws', () => {
  test.each<[string, Expectation['throws'], Observation, boolean]>([
    ['anything', true, threw('', ''), true],
    ['anything, said with no particulars', {}, threw('Error', 'told'), true],
    ['an error of that name', { name: 'RangeError' }, threw('RangeError', 'told'), true],
    ['an error of another name', { name: 'RangeError' }, threw('Error', 'RangeError'), false],
    ['an error whose name only begins so', { name: 'Range' }, threw('RangeError', ''), false],
    ['a message that matches', { message: '^told .+ times$' }, threw('Error', 'told 3 times'), true],
    ['a message of which a part matches', { message: 'told' }, threw('Error', 'as I was told.'), true],
    ['a message that does not match', { message: '^told$' }, threw('Error', 'told\n.'), false],
    ['a message in other letters', { message: 'told' }, threw('Error', 'TOLD'), false],
    ['name and message', { name: 'A', message: 'b' }, threw('A', 'abc'), true],
    ['the right name and another message', { name: 'A', message: 'b' }, threw('A', 'c'), false],
    ['the right message and another name', { name: 'A', message: 'b' }, threw('B', 'b'), false],
    ['an empty name where none is wanted', { name: '' }, threw('', ''), true],
    ['any message where the empty pattern is wanted', { message: '' }, threw('Error', 'told'), true],
    ['a lone surrogate in the message', { message: '^\ud800$' }, threw('Error', '\ud800'), true],
  ])('%s', (_, wanted, observation, passes) => {
    expect(grade({ throws: wanted }, observation).passed).toBe(passes);
  });

  const details = ['Error: told', '{"outcome":"threw","error":{"name":"Error","message":"told"}}', ''];
  const others = (['timed_out', 'out_of_memory', 'crashed', 'output_rejected', 'not_run'] as const).flatMap(
    (outcome): Observation[] => [{ outcome }, ...details.map((detail) => ({ outcome, detail }))],
  );

  test.each([
    ...others,
    returned({ outcome: 'threw', error: { name: 'Error', message: 'told' } }),
    returned(new Error('told')),
    returned(undefined),
  ])('is not satisfied by %j', (observation) => {
    for (const wanted of [true, {}, { name: 'Error' }, { message: '' }, { message: 'told' }] as const) {
      expect(grade({ throws: wanted }, observation).passed).toBe(false);
    }
  });

  test.each(others)('%j satisfies no other expectation either', (observation) => {
    const lenient: Expectation[] = [
      { equals: { $undefined: true } },
      { strictEquals: { $undefined: true } },
      { matches: {} },
      { closeTo: { value: 0, tolerance: 1e308 } },
      { oneOf: [null, { $undefined: true }] },
      { schema: true },
      { schema: {} },
    ];
    for (const expectation of lenient) expect(grade(expectation, observation).passed).toBe(false);
  });

  test('and only throws is satisfied by what was thrown', () => {
    const told = threw('Error', 'told');
    expect(grade({ equals: carried(new Error('told')) }, told).passed).toBe(false);
    expect(grade({ matches: { name: 'Error', message: 'told' } }, told).passed).toBe(false);
    expect(grade({ schema: true }, told).passed).toBe(false);
  });
});

describe('schema', () => {
  const passes = (value: unknown, schema: boolean | Record<string, unknown>) => satisfies(value, { schema });

  test.each<[string, unknown, boolean | Record<string, unknown>, boolean]>([
    ['a type', 'text', { type: 'string' }, true],
    ['another type', 1, { type: 'string' }, false],
    ['a required property', { a: 1 }, { type: 'object', required: ['a'] }, true],
    ['a property too many', { a: 1, b: 2 }, { properties: { a: true }, additionalProperties: false }, false],
    ['true', undefined, true, true],
    ['false', 1, false, false],
    [
      'prefixItems of draft 2020-12',
      [1, 'a'],
      { prefixItems: [{ type: 'number' }, { type: 'string' }], items: false },
      true,
    ],
    ['prefixItems, out of order', ['a', 1], { prefixItems: [{ type: 'number' }, { type: 'string' }] }, false],
    [
      'unevaluatedProperties',
      { a: 1, b: 2 },
      { allOf: [{ properties: { a: true } }], unevaluatedProperties: false },
      false,
    ],
    ['dependentRequired', { a: 1 }, { dependentRequired: { a: ['b'] } }, false],
    [
      '$defs and $ref',
      { a: 1 },
      { $defs: { n: { type: 'number' } }, properties: { a: { $ref: '#/$defs/n' } } },
      true,
    ],
    [
      'a draft that is named',
      1,
      { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'number' },
      true,
    ],
    ['a date-time', '2024-02-29T12:00:00Z', { format: 'date-time' }, true],
    ['a day that does not exist', '2023-02-29', { format: 'date' }, false],
    ['an e-mail address', 'a@example.com', { format: 'email' }, true],
    ['no e-mail address', 'a@', { format: 'email' }, false],
    ['a UUID', '123e4567-e89b-12d3-a456-426614174000', { format: 'uuid' }, true],
    ['a URI', 'no uri', { format: 'uri' }, false],
    ['an IP address', '256.0.0.1', { format: 'ipv4' }, false],
    ['a pattern of code points', '\u{1f600}', { pattern: '^.$' }, true],
    ['NaN is no number', Number.NaN, { type: 'number' }, false],
    ['Infinity is no number', Number.POSITIVE_INFINITY, { type: 'number' }, false],
    [
      'undefined is nothing',
      undefined,
      { type: ['null', 'object', 'string', 'number', 'boolean', 'array'] },
      false,
    ],
    ['a bigint is no number', 1n, { type: ['number', 'integer'] }, false],
    ['a property that is undefined is missing', { a: undefined }, { required: ['a'] }, false],
    ['no default is filled in', {}, { properties: { a: { default: 1 } }, required: ['a'] }, false],
    ['no type is coerced', '1', { type: 'number' }, false],
  ])('%s', (_, value, schema, expected) => {
    expect(problemOf({ schema })).toBe('');
    expect(passes(value, schema)).toBe(expected);
  });

  test('of one case says nothing about another that has the same $id', () => {
    const id = 'https://example.com/schema';
    for (let round = 0; round < 3; round++) {
      expect(passes(1, { $id: id, type: 'number' })).toBe(true);
      expect(passes(1, { $id: id, type: 'string' })).toBe(false);
      expect(problemOf({ schema: { $id: id, type: 'boolean' } })).toBe('');
      expect(problemOf({ schema: { $ref: id } })).not.toBe('');
    }
  });

  test('that promises an answer is failed', () => {
    expect(passes(1, { $async: true, type: 'number' })).toBe(false);
  });

  test('leaves the value as it is', () => {
    const value = { a: '1', b: 2, __proto__: null };
    const observation = returned(value);
    const before = structuredClone(observation);
    grade(
      { schema: { properties: { a: { type: 'number', default: 3 } }, additionalProperties: false } },
      observation,
    );
    expect(observation).toEqual(before);
  });
});

describe('an expectation that is itself wrong is found when the suite is made', () => {
  test.each<[string, Expectation]>([
    ['a pattern that is none', { throws: { message: '(' } }],
    ['a schema of an unknown type', { schema: { type: 'text' } }],
    ['a schema with an unknown keyword', { schema: { requires: ['a'] } }],
    ['a schema with an unknown format', { schema: { format: 'postcode' } }],
    ['a schema whose pattern is none', { schema: { pattern: '(' } }],
    ['a schema whose reference leads nowhere', { schema: { $ref: '#/$defs/missing' } }],
    ['a schema whose reference leads into the net', { schema: { $ref: 'https://example.com/schema' } }],
    [
      'a schema of a draft that is not known',
      { schema: { $schema: 'http://json-schema.org/draft-04/schema#' } },
    ],
    [
      'a schema that takes the name of the draft',
      { schema: { $id: 'https://json-schema.org/draft/2020-12/schema' } },
    ],
    ['closeTo a text', { closeTo: { value: '1', tolerance: 1 } }],
    ['closeTo a bigint', { closeTo: { value: { $bigint: '1' }, tolerance: 1 } }],
    ['closeTo NaN, to which nothing is close', { closeTo: { value: { $number: 'NaN' }, tolerance: 1 } }],
    ['closeTo nothing', { closeTo: { value: undefined, tolerance: 1 } }],
    ['matches a primitive', { matches: 1 }],
    ['matches null', { matches: null }],
    ['matches undefined', { matches: { $undefined: true } }],
    ['a tag that says nonsense', { equals: { $date: 'tomorrow' } }],
    ['a tag that says nonsense, deep within', { strictEquals: [{ a: { $map: [1] } }] }],
    ['a choice that says nonsense', { oneOf: [1, { $number: '1' }] }],
    ['a choice that is a hole', { oneOf: [{ $hole: true }] }],
    ['a hole that is in no array', { equals: { $hole: true } }],
  ])('%s', (_, expectation) => {
    expect(problemOf(expectation)).not.toBe('');
    for (const value of [undefined, Number.NaN, {}, null]) expect(satisfies(value, expectation)).toBe(false);
  });

  test.each<[string, unknown]>([
    ['none at all', {}],
    ['two at once', { equals: 1, matches: {} }],
    ['one of an unknown kind', { equal: 1 }],
    ['a negative tolerance', { closeTo: { value: 1, tolerance: -1 } }],
    ['no tolerance', { closeTo: { value: 1 } }],
    ['no choices', { oneOf: [] }],
    ['throws false', { throws: false }],
    ['throws with an unknown field', { throws: { code: 1 } }],
  ])('by its form: %s', (_, expectation) => {
    expect(expectationSchema.safeParse(expectation).success).toBe(false);
  });

  test('and one that is right is not', () => {
    fc.assert(
      fc.property(valuesOf(leaf, true), (value) => {
        expect(problemOf({ equals: carried(value) })).toBe('');
        expect(problemOf({ strictEquals: carried(value) })).toBe('');
        expect(problemOf({ oneOf: [carried(value)] })).toBe('');
        expect(problemOf({ matches: { a: carried(value) } })).toBe('');
      }),
    );
  });
});

describe('a suite module', async () => {
  const realm = await build({
    ...realmBundle(),
    entryPoints: [fileURLToPath(new URL('../suites/grader/suite-realm.ts', import.meta.url))],
  });
  const code = realm.outputFiles[0]?.text ?? '';

  /** Loads a module's body in a realm of its own and calls what a grader would. */
  function inRealm(body: string, call: string): unknown {
    const context = vm.createContext({});
    vm.runInContext(
      `const holdback = ((module) => { 'use strict'; const { exports } = module; ${code}; return module.exports; })({ exports: {} });
      holdback.load(function (exports, module, require) { ${body} });`,
      context,
    );
    return JSON.parse(String(vm.runInContext(`holdback.${call}`, context)));
  }

  const askPredicate = (predicate: string, output: unknown = 42) =>
    inRealm(
      `module.exports = { cases: [{ name: 'first', expect: ${predicate} }] };`,
      `askPredicate(0, null, ${JSON.stringify(JSON.stringify(carried(output)))}, '{"$undefined":true}')`,
    );

  test('passes a case when its predicate answers with true', () => {
    expect(askPredicate('(output, input) => output === 42 && input === undefined')).toEqual({
      passed: true,
      message: '',
    });
  });

  test.each<[string, string]>([
    ['answers with false', '() => false'],
    ['answers with a promise', 'async () => true'],
    ['answers with a thenable', '() => ({ then(resolve) { resolve(true); } })'],
    ['answers with nothing', '() => {}'],
    ['answers with null', '() => null'],
    ['answers with 1', '() => 1'],
    ['answers with the text "true"', "() => 'true'"],
    ['answers with a boxed true', '() => new Boolean(true)'],
    ['answers with a generator', 'function* () { return true; }'],
    ['answers with what looks like a grade', "() => ({ passed: true, message: '' })"],
    ['throws an error', "() => { throw new Error('told'); }"],
    ['throws true', '() => { throw true; }'],
    ['throws nothing', '() => { throw undefined; }'],
    ['is no function', 'true'],
    ['is missing', 'undefined'],
  ])('fails a case when its predicate %s', (_, predicate) => {
    expect(askPredicate(predicate)).toEqual({ passed: false, message: expect.stringMatching(/predicate/) });
  });

  test('shows its predicate the output as plain data, whatever it looks like', () => {
    const output = withEntries(Object.prototype, [
      ['__proto__', { equal: true }],
      ['then', 1],
      ['toString', 1],
    ]);
    const isPlain = `(output) => Object.getPrototypeOf(output) === Object.prototype && output.equal === undefined
      && Object.keys(output).join() === '__proto__,then,toString'`;
    expect(askPredicate(isPlain, output)).toEqual({ passed: true, message: '' });
  });

  test('shows its predicate and its relation undefined where an output has a hole, which asking each element would pass over', () => {
    const holes = JSON.stringify(JSON.stringify(carried({ applied: new Array(2) })));
    const areRight = '({ applied }) => applied.length === 2 && applied.every((cents) => cents > 0)';
    expect(askPredicate(areRight, { applied: [1, 2] })).toEqual({ passed: true, message: '' });
    expect(askPredicate(areRight, { applied: new Array(2) })).toEqual({
      passed: false,
      message: 'its predicate answered false',
    });
    const related = `module.exports = [{ name: 'first', relate: { from: (n) => n, hold: ${areRight} } }];`;
    expect(inRealm(related, `askRelation(0, ${holes}, ${holes})`)).toMatchObject({ passed: false });
    // What the author wrote stays as it is.
    const given = `module.exports = [{ name: 'first', expect: (output, input) => !(0 in input.applied) }];`;
    expect(inRealm(given, `askPredicate(0, null, '1', ${holes})`)).toMatchObject({ passed: true });
  });

  const listed = (expectation: string) =>
    inRealm(`module.exports = [{ name: 'first', input: 1, expect: ${expectation} }];`, 'listCases()');

  test.each<[string, unknown]>([
    ['{ equals: undefined }', { equals: { $undefined: true } }],
    ['{ equals: new Map([[-0, 1n]]) }', { equals: { $map: [[0, { $bigint: '1' }]] } }],
    ['{ closeTo: { value: 1, tolerance: 0.1 } }', { closeTo: { value: 1, tolerance: 0.1 } }],
    ['{ oneOf: [NaN, { $date: 1 }] }', { oneOf: [{ $number: 'NaN' }, { $object: { $date: 1 } }] }],
    ["{ schema: { const: '$date' } }", { schema: { const: '$date' } }],
    ['{ throws: true }', { throws: true }],
    ['{ throws: { message: /^told$/ } }', { throws: { message: '^told$' } }],
    ['{ throws: { message: /told/gi } }', { throws: { message: '(?i:told)' } }],
    ["{ throws: { name: 'A', message: /a.b/is } }", { throws: { name: 'A', message: '(?is:a.b)' } }],
    ['(output) => output === 1', { predicate: true }],
  ])('lists %s as it is meant', (written, expectation) => {
    expect(listed(written)).toEqual({
      cases: [{ name: 'first', input: 1, expect: expectation }],
      problems: [],
    });
  });

  test('keeps the flags of a pattern', () => {
    const { cases } = Object(listed('{ throws: { message: /^told$/im } }'));
    expect(grade(cases[0].expect, threw('Error', 'first\nTOLD')).passed).toBe(true);
    expect(grade(cases[0].expect, threw('Error', 'TOLD first')).passed).toBe(false);
  });

  test.each([
    ['{ equals: () => 1 }', 'a function cannot be carried'],
    ["{ equals: new URL('https://example.com') }", 'shows no properties'],
    ["{ equals: Temporal.PlainDate.from('2024-02-29') }", 'shows no properties'],
    ['{ throws: { message: /told/u } }', 'flags i, m and s'],
    ['{ throws: { message: /told/y } }', 'flags i, m and s'],
  ])('refuses %s and says why', (written, problem) => {
    const { problems } = Object(listed(written));
    const path = ['expect', written.includes('throws') ? 'throws' : 'equals'];
    expect(problems).toEqual([{ position: 0, path, detail: expect.stringContaining(problem) }]);
  });
});
