/**
 * What an author's module imports from the package: `defineSuite` types a suite and returns it as it is, so that an editor completes
 * the cases and nothing is left of it in the bundle. It stands alone, because it is bundled into every suite that uses it; of
 * fast-check it takes types only.
 */
/// <reference path="./build-modules.d.ts" preserve="true" />
import type * as fastCheck from 'fast-check';

/** A suite of cases whose inputs and outputs are of these types. */
export type Suite<Input = unknown, Output = unknown> = {
  /** What the suite is called; without it, whoever pushes it says so. */
  name?: string;
  limits?: Limits;
  /** Builds whose verdict is known. No revision is activated on which they do not behave. */
  references?: readonly Reference[];
  cases: readonly Case<Input, Output>[];
};

/** A build that the suite holds: `import right from 'build:./right.ts'` is its text. */
export type Reference = {
  name: string;
  build: string;
  /** `merge` for a build that is known to be right, `block` for one that is known to be wrong. */
  verdict: 'merge' | 'block';
};

/** Bounds on what one candidate may use. What is left out has its usual value. */
export type Limits = {
  /** Time of one case, in milliseconds. */
  caseMs?: number;
  /** Time of one score, in milliseconds. */
  scoreMs?: number;
  /** Heap of one isolate, in MiB. */
  isolateMb?: number;
  /** Resident memory of one runner process, in MiB. */
  hostMb?: number;
  /** Size of one encoded output, in bytes. */
  outputBytes?: number;
};

/** One case: a single call, or a scenario of several. */
export type Case<Input = unknown, Output = unknown> = Common & (SingleCall<Input, Output> | Scenario);

/** What is called with what, and what is required of what comes of it. */
export type SingleCall<Input = unknown, Output = unknown> = {
  /** Which export is called; `run` if left out. */
  call?: string;
  steps?: undefined;
} & Given<Input> &
  Requirement<Input, Output>;

/** What is required of an output, that it is as a reference's on the same input, or how it is related to another; or several of these. */
export type Requirement<Input = unknown, Output = unknown> =
  | (Requirements<Input, Output> & { expect: Expectation<Input, Output> | Predicate<Input, Output> })
  | (Requirements<Input, Output> & { sameAs: string })
  | (Requirements<Input, Output> & { relate: Relation<Input, Output> });

type Requirements<Input, Output> = {
  expect?: Expectation<Input, Output> | Predicate<Input, Output>;
  /** The name of a reference that is right. */
  sameAs?: string;
  /** What must hold between this output and that for an input made from this one. */
  relate?: Relation<Input, Output>;
};

/** Calls one after the other in one realm. */
export type Scenario = {
  steps: readonly Step[];
  call?: undefined;
  input?: undefined;
  expect?: undefined;
  sameAs?: undefined;
  generate?: undefined;
  runs?: undefined;
  relate?: undefined;
};

/** One call of a scenario. Without `expect` it is set-up: it must not throw, and what it returns need not be carriable. */
export type Step = {
  name?: string;
  /** Which export is called; `run` if left out. */
  call?: string;
  /** In it, `outputOf(0)` stands for the output of the first step. */
  input?: unknown;
  expect?: Expectation | StepPredicate;
};

/** As a predicate, but its parameters may be of any types: what a step returns, the author knows alone. */
export type StepPredicate = { accepts(output: unknown, input: unknown): boolean }['accepts'];

/** What every case may have: a name, and what it pretends of the world. */
export type Common = {
  name: string;
  /** Where the virtual clock starts: a time with its offset, as `2026-03-29T01:30:00+01:00`. */
  at?: string;
  /** The IANA name of the time zone, as `Europe/Berlin`. UTC if left out. */
  zone?: string;
  /** Seeds Math.random and crypto. */
  seed?: number;
  /** What `fetch` receives. A request that is not listed fails the case. */
  http?: readonly Exchange[];
  /** So many times the processor time of the reference are allowed: that of `sameAs`, or else the first that is right. */
  within?: number;
  tags?: readonly string[];
  /** Whose it is. */
  owner?: string;
  /** From then on it is not asked any more: a day as `2027-01-31`, which begins at midnight UTC, or an instant. */
  expires?: string | Date;
};

/** A request that the candidate may make, and what it receives. */
export type Exchange = {
  request: {
    /** GET if left out. */
    method?: string;
    url: string;
    /** Headers that the request must have; it may have others. */
    headers?: { [name: string]: string };
    /** The body that it must have: a text, or a value whose JSON it is. Left out, it may have any. */
    body?: unknown;
  };
  response: {
    /** 200 if left out. */
    status?: number;
    headers?: { [name: string]: string };
    /** A text, or a value that is sent as JSON. */
    body?: unknown;
  };
  /** How often exactly the request must be made. Left out, any number of times. */
  times?: number;
};

/** What the input is, which may be left out where it may be undefined; or what makes inputs. */
type Given<Input> =
  | ((undefined extends Input ? { input?: Input } : { input: Input }) & {
      generate?: undefined;
      runs?: undefined;
    })
  | {
      /** Makes the inputs, anew for every score, with fast-check: `(fc) => fc.record({ … })`. */
      generate: (fc: FastCheck) => fastCheck.Arbitrary<Input>;
      /** On how many inputs the case is run, 1 to 1000; 100 if left out. */
      runs?: number;
      input?: undefined;
    };

/** fast-check, as it is handed to `generate`. */
export type FastCheck = typeof fastCheck;

/** A metamorphic relation: `run` is called with the input and with what `from` makes of it, and `hold` must answer `true`. */
export type Relation<Input = unknown, Output = unknown> = {
  from: (input: Input) => Input;
  hold: (output: Output, other: Output) => boolean;
};

/** Answers `true` for a right output, `false` for a wrong one. Anything else fails the case. */
export type Predicate<Input = unknown, Output = unknown> = (output: Output, input: Input) => boolean;

/** A declared expectation: one of the kinds. `Input` is there for the predicate that may stand in its place. */
export type Expectation<_Input = unknown, Output = unknown> = OneOf<{
  /** As Vitest's toEqual. */
  equals: Output;
  /** As Vitest's toStrictEqual. */
  strictEquals: Output;
  /** A part of it, as Vitest's toMatchObject. */
  matches: Part<Output>;
  closeTo: { value: number; tolerance: number };
  oneOf: readonly Output[];
  /** That it throws: anything, or an error of this name, with a message that the pattern finds. */
  throws: true | { name?: string; message?: string | RegExp };
  /** A JSON Schema (2020-12). */
  schema: boolean | { [keyword: string]: unknown };
  /** No answer is wanted: the service makes one up that only who has seen the sealed suite can give. */
  tripwire: true;
}>;

/**
 * An object with one of the members. That a literal has two of them is found when the suite is checked: a type that forbids it would
 * answer a wrong value with an error about `undefined`.
 */
type OneOf<Members> = { [Kind in keyof Members]: { [One in Kind]: Members[One] } }[keyof Members];

/** A value of which objects may lack members, at any depth. What has methods of its own, as a Date, is whole. */
export type Part<Value> = Value extends Whole
  ? Value
  : Value extends readonly (infer Member)[]
    ? readonly Part<Member>[]
    : Value extends object
      ? { [Key in keyof Value]?: Part<Value[Key]> }
      : Value;

type Whole =
  | Date
  | Error
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | ArrayBuffer
  | ArrayBufferView
  | ((...given: never[]) => unknown);

/**
 * The suite, typed: `export default defineSuite<Order, Receipt>({ cases: [ … ] })`. Without types, inputs and outputs are unknown.
 */
export function defineSuite<Input = unknown, Output = unknown>(
  suite: NoInfer<Suite<Input, Output>>,
): Suite<Input, Output> {
  return suite;
}

/**
 * Stands, in a step's input, for the output of the step of that number, of which the first is 0; with a JSON Pointer such as
 * `/items/0`, for a part of it. It is the live value: an instance keeps its class, and a function can be called.
 */
export function outputOf<Value = never>(step: number, at?: string): Value;
export function outputOf(step: number, at?: string): unknown {
  return at === undefined ? { $output: step } : { $output: step, at };
}
