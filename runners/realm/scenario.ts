/**
 * Plays a scenario in its realm: one call after the other, an earlier call's live output in a later one's input where that asks for
 * it. It is loaded before the candidate, captures what it needs, and keeps what it notes in strings and in objects of its own, so
 * that what one call does to the realm changes no record of another.
 */
import type { CaseRun } from '../case-run.ts';
import type { decode, decodeStep, encode, encodeError } from './value.ts';

/** What is loaded already. A file that is required has no part in the files that are imported: it would get copies of them. */
export type ValueCode = {
  decode: typeof decode;
  decodeStep: typeof decodeStep;
  encode: typeof encode;
  encodeError: typeof encodeError;
};

/** How a scenario ended: with the observation of its steps as JSON text, or because an output cannot be carried. */
export type PlayedEnd = { onPlayed(steps: string): void; onRejected(detail: string): void };

const { getOwnPropertyDescriptor } = Reflect;
const { stringify } = JSON;
const hasOwn: (object: object, key: PropertyKey) => boolean = Object.hasOwn;
const ErrorOf = Error;

/** A call on its way: its input is decoded ahead unless it takes an output. */
type Pending = {
  name: string;
  wanted: boolean;
  text: string;
  takesOutput: boolean;
  input: unknown;
  /** The function that the candidate exports, once it has loaded. */
  callee: ((input: unknown) => unknown) | undefined;
};

/** What calls gave, the newest first: a list, because a setter planted on Array.prototype would see what is put into an array. */
type Past = { step: number; gave: 'output' | 'nothing'; output: unknown; before: Past } | null;

/** Thrown here alone, while an input is made. */
class Unavailable {
  readonly #detail: string;
  constructor(detail: string) {
    this.#detail = detail;
  }

  static detailOf(thrown: unknown): string {
    const isOurs = typeof thrown === 'object' && thrown !== null && #detail in thrown;
    return isOurs ? thrown.#detail : 'its input could not be made';
  }
}

export class Scenario {
  readonly #calls: Pending[] = [];
  readonly #value: ValueCode;
  readonly #charsMax: number;
  #at = 0;

  /** To be made before the candidate loads. Throws the errors of `decode`. */
  constructor(calls: CaseRun['calls'], charsMax: number, value: ValueCode) {
    this.#value = value;
    this.#charsMax = charsMax;
    for (const { call, input, wanted } of calls) {
      const takesOutput = input.includes('"$output"');
      // What takes an output is decoded when there is one; once here as well, so that decoding is ready for its tags.
      const decoded = takesOutput ? value.decodeStep(input, () => null) : value.decode(input);
      this.#calls.push({
        name: call,
        wanted,
        text: input,
        takesOutput,
        input: takesOutput ? undefined : decoded,
        callee: undefined,
      });
    }
  }

  /**
   * Finds every function that will be called. Answers the first name that `find` does not know. Each name is looked for once: a module
   * whose exports are a Proxy would learn how often and in which order they are called.
   */
  prepare(find: (name: string) => ((input: unknown) => unknown) | undefined): string | undefined {
    for (let index = 0; index < this.#calls.length; index++) {
      const call = this.#calls[index];
      if (call === undefined) continue;
      for (let earlier = 0; earlier < index; earlier++)
        if (this.#calls[earlier]?.name === call.name) call.callee = this.#calls[earlier]?.callee;
      call.callee ??= find(call.name);
      if (call.callee === undefined) return call.name;
    }
    return undefined;
  }

  /** The step that is under way, for people. */
  get under(): string {
    return `step ${this.#at + 1} (${this.#calls[this.#at]?.name ?? ''})`;
  }

  /**
   * Plays all calls, and then says how it ended. It answers nothing itself: what a promise is settled with is asked for a `then`,
   * which a candidate can have given to all objects.
   */
  async play(end: PlayedEnd): Promise<void> {
    let past: Past = null;
    let steps = '';
    let room = this.#charsMax;
    for (let index = 0; index < this.#calls.length; index++) {
      const call = this.#calls[index];
      if (call?.callee === undefined) continue;
      this.#at = index;
      let told = '';
      let gave: 'output' | 'nothing' = 'nothing';
      let output: unknown;
      let input: unknown;
      try {
        const earlier: Past = past;
        input = call.takesOutput
          ? this.#value.decodeStep(call.text, (step, at) => partOf(outputOf(earlier, step), at))
          : call.input;
      } catch (error) {
        told = `{"outcome":"not_called","detail":${stringify(Unavailable.detailOf(error))}}`;
      }
      if (told === '') {
        try {
          // `await` looks up nothing that a candidate can have patched, except in the candidate's own thenable.
          output = await call.callee(input);
          gave = 'output';
        } catch (error) {
          try {
            const text = this.#value.encodeError(error, room);
            room -= text.length;
            told = `{"outcome":"threw","error":${text}}`;
          } catch {
            return end.onRejected(`${this.under}: what was thrown cannot be carried`);
          }
        }
      }
      if (told === '' && !call.wanted) told = '{"outcome":"done"}';
      if (told === '') {
        const encoded = this.#value.encode(output, room);
        if (!encoded.ok) return end.onRejected(`${this.under}: ${encoded.reason}`);
        room -= encoded.text.length;
        told = `{"outcome":"returned","value":${encoded.text}}`;
      }
      steps += steps === '' ? told : `,${told}`;
      past = { step: index, gave, output, before: past };
    }
    end.onPlayed(`[${steps}]`);
  }
}

function outputOf(past: Past, step: unknown): unknown {
  for (let at = past; at !== null; at = at.before) {
    if (at.step !== step) continue;
    if (at.gave === 'output') return at.output;
    throw new Unavailable(`it takes the output of step ${at.step + 1}, which gave none`);
  }
  throw new Unavailable('it takes the output of a step that there is not');
}

/** What a JSON Pointer leads to, by own data properties alone: no getter of the candidate's runs. */
function partOf(output: unknown, pointer: unknown): unknown {
  if (pointer === undefined || pointer === '') return output;
  if (typeof pointer !== 'string') throw new ErrorOf('a pointer is a text');
  let part = output;
  let key = '';
  for (let index = 1; index <= pointer.length; index++) {
    if (index === pointer.length || pointer[index] === '/') {
      part = memberOf(part, key);
      key = '';
    } else if (pointer[index] === '~') {
      index++;
      key += pointer[index] === '0' ? '~' : '/';
    } else key += pointer[index];
  }
  return part;
}

function memberOf(holder: unknown, key: string): unknown {
  const hasMembers = (typeof holder === 'object' && holder !== null) || typeof holder === 'function';
  const descriptor = hasMembers ? getOwnPropertyDescriptor(holder, key) : undefined;
  if (descriptor === undefined) throw new Unavailable('the output that it takes has nothing at that place');
  if (!hasOwn(descriptor, 'value'))
    throw new Unavailable('what it takes of an output is an accessor property');
  return descriptor.value;
}
