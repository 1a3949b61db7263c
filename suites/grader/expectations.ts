/**
 * Compares an observation with what a case requires, in the grader's own realm, where no candidate and no author's code
 * ever runs. The semantics are those of Vitest's matchers, by Vitest's own functions.
 */
// Before Vitest's matchers load.
import './chai-globals.ts';
import {
  arrayBufferEquality,
  equals,
  iterableEquality,
  sparseArrayEquality,
  subsetEquality,
  typeEquality,
} from '@vitest/expect';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Observation } from '../../runners/protocol.ts';
import { decode } from '../../runners/realm/value.ts';
import type { Expectation, ExpectationKind } from '../expectation.ts';

/** How one case was graded. The message is for the suite's author; it is short whatever the candidate said, because all of a score are kept. */
export type Grade = { passed: boolean; message: string };

type Returned = { value: unknown; text: string };

const passed: Grade = { passed: true, message: '' };

function failed(message: string): Grade {
  return { passed: false, message };
}

type Tester = Parameters<typeof equals>[2] extends (infer Each)[] | undefined ? Each : never;

/**
 * Vitest never looks into an ArrayBuffer, so that any two are equal and every object matches one; and it lets an array
 * match a typed array.
 */
const bytesEquality: Tester = (actual, expected) => {
  if (expected instanceof ArrayBuffer) return arrayBufferEquality(actual, expected) ?? false;
  return ArrayBuffer.isView(expected) && !ArrayBuffer.isView(actual) ? false : undefined;
};

/**
 * Members of Sets and Maps must pair off. Vitest lets several members of one side equal the same member of the other, so
 * that a Set that holds the same order twice would equal a Set of two orders.
 */
const memberEquality: Tester = (a, b, testers) => membersAgree(a, b, testers, true);

/** As Vitest's, several members may match the same one; but values that differ are not compared twice at every level. */
const memberSubset: Tester = (a, b, testers) => membersAgree(a, b, testers, false);

function membersAgree(a: unknown, b: unknown, testers: Tester[], once: boolean): boolean | undefined {
  if (a instanceof Set && b instanceof Set) return entriesAgree(entriesOf(a), entriesOf(b), testers, once);
  if (a instanceof Map && b instanceof Map) return entriesAgree(a, b, testers, once);
  return undefined;
}

function entriesOf(set: Set<unknown>): Map<unknown, unknown> {
  return new Map(Array.from(set, (member) => [member, undefined]));
}

function entriesAgree(
  a: Map<unknown, unknown>,
  b: Map<unknown, unknown>,
  testers: Tester[],
  once: boolean,
): boolean {
  if (a.size !== b.size) return false;
  const others = Array.from(b).filter(([key]) => isObject(key));
  for (const [key, value] of a) {
    if (isObject(key)) {
      const at = others.findIndex(
        (other) => equals(key, other[0], testers) && equals(value, other[1], testers),
      );
      if (at === -1) return false;
      if (once) others.splice(at, 1);
    } else if (!b.has(key) || !equals(value, b.get(key), testers)) return false;
  }
  return true;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function same(actual: unknown, expected: unknown): boolean {
  return equals(actual, expected, [bytesEquality, memberEquality, iterableEquality]);
}

/** What each kind of expectation requires of a returned value; `text` is the value as carried JSON, for messages. */
const requirements: {
  [Kind in Exclude<ExpectationKind, 'throws' | 'tripwire'>]: (
    returned: Returned,
    wanted: Exclude<Expectation[Kind], undefined>,
  ) => Grade;
} = {
  equals: ({ value, text }, wanted) =>
    same(value, carried(wanted)) ? passed : differs(text, 'equal', wanted),
  strictEquals: ({ value, text }, wanted) => {
    const testers = [memberEquality, iterableEquality, typeEquality, sparseArrayEquality, bytesEquality];
    return equals(value, carried(wanted), testers, true) ? passed : differs(text, 'strictly equal', wanted);
  },
  matches: ({ value, text }, wanted) => {
    const expected = carried(wanted);
    // Only objects have parts to match, though Vitest lets a primitive match `{}`.
    const objects = typeof value === 'object' && value !== null && typeof expected === 'object';
    return objects && equals(value, expected, [bytesEquality, memberSubset, iterableEquality, subsetEquality])
      ? passed
      : differs(text, 'match', wanted);
  },
  closeTo: ({ value, text }, { value: wanted, tolerance }) => {
    const expected = carried(wanted);
    const close =
      typeof value === 'number' &&
      typeof expected === 'number' &&
      // Infinity is close to itself alone, and NaN to nothing.
      (value === expected || Math.abs(value - expected) <= tolerance);
    return close ? passed : differs(text, `be within ${tolerance} of`, wanted);
  },
  oneOf: ({ value, text }, wanted) =>
    wanted.some((choice) => same(value, carried(choice))) ? passed : differs(text, 'be one of', wanted),
  schema: ({ value, text }, wanted) => {
    const validate = compileSchema(wanted);
    if (validate(value) === true) return passed;
    return failed(
      `it does not satisfy the schema: ${shortened(ajv().errorsText(validate.errors))}; it is ${shortened(text)}`,
    );
  },
};

/** Grades one observation against a declared expectation. Whatever cannot be compared fails. */
export function grade(expectation: Expectation, observation: Observation): Grade {
  try {
    return compare(expectation, observation);
  } catch (error) {
    return failed(
      `it could not be compared: ${error instanceof Error ? shortened(error.message) : 'no reason known'}`,
    );
  }
}

function compare(expectation: Expectation, observation: Observation): Grade {
  if (expectation.throws !== undefined) return gradeThrows(expectation.throws, observation);
  if (observation.outcome === 'threw') {
    return failed(`it threw ${shortened(observation.error.name)}: ${shortened(observation.error.message)}`);
  }
  if (observation.outcome !== 'returned') return failed(`it ended as ${observation.outcome}`);
  const text = observation.value;
  const returned: Returned = { value: decode(text), text };
  if (expectation.closeTo !== undefined) return requirements.closeTo(returned, expectation.closeTo);
  if (expectation.oneOf !== undefined) return requirements.oneOf(returned, expectation.oneOf);
  if (expectation.schema !== undefined) return requirements.schema(returned, expectation.schema);
  if ('equals' in expectation) return requirements.equals(returned, expectation.equals);
  if ('strictEquals' in expectation) return requirements.strictEquals(returned, expectation.strictEquals);
  if ('matches' in expectation) return requirements.matches(returned, expectation.matches);
  return failed('the case expects nothing');
}

function gradeThrows(wanted: NonNullable<Expectation['throws']>, observation: Observation): Grade {
  // Only what the candidate's code threw counts: no other outcome, whatever text it carries.
  if (observation.outcome !== 'threw')
    return failed(`it should have thrown, but ended as ${observation.outcome}`);
  if (wanted === true) return passed;
  const { name, message } = observation.error;
  if (wanted.name !== undefined && wanted.name !== name) {
    return failed(`it should have thrown ${shortened(wanted.name)}, but threw ${shortened(name)}`);
  }
  if (wanted.message !== undefined && !new RegExp(wanted.message).test(message)) {
    return failed(
      `it should have thrown a message like /${shortened(wanted.message)}/, but threw ${shortened(message)}`,
    );
  }
  return passed;
}

/** What is wrong with an expectation itself, or `''`. Found when a suite is made, so that no score meets it. */
export function problemOf(expectation: Expectation): string {
  try {
    if (typeof expectation.throws === 'object' && expectation.throws.message !== undefined) {
      new RegExp(expectation.throws.message);
    }
    if (expectation.schema !== undefined) {
      if (namesProto(expectation.schema)) return 'a schema cannot speak of a property named __proto__';
      compileSchema(expectation.schema);
    }
    if (expectation.closeTo !== undefined) {
      const target = carried(expectation.closeTo.value);
      if (typeof target !== 'number' || Number.isNaN(target)) return 'closeTo wants a number, and not NaN';
    }
    if ('matches' in expectation) {
      const subset = carried(expectation.matches);
      if (typeof subset !== 'object' || subset === null) return 'matches wants an object or an array';
    }
    const values = [expectation.equals, expectation.strictEquals, ...(expectation.oneOf ?? [])];
    for (const value of values) carried(value);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be read';
  }
}

function carried(value: unknown): unknown {
  return value === undefined ? undefined : decode(JSON.stringify(value));
}

/** Ajv leaves out what a schema says of `__proto__`, without a word. */
function namesProto(schema: unknown): boolean {
  let found = false;
  JSON.stringify(schema, (key, value) => {
    found ||= key === '__proto__';
    return value;
  });
  return found;
}

let schemas: Ajv2020 | undefined;

function ajv(): Ajv2020 {
  if (schemas === undefined) {
    // Own properties alone: every object inherits a `constructor`, and JSON Schema knows nothing of that.
    const options = {
      allErrors: false,
      strict: true,
      strictTypes: false,
      strictRequired: false,
      strictTuples: false,
    };
    schemas = new Ajv2020({ ...options, ownProperties: true });
    addFormats.default(schemas);
  }
  return schemas;
}

function compileSchema(schema: boolean | Record<string, unknown>) {
  // Two cases may give different schemas the same $id.
  ajv().removeSchema();
  return ajv().compile(schema);
}

function differs(actual: string, verb: string, wanted: unknown): Grade {
  return failed(`it should ${verb} ${shortened(JSON.stringify(wanted))}, but is ${shortened(actual)}`);
}

const shownCharsMax = 500;

function shortened(text: string): string {
  return text.length <= shownCharsMax ? text : `${text.slice(0, shownCharsMax)}…`;
}
