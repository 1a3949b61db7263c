/**
 * The script of a realm in which an author's suite module runs: it lists the module's cases, and calls a case's
 * predicate. Each predicate gets a realm of its own, because the output it looks at comes from a stranger.
 */
import { installGlobals } from '../../runners/realm/globals.ts';
import { decode, encode } from '../../runners/realm/value.ts';
import type { Grade } from './expectations.ts';

const { apply } = Reflect;

/** A value of a suite may be this long, in characters of carried JSON. */
const valueCharsMax = 1 << 20;

type Factory = (exports: object, module: { exports: unknown }, require: (id: unknown) => never) => void;

let exported: unknown;

/** Loads the suite's module. Throws what the module throws. */
export function load(factory: Factory): void {
  installGlobals(1);
  const module: { exports: unknown } = { exports: {} };
  apply(factory, undefined, [module.exports, module, refuseRequire]);
  exported = module.exports;
}

function refuseRequire(id: unknown): never {
  throw new Error(`a suite is one self-contained module and cannot import ${id}`);
}

/** The module's cases as JSON: `{cases: […], limits}` in the form of authored JSON, or `{problem}`. */
export function listCases(): string {
  try {
    const suite = findSuite();
    return JSON.stringify({
      cases: suite.cases.map((testCase, index) => listCase(testCase, index)),
      limits: suite.limits,
    });
  } catch (error) {
    return JSON.stringify({ problem: error instanceof Error ? error.message : `${error}` });
  }
}

type FoundSuite = { cases: unknown[]; limits: unknown };

/** The default export, or named exports, in the shapes that an author may reasonably write. */
function findSuite(): FoundSuite {
  const candidates = [memberOf(exported, 'default'), memberOf(exported, 'suite'), exported];
  for (const candidate of candidates) {
    const cases = Array.isArray(candidate) ? candidate : memberOf(candidate, 'cases');
    if (Array.isArray(cases)) return { cases, limits: memberOf(candidate, 'limits') };
  }
  throw new Error('the module exports no cases: write `export default { cases: [ … ] }`');
}

const caseKeys = ['name', 'input', 'expect', 'tags'];

function listCase(testCase: unknown, index: number): object {
  const name = memberOf(testCase, 'name');
  const called = typeof name === 'string' ? `case ${JSON.stringify(name)}` : `case ${index + 1}`;
  if (typeof testCase !== 'object' || testCase === null) throw new Error(`${called} is no object`);
  const unknown = Object.keys(testCase).find((key) => !caseKeys.includes(key));
  if (unknown !== undefined) {
    throw new Error(`${called} has an unknown field ${unknown}: a case has ${caseKeys.join(', ')}`);
  }
  return {
    name,
    input: carried(memberOf(testCase, 'input'), `the input of ${called}`),
    expect: listExpectation(memberOf(testCase, 'expect'), called),
    tags: memberOf(testCase, 'tags'),
  };
}

function listExpectation(expect: unknown, called: string): unknown {
  if (typeof expect === 'function') return { predicate: true };
  if (typeof expect !== 'object' || expect === null) {
    throw new Error(`${called} has no expectation: expect is a function or an object such as {equals: …}`);
  }
  return Object.fromEntries(
    Object.entries(expect).map(([kind, wanted]) => [kind, listWanted(kind, wanted, called)]),
  );
}

function listWanted(kind: string, wanted: unknown, called: string): unknown {
  const where = `${kind} of ${called}`;
  if (kind === 'schema') return wanted;
  if (kind === 'oneOf' && Array.isArray(wanted)) return wanted.map((choice) => carried(choice, where));
  if (kind === 'closeTo') {
    return { tolerance: memberOf(wanted, 'tolerance'), value: carried(memberOf(wanted, 'value'), where) };
  }
  if (kind !== 'throws') return carried(wanted, where);
  const message = memberOf(wanted, 'message');
  if (typeof wanted !== 'object' || wanted === null) return wanted;
  return { ...wanted, ...(message instanceof RegExp ? { message: sourceOf(message, where) } : {}) };
}

/** A pattern as the source of a regular expression. Flags that change what it matches become part of it. */
function sourceOf(pattern: RegExp, where: string): string {
  if (!/^[dgims]*$/.test(pattern.flags)) throw new Error(`${where}: a pattern may have the flags i, m and s`);
  const flags = pattern.flags.replace(/[dg]/g, '');
  return flags === '' ? pattern.source : `(?${flags}:${pattern.source})`;
}

/** The carried form of a value, as JSON data. Throws an Error that says where it stands and why it cannot be carried. */
function carried(value: unknown, where: string): unknown {
  const encoded = encode(value, valueCharsMax);
  if (!encoded.ok) throw new Error(`${where} cannot be carried: ${encoded.reason}`);
  return JSON.parse(encoded.text);
}

function memberOf(holder: unknown, key: string): unknown {
  return typeof holder === 'object' && holder !== null ? Reflect.get(holder, key) : undefined;
}

/** Asks the predicate of a case. Anything but `true` and `false` fails, with a message for the author. */
export function askPredicate(index: number, output: string, input: string): string {
  return JSON.stringify(gradePredicate(index, output, input));
}

function gradePredicate(index: number, output: string, input: string): Grade {
  const testCase = findSuite().cases[index];
  const predicate = memberOf(testCase, 'expect');
  if (typeof predicate !== 'function') return { passed: false, message: 'the case has no predicate' };
  try {
    const answer: unknown = apply(predicate, testCase, [decode(output), decode(input)]);
    if (answer === true) return { passed: true, message: '' };
    if (answer === false) return { passed: false, message: 'its predicate answered false' };
    const kind = answer === null ? 'null' : typeof answer;
    return {
      passed: false,
      message: `its predicate answered with ${kind}, not with true or false${kind === 'object' ? ' (a promise is no answer)' : ''}`,
    };
  } catch (error) {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : 'something that is no error';
    return { passed: false, message: `its predicate threw ${what.slice(0, 500)}` };
  }
}
