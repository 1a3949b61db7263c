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
import type { Expectation, ExpectationKind } from '../suite.ts';

/** How one case was graded. The message is for the suite's author. */
export type Grade = { passed: boolean; message: string };

type Returned = { value: unknown; text: string };

const passed: Grade = { passed: true, message: '' };

function failed(message: string): Grade {
  return { passed: false, message };
}

function same(actual: unknown, expected: unknown): boolean {
  return equals(actual, expected, [iterableEquality]);
}

/** What each kind of expectation requires of a returned value; `text` is the value as carried JSON, for messages. */
const requirements: {
  [Kind in Exclude<ExpectationKind, 'throws'>]: (
    returned: Returned,
    wanted: Exclude<Expectation[Kind], undefined>,
  ) => Grade;
} = {
  equals: ({ value, text }, wanted) =>
    same(value, carried(wanted)) ? passed : differs(text, 'equal', wanted),
  strictEquals: ({ value, text }, wanted) => {
    const testers = [iterableEquality, typeEquality, sparseArrayEquality, arrayBufferEquality];
    return equals(value, carried(wanted), testers, true) ? passed : differs(text, 'strictly equal', wanted);
  },
  matches: ({ value, text }, wanted) => {
    const expected = carried(wanted);
    // Vitest's toMatchObject refuses anything but objects on both sides.
    const objects = typeof value === 'object' && value !== null && typeof expected === 'object';
    return objects && equals(value, expected, [iterableEquality, subsetEquality])
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
    return failed(`${shortened(text)} does not satisfy the schema: ${ajv().errorsText(validate.errors)}`);
  },
};

/** Grades one observation against a declared expectation. */
export function grade(expectation: Expectation, observation: Observation): Grade {
  if (expectation.throws !== undefined) return gradeThrows(expectation.throws, observation);
  if (observation.outcome === 'threw') {
    return failed(`it threw ${observation.error.name}: ${shortened(observation.error.message)}`);
  }
  if (observation.outcome !== 'returned') return failed(`it ended as ${observation.outcome}`);
  const text = JSON.stringify(observation.value);
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
    return failed(`it should have thrown ${wanted.name}, but threw ${shortened(name)}`);
  }
  if (wanted.message !== undefined && !new RegExp(wanted.message).test(message)) {
    return failed(
      `it should have thrown a message like /${wanted.message}/, but threw ${shortened(message)}`,
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
    if (expectation.schema !== undefined) compileSchema(expectation.schema);
    if (expectation.closeTo !== undefined && typeof carried(expectation.closeTo.value) !== 'number') {
      return 'closeTo wants a number';
    }
    if ('matches' in expectation) {
      const subset = carried(expectation.matches);
      if (typeof subset !== 'object' || subset === null) return 'matches wants an object or an array';
    }
    for (const value of [expectation.equals, expectation.strictEquals, expectation.oneOf]) carried(value);
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be read';
  }
}

function carried(value: unknown): unknown {
  return value === undefined ? undefined : decode(JSON.stringify(value));
}

let schemas: Ajv2020 | undefined;

function ajv(): Ajv2020 {
  if (schemas === undefined) {
    schemas = new Ajv2020({ allErrors: false, strict: true, strictTypes: false, strictRequired: false });
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
  return failed(`${shortened(actual)} should ${verb} ${shortened(JSON.stringify(wanted))}`);
}

const shownCharsMax = 500;

function shortened(text: string): string {
  return text.length <= shownCharsMax ? text : `${text.slice(0, shownCharsMax)}…`;
}
