/**
 * The script of a realm in which an author's suite module runs: it lists the module's cases, and calls a case's
 * predicate. Each predicate gets a realm of its own, because the output it looks at comes from a stranger.
 */
import { installGlobals } from '../../runners/realm/globals.ts';
import { decode, decodeForAsking, encode } from '../../runners/realm/value.ts';
import type { Grade } from './expectations.ts';
import { drawInputs, type InputMaker, memberOf, shrinkInput, valueCharsMax, wordsOf } from './inputs.ts';

const { apply } = Reflect;

type Factory = (exports: object, module: { exports: unknown }, require: (id: unknown) => never) => void;

let exported: unknown;

/** Loads the suite's module. Throws what the module throws. */
export function load(factory: Factory): void {
  installGlobals().enter(1);
  const module: { exports: unknown } = { exports: {} };
  apply(factory, undefined, [module.exports, module, refuseRequire]);
  exported = module.exports;
}

function refuseRequire(id: unknown): never {
  throw new Error(`a suite is one self-contained module and cannot import ${id}`);
}

/** The module's cases in the form of authored JSON, as JSON: a `Listing`, or `{problem}`. */
export function listCases(): string {
  try {
    const suite = findSuite();
    const problems: Problem[] = suite.unknown.map((key) => ({
      position: null,
      path: [key],
      detail: 'is not a known field',
    }));
    const cases = suite.cases.map((testCase, position) => listCase(testCase, position, problems));
    const { limits, name, references } = suite;
    return JSON.stringify({ cases, limits, name, references, problems });
  } catch (error) {
    return JSON.stringify({ problem: error instanceof Error ? error.message : `${error}` });
  }
}

type Problem = { position: number | null; path: Path; detail: string };

type FoundSuite = {
  cases: unknown[];
  limits: unknown;
  name: unknown;
  references: unknown;
  unknown: string[];
};

const suiteKeys = ['$schema', 'name', 'cases', 'limits', 'references'];

/** The default export, or named exports, in the shapes that an author may reasonably write. */
function findSuite(): FoundSuite {
  const candidates = [memberOf(exported, 'default'), memberOf(exported, 'suite'), exported];
  for (const candidate of candidates) {
    const cases = Array.isArray(candidate) ? candidate : memberOf(candidate, 'cases');
    if (!Array.isArray(cases)) continue;
    const [limits, name] = [memberOf(candidate, 'limits'), memberOf(candidate, 'name')];
    // The module itself may export what it likes besides.
    const isSuite = candidate !== exported && candidate !== cases;
    const unknown = isSuite ? Object.keys(Object(candidate)).filter((key) => !suiteKeys.includes(key)) : [];
    return { cases, limits, name, references: memberOf(candidate, 'references'), unknown };
  }
  throw new Error('the module exports no cases: write `export default { cases: [ … ] }`');
}

const caseKeys = [
  'name',
  'call',
  'input',
  'expect',
  'steps',
  'sameAs',
  'within',
  'at',
  'zone',
  'seed',
  'http',
  'tags',
  'owner',
  'expires',
  'generate',
  'runs',
  'relate',
];
const stepKeys = ['name', 'call', 'input', 'expect'];

type Path = (string | number)[];
/** Does something, or notes why it cannot be done as a problem at a path of the case. */
type Attempt = (path: Path, list: () => unknown) => unknown;

function listCase(testCase: unknown, position: number, problems: Problem[]): unknown {
  if (typeof testCase !== 'object' || testCase === null) return typeof testCase;
  const attempt: Attempt = (path, list) => {
    try {
      return list();
    } catch (error) {
      problems.push({ position, path, detail: error instanceof Error ? error.message : `${error}` });
      return undefined;
    }
  };
  const unknown = Object.keys(testCase).filter((key) => !caseKeys.includes(key));
  const [steps, http] = [memberOf(testCase, 'steps'), memberOf(testCase, 'http')];
  const hasNoInput = steps !== undefined || 'generate' in testCase;
  const givesInput = !hasNoInput || memberOf(testCase, 'input') !== undefined;
  return {
    name: memberOf(testCase, 'name'),
    call: memberOf(testCase, 'call'),
    ...(givesInput ? { input: attempt(['input'], () => listInput(testCase)) } : {}),
    expect: listExpectation(memberOf(testCase, 'expect'), ['expect'], attempt),
    steps: Array.isArray(steps) ? Array.from(steps, (step, index) => listStep(step, index, attempt)) : steps,
    sameAs: memberOf(testCase, 'sameAs'),
    within: memberOf(testCase, 'within'),
    at: memberOf(testCase, 'at'),
    zone: memberOf(testCase, 'zone'),
    seed: memberOf(testCase, 'seed'),
    http: Array.isArray(http)
      ? Array.from(http, (each, index) => attempt(['http', index], () => asJson(each)))
      : http,
    tags: memberOf(testCase, 'tags'),
    owner: memberOf(testCase, 'owner'),
    // A Date becomes the instant that it is.
    expires: memberOf(testCase, 'expires'),
    runs: memberOf(testCase, 'runs'),
    ...listFunctions(testCase),
    ...Object.fromEntries(unknown.map((key) => [key, null])),
  };
}

/** What else of a case is a function is only told to be there, and to be one. */
function listFunctions(testCase: object): object {
  const [generate, relate] = [memberOf(testCase, 'generate'), memberOf(testCase, 'relate')];
  const isRelation =
    Object.keys(Object(relate)).every((part) => part === 'from' || part === 'hold') &&
    typeof memberOf(relate, 'from') === 'function' &&
    typeof memberOf(relate, 'hold') === 'function';
  return {
    ...(generate === undefined ? {} : { generate: typeof generate === 'function' }),
    ...(relate === undefined ? {} : { relate: isRelation }),
  };
}

function listStep(step: unknown, index: number, attempt: Attempt): unknown {
  if (typeof step !== 'object' || step === null) return typeof step;
  const unknown = Object.keys(step).filter((key) => !stepKeys.includes(key));
  const path = ['steps', index];
  return {
    name: memberOf(step, 'name'),
    call: memberOf(step, 'call'),
    input: attempt([...path, 'input'], () => listInput(step)),
    expect: listExpectation(memberOf(step, 'expect'), [...path, 'expect'], attempt),
    ...Object.fromEntries(unknown.map((key) => [key, null])),
  };
}

function listInput(holder: object): unknown {
  return withReferences(carried(memberOf(holder, 'input')));
}

/** In an input `{ $output: 0 }` is no data that looks like a tag: it stands for an output. */
function withReferences(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map(withReferences);
  const data = memberOf(node, '$object');
  const isReference = typeof data === 'object' && data !== null && Object.hasOwn(data, '$output');
  if (isReference && Object.keys(node).length === 1) return data;
  for (const [key, member] of Object.entries(node)) {
    const value = withReferences(member);
    Object.defineProperty(node, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return node;
}

/** What JSON makes of an exchange. Throws what it cannot say at all. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value) ?? 'null');
}

function listExpectation(expect: unknown, path: Path, attempt: Attempt): unknown {
  if (typeof expect === 'function') return { predicate: true };
  if (typeof expect !== 'object' || expect === null) return expect;
  const entries = Object.entries(expect).map(([kind, wanted]): [string, unknown] => [
    kind,
    attempt([...path, kind], () => listWanted(kind, wanted)),
  ]);
  return Object.fromEntries(entries);
}

function listWanted(kind: string, wanted: unknown): unknown {
  if (kind === 'schema') return wanted;
  if (kind === 'oneOf' && Array.isArray(wanted)) return wanted.map((choice) => carried(choice));
  if (kind === 'closeTo') {
    return { tolerance: memberOf(wanted, 'tolerance'), value: carried(memberOf(wanted, 'value')) };
  }
  if (kind !== 'throws') return carried(wanted);
  const message = memberOf(wanted, 'message');
  if (typeof wanted !== 'object' || wanted === null) return wanted;
  return { ...wanted, ...(message instanceof RegExp ? { message: sourceOf(message) } : {}) };
}

/** A pattern as the source of a regular expression. Flags that change what it matches become part of it. */
function sourceOf(pattern: RegExp): string {
  if (!/^[dgims]*$/.test(pattern.flags)) throw new Error('a pattern may have the flags i, m and s');
  const flags = pattern.flags.replace(/[dg]/g, '');
  return flags === '' ? pattern.source : `(?${flags}:${pattern.source})`;
}

/** The carried form of a value, as JSON data. Throws an Error that says why it cannot be carried. */
function carried(value: unknown): unknown {
  const encoded = encode(value, valueCharsMax);
  if (!encoded.ok) {
    const { reason } = encoded;
    throw new Error(reason.includes('cannot be carried') ? reason : `cannot be carried: ${reason}`);
  }
  return JSON.parse(encoded.text);
}

/** Asks the predicate of a case, or of one of its steps. Anything but `true` and `false` fails, with a message for the author. */
export function askPredicate(index: number, step: number | null, output: string, input: string): string {
  return JSON.stringify(gradePredicate(index, step, output, input));
}

function gradePredicate(index: number, step: number | null, output: string, input: string): Grade {
  const testCase = findSuite().cases[index];
  const holder = step === null ? testCase : stepsOf(testCase)[step];
  const values = () => [decodeForAsking(output), decode(input)];
  return judge('predicate', holder, memberOf(holder, 'expect'), values);
}

/** Asks the relation of a case about the outputs for its input and for the one that was made from it; else as `askPredicate`. */
export function askRelation(index: number, output: string, other: string): string {
  return JSON.stringify(gradeRelation(index, output, other));
}

function gradeRelation(index: number, output: string, other: string): Grade {
  const relate = memberOf(findSuite().cases[index], 'relate');
  return judge('relation', relate, memberOf(relate, 'hold'), () => [output, other].map(decodeForAsking));
}

function judge(
  what: 'predicate' | 'relation',
  holder: unknown,
  asked: unknown,
  values: () => unknown[],
): Grade {
  if (typeof asked !== 'function') return { passed: false, message: `the case has no ${what}` };
  try {
    const answer: unknown = apply(asked, holder, values());
    if (answer === true) return { passed: true, message: '' };
    if (answer === false) return { passed: false, message: `its ${what} answered false` };
    if (answer instanceof Promise) return { passed: false, message: promised(what) };
    const kind = answer === null ? 'null' : typeof answer;
    return { passed: false, message: `its ${what} answered with ${kind}, not with true or false` };
  } catch (error) {
    return { passed: false, message: `its ${what} threw ${wordsOf(error)}` };
  }
}

function promised(what: 'predicate' | 'relation'): string {
  return `its ${what} answered with a promise, not with true or false`;
}

/** The texts of the cases' functions as JSON, null where a case has none. All those of a case are one text. */
export function predicateTexts(): string {
  const texts = findSuite().cases.map((testCase) => {
    const relate = memberOf(testCase, 'relate');
    const functions = [
      ...[testCase, ...stepsOf(testCase)].map((holder) => memberOf(holder, 'expect')),
      ...[memberOf(testCase, 'generate'), memberOf(relate, 'from'), memberOf(relate, 'hold')],
    ];
    const written = functions.flatMap((each) =>
      typeof each === 'function' ? [apply(toText, each, [])] : [],
    );
    return written.length === 0 ? null : written.join('\n');
  });
  return JSON.stringify(texts);
}

function stepsOf(testCase: unknown): unknown[] {
  const steps = memberOf(testCase, 'steps');
  return Array.isArray(steps) ? steps : [];
}

const toText = Function.prototype.toString;

/** Outputs that cannot all be right, as carried JSON; the input itself is one more. */
const probes = [
  '{"$undefined":true}',
  'null',
  'true',
  'false',
  '{"$number":"NaN"}',
  '-1',
  '0.1234567',
  '""',
  '"an output that no case expects: 5f1c9a"',
  '[]',
  '[[],{}]',
  '{}',
  '{"an output that no case expects":[5]}',
];

/**
 * `all` if the predicate of a case answers `true` to every probe, and so to whatever is returned; `none` if it answers each of them with a
 * promise, as an async one does, which is never `true`; `some` otherwise.
 */
export function probePredicate(index: number, step: number | null, input: string): 'all' | 'none' | 'some' {
  const grades = [...probes, input].map((output) => gradePredicate(index, step, output, input));
  if (grades.every(({ passed }) => passed)) return 'all';
  return grades.every(({ message }) => message === promised('predicate')) ? 'none' : 'some';
}

/** As `probePredicate`, of a relation: `all` if it holds between any two of the probes. */
export function probeRelation(index: number): 'all' | 'some' {
  const accepts = (output: string) => probes.every((other) => gradeRelation(index, output, other).passed);
  return probes.every(accepts) ? 'all' : 'some';
}

/** The inputs of a case, as JSON: see `Drawn`. `request` is a DrawRequest as JSON. */
export function draw(index: number, request: string): string {
  return JSON.stringify(drawInputs(findSuite().cases[index], madeOnce, JSON.parse(request)));
}

/** The smaller inputs next to one, as JSON: see `Smaller`. `request` is a SmallerRequest as JSON. */
export function shrink(index: number, request: string): string {
  return JSON.stringify(shrinkInput(findSuite().cases[index], madeOnce, JSON.parse(request)));
}

let make: (() => InputMaker) | undefined;
let maker: InputMaker | undefined;

/** Takes the sealed script that makes inputs, which is run when it is first needed. */
export function equip(sealed: () => InputMaker): void {
  make = sealed;
}

function madeOnce(): InputMaker {
  maker ??= make?.();
  if (maker === undefined) throw new Error('the revision has no script that makes inputs');
  return maker;
}
