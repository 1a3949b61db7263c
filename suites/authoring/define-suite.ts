/**
 * What an author's module imports from the package: `defineSuite` types a suite and returns it as it is, so that an editor completes
 * the cases and nothing is left of it in the bundle. It stands alone, because it is bundled into every suite that uses it.
 */
/// <reference path="./build-modules.d.ts" preserve="true" />

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

/** One case: what `run` is called with, and what is required of what comes of it. The input may be left out where it may be undefined. */
export type Case<Input = unknown, Output = unknown> = {
  name: string;
  expect: Expectation<Input, Output> | Predicate<Input, Output>;
  tags?: readonly string[];
  /** Whose it is. */
  owner?: string;
  /** From then on it is not asked any more: a day as `2027-01-31`, which begins at midnight UTC, or an instant. */
  expires?: string | Date;
} & (undefined extends Input ? { input?: Input } : { input: Input });

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
