/**
 * What lives in a realm beside the candidate: it hands over the input, calls `run` and encodes what came of it.
 * Everything trusted here is captured before the candidate loads. Strings go in, one string comes out.
 *
 * It is there before anybody knows which case its realm will be for. The exports are called in this order by
 * `host/candidate-task.ts`, each as a script of its own, so that microtasks are drained in between: open, load, start, step until it
 * answers.
 */
import type { CaseRun } from '../case-run.ts';
import { installGlobals } from './globals.ts';
import type { Network } from './network.ts';
import type { Scenario } from './scenario.ts';
import { decode, decodeStep, encode, encodeError } from './value.ts';

/** What only some cases need is loaded for these alone. */
declare const require: {
  (id: './scenario.ts'): typeof import('./scenario.ts');
  (id: './network.ts'): typeof import('./network.ts');
};

const { apply } = Reflect;
const { parse, stringify } = JSON;
const NumberOf = Number;

type Callee = (input: unknown) => unknown;
type Factory = (exports: object, module: { exports: unknown }, require: (id: unknown) => never) => void;

const globals = installGlobals();
let input: unknown;
let charsMax = 0;
let callName = 'run';
let run: Callee | undefined;
let scenario: Scenario | undefined;
let network: Network | undefined;
/** The observation as JSON text, once there is one. The first one stays. */
let observation = '';

/**
 * Says which case the realm is for, and decodes its input, before any candidate code exists here. What it is given is one text (see
 * `givenTo` in `host/candidate-task.ts`): the seed, how long an output may be, what the rest is, and the rest.
 */
export function open(given: string): void {
  // Without a regular expression: what one matched last can be asked of RegExp afterwards.
  const [seedEnd, charsEnd] = [given.indexOf(' '), given.indexOf(' ', given.indexOf(' ') + 1)];
  const seed = NumberOf(given.slice(0, seedEnd));
  charsMax = NumberOf(given.slice(seedEnd, charsEnd));
  const rest = given.slice(charsEnd + 2);
  if (given[charsEnd + 1] === 'r') openRun(seed, rest);
  else {
    input = decode(rest);
    globals.enter(seed);
  }
}

/** Opens the realm for a case that is more than one call of `run` in the usual world. It is given as JSON text. */
function openRun(seed: number, runText: string): void {
  const { calls, isScenario, fixtures = {} }: CaseRun = parse(runText);
  const { http, atMs } = fixtures;
  if (isScenario) {
    const value = { decode, decodeStep, encode, encodeError };
    scenario = new (require('./scenario.ts').Scenario)(calls, charsMax, value);
  } else {
    callName = calls[0].call;
    input = decode(calls[0].input);
  }
  if (http !== undefined) {
    // A candidate may swallow that its request failed; the case fails all the same.
    const onUnlisted = (detail: string) => observe('output_rejected', detail);
    network = new (require('./network.ts').Network)(http, onUnlisted);
  }
  globals.enter(fixtures.seed ?? seed, { startMs: atMs, network });
}

/** Runs the candidate's module body and finds what will be called. */
export function load(factory: Factory): void {
  try {
    const module: { exports: unknown } = { exports: {} };
    // As in CommonJS, `this` is the exports.
    apply(factory, module.exports, [module.exports, module, refuseRequire]);
    const find = (name: string) => findCallee(module.exports, name);
    let missing: string | undefined;
    if (scenario !== undefined) missing = scenario.prepare(find);
    else {
      run = find(callName);
      if (run === undefined) missing = callName;
    }
    if (missing !== undefined) observe('crashed', `the module exports no function named ${missing}`);
  } catch (error) {
    observe('crashed', `the module threw while it loaded: ${textOf(error)}`);
  }
}

/** Calls `run(input)`, or what else is to be called; the answer may come in this turn or in later ones. */
export function start(): void {
  if (observation !== '') return;
  if (scenario === undefined) void settle();
  else void scenario.play({ onPlayed, onRejected: (detail) => observe('output_rejected', detail) });
}

function onPlayed(steps: string): void {
  const value = `{"steps":${steps},"requests":${network?.counts ?? '[]'}}`;
  if (observation === '') observation = `{"outcome":"returned","value":${value}}`;
}

/**
 * The observation as JSON text, or `''` when a virtual timer was fired and the realm must be asked again.
 * A promise that nothing can settle any more is a time-out found early.
 */
export function step(): string {
  if (observation !== '') return observation;
  try {
    if (globals.advance()) return '';
    const where = scenario === undefined ? '' : `${scenario.under}: `;
    observe(
      'timed_out',
      `${where}the promise that ${scenario === undefined ? callName : 'it'} returned can never settle`,
    );
  } catch (error) {
    observe('crashed', `a timer's callback threw: ${textOf(error)}`);
  }
  return observation;
}

function refuseRequire(id: unknown): never {
  throw new Error(`a candidate is one self-contained module and cannot import ${stringify(`${id}`)}`);
}

/** The exported function of a name, or that of the default export. */
function findCallee(exports: unknown, name: string): Callee | undefined {
  return calleeOf(exports, name) ?? calleeOf(memberOf(exports, 'default'), name);
}

function calleeOf(holder: unknown, name: string): Callee | undefined {
  const member = memberOf(holder, name);
  return typeof member === 'function' ? (value) => apply(member, holder, [value]) : undefined;
}

function memberOf(holder: unknown, key: string): unknown {
  const hasMembers = (typeof holder === 'object' && holder !== null) || typeof holder === 'function';
  return hasMembers ? Reflect.get(holder, key) : undefined;
}

async function settle(): Promise<void> {
  let value: unknown;
  try {
    // `await` looks up nothing that a candidate can have patched, except in the candidate's own thenable.
    value = await run?.(input);
  } catch (error) {
    observeThrown(error);
    return;
  }
  const encoded = encode(value, charsMax);
  if (!encoded.ok) observe('output_rejected', encoded.reason);
  else if (observation === '') observation = `{"outcome":"returned","value":${encoded.text}}`;
}

function observeThrown(error: unknown): void {
  try {
    const text = encodeError(error, charsMax);
    if (observation === '') observation = `{"outcome":"threw","error":${text}}`;
  } catch {
    observe('output_rejected', 'what was thrown cannot be carried');
  }
}

function observe(outcome: 'crashed' | 'timed_out' | 'output_rejected', detail: string): void {
  if (observation === '') observation = `{"outcome":"${outcome}","detail":${stringify(detail)}}`;
}

/** A line about an error for the suite's author, at most 500 characters. */
function textOf(error: unknown): string {
  try {
    return encodeError(error, 500);
  } catch {
    return 'something that cannot be shown';
  }
}
