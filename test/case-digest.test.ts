/** A case keeps its identity whatever it is called and however it is written down, and loses it when it asks something else. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SealedCase } from '../suites/case.ts';
import { caseDigest } from '../suites/case-digest.ts';

const key = randomBytes(32);
/** JSON of any shape, with keys and texts that no encoding may lose. */
const text = fc.oneof(
  fc.string(),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('__proto__', 'constructor', '\ud800', '\0', '1', '"'),
);
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(null, true, false),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
    text,
    fc.array(tie('json'), { maxLength: 5 }),
    fc.array(fc.tuple(text, tie('json')), { maxLength: 5 }).map(objectOf),
  ),
}));

/** An object whose keys are all its own, `__proto__` too. */
function objectOf(members: [string, unknown][]): unknown {
  const unique = [...new Map(members)];
  return JSON.parse(
    `{${unique.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`,
  );
}

/** The same value with the keys of every object in the opposite order, as far as JavaScript lets them be ordered. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== 'object' || value === null) return value;
  return objectOf(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, turned(member)]),
  );
}

function declared(input: unknown, equals: unknown): Pick<SealedCase, 'input' | 'expect'> {
  return { input: JSON.stringify(input), expect: { equals } };
}

test('the order of keys does not matter', () => {
  fc.assert(
    fc.property(json, json, (input, equals) => {
      const one = caseDigest(key, declared(input, equals));
      expect(one).toMatch(/^[0-9a-f]{64}$/);
      expect(caseDigest(key, declared(turned(input), turned(equals)))).toBe(one);
    }),
  );
});

test('neither name nor tags matter', () => {
  const asked = declared([1, { a: 2 }], 'x');
  const named: SealedCase = { ...asked, name: 'one', tags: ['a'] };
  const renamed: SealedCase = { ...asked, name: 'another', tags: [] };
  expect(caseDigest(key, named)).toBe(caseDigest(key, renamed));
});

test('another input or another expectation is another case', () => {
  fc.assert(
    fc.property(json, json, json, json, (input, equals, otherInput, otherEquals) => {
      const isSame =
        JSON.stringify(sorted([input, equals])) === JSON.stringify(sorted([otherInput, otherEquals]));
      const [one, other] = [declared(input, equals), declared(otherInput, otherEquals)];
      expect(caseDigest(key, one) === caseDigest(key, other)).toBe(isSame);
    }),
  );
  const [one, two] = [declared('1', 2), declared(1, 2)];
  expect(caseDigest(key, one)).not.toBe(caseDigest(key, two));
  expect(caseDigest(key, { ...one, expect: { strictEquals: 2 } })).not.toBe(caseDigest(key, one));
});

/** A value with its keys in order, as a list of pairs: another way to say the same. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return ['array', ...value.map(sorted)];
  if (typeof value !== 'object' || value === null) return value;
  const names = Object.keys(value).sort();
  return ['object', ...names.map((name) => [name, sorted(Reflect.get(value, name))])];
}

test('of a predicate the input counts, and that it is one', () => {
  const predicate = { input: '{"a":1}', expect: { predicate: true as const } };
  expect(caseDigest(key, predicate)).toBe(caseDigest(key, { ...predicate, input: '{ "a": 1 }' }));
  expect(caseDigest(key, predicate)).not.toBe(caseDigest(key, { ...predicate, input: '{"a":2}' }));
  expect(caseDigest(key, predicate)).not.toBe(caseDigest(key, declared({ a: 1 }, true)));
});

test('without the key it cannot be computed', () => {
  const asked = declared(1, 2);
  expect(caseDigest(randomBytes(32), asked)).not.toBe(caseDigest(key, asked));
});
