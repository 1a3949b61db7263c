/**
 * What lives in a realm beside the candidate: it hands over the input, calls `run` and encodes what came of it.
 * Everything trusted here is captured before the candidate loads. Strings go in, one string comes out.
 *
 * The four exports are called in this order by `host/candidate-task.ts`, each as a script of its own, so that
 * microtasks are drained in between: open, load, start, step until it answers.
 */
import { installGlobals } from './globals.ts';
import { decode, encode, encodeError } from './value.ts';

const { apply } = Reflect;
const { stringify } = JSON;

type Factory = (exports: object, module: { exports: unknown }, require: (id: unknown) => never) => void;

let clock: { advance(): boolean };
let input: unknown;
let charsMax = 0;
let run: ((input: unknown) => unknown) | undefined;
let receiver: unknown;
/** The observation as JSON text, once there is one. The first one stays. */
let observation = '';

/** Makes the realm deterministic and decodes the case's input, before any candidate code exists here. */
export function open(seed: number, inputText: string, outputCharsMax: number): void {
  input = decode(inputText);
  charsMax = outputCharsMax;
  clock = installGlobals(seed);
}

/** Runs the candidate's module body and finds its `run`. */
export function load(factory: Factory): void {
  try {
    const module: { exports: unknown } = { exports: {} };
    // As in CommonJS, `this` is the exports.
    apply(factory, module.exports, [module.exports, module, refuseRequire]);
    findRun(module.exports);
    if (run === undefined) observe('crashed', 'the module exports no function named run');
  } catch (error) {
    observe('crashed', `the module threw while it loaded: ${textOf(error)}`);
  }
}

/** Calls `run(input)`; the answer may come in this turn or in later ones. */
export function start(): void {
  if (observation === '') void settle();
}

/**
 * The observation as JSON text, or `''` when a virtual timer was fired and the realm must be asked again.
 * A promise that nothing can settle any more is a time-out found early.
 */
export function step(): string {
  if (observation !== '') return observation;
  try {
    if (clock.advance()) return '';
    observe('timed_out', 'the promise that run returned can never settle');
  } catch (error) {
    observe('crashed', `a timer's callback threw: ${textOf(error)}`);
  }
  return observation;
}

function refuseRequire(id: unknown): never {
  throw new Error(`a candidate is one self-contained module and cannot import ${stringify(`${id}`)}`);
}

function findRun(exports: unknown): void {
  for (const holder of [exports, memberOf(exports, 'default')]) {
    const member = memberOf(holder, 'run');
    if (typeof member !== 'function') continue;
    receiver = holder;
    run = (value) => apply(member, receiver, [value]);
    return;
  }
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
