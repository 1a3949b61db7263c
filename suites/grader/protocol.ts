/** What crosses between the service and the grader's process, in both directions. */
import { z } from 'zod';
import { caseFields } from '../case.ts';
import { sealedExpectationSchema } from '../expectation.ts';
import { type ChanceState, runsSchema } from '../generation.ts';
import { stepSchema, stepsMax } from '../scenario.ts';

/** One call of a case to grade: all as JSON text, because text is what crosses. */
export type GradedCall = {
  /** The number of the step, or null where the case has none. */
  step: number | null;
  /** What its messages begin with. */
  label: string;
  /** A declared expectation; `predicate` for the module's; null where it is only run, and `any` where any end is right. */
  expect: { declared: string } | 'predicate' | 'any' | null;
  input: string;
};

/** How often a request should be made, and what it is called in a message. Null where any number is right. */
export type GradedExchange = { label: string; times: number | null };

/** One case to grade. */
export type GradeItem = {
  /** Its position in the suite, by which a module finds its predicates. */
  position: number;
  calls: GradedCall[];
  /** Null where the case is a single call, and its observation what came of that. */
  exchanges: GradedExchange[] | null;
  /** The observation as JSON; of a scenario, the carried text of the observation of its steps. */
  observation: string;
  /** Where outputs must be related: those for the input and for the one that was made from it. Else null. */
  relation: { output: string; other: string } | null;
};

/** Where a generated input comes from: which run it is of, and where chance begins there. */
export type Chance = { run: number; state: ChanceState };

/** What inputs a case is to have: the written one as carried JSON with what its relation makes of it, or generated ones. */
export type DrawRequest = { input: string | null; chances: Chance[] };
export type DrawItem = DrawRequest & { position: number };

/** Which smaller inputs are wanted: next to the one that `path` leads to, which is `expected`; `count` of them, from the `from`-th. */
export type SmallerRequest = {
  chance: Chance;
  path: number[];
  expected: string;
  from: number;
  count: number;
};
export type SmallerItem = SmallerRequest & { position: number };

/** A predicate to probe, with the input of its call as carried JSON text. */
export type ProbeItem = { position: number; step: number | null; input: string };

export type GraderJob =
  | { task: 'grade'; script: string | null; items: GradeItem[] }
  /** Checks calls; one answer for each, `""` when nothing is wrong with its expectation, if it has one, and its input. */
  | { task: 'check'; items: { expect: string; input: string }[] }
  /** Asks predicates about outputs that cannot all be right; answers as `probePredicate` in `suite-realm.ts`. */
  | { task: 'probe'; script: string; items: ProbeItem[] }
  /** Lists the cases of a module, in one answer. */
  | { task: 'list'; script: string }
  /** The texts of a module's predicates, in one answer: a JSON array with null where a case has none. */
  | { task: 'predicates'; script: string }
  /** Asks relations about outputs that cannot all be related; answers as for `probe`. */
  | { task: 'probeRelations'; script: string; items: { position: number }[] }
  /** Makes the inputs of cases, one answer for each case: see `Drawn`. */
  | { task: 'draw'; script: string; generator: string | null; items: DrawItem[] }
  /** Makes smaller inputs: see `Smaller`. */
  | { task: 'shrink'; script: string; generator: string | null; items: SmallerItem[] };

export const gradeSchema = z.strictObject({
  passed: z.boolean(),
  message: z.string(),
  /** Which of its calls failed, where one of them is to blame. */
  at: z.int().nonnegative().optional(),
});

/** A case that a module lists: as authored in JSON, but an expectation may be a predicate. */
export const listedCaseSchema = z.strictObject({
  ...caseFields,
  expect: sealedExpectationSchema.optional(),
  steps: z
    .array(stepSchema.extend({ expect: sealedExpectationSchema.optional() }))
    .min(1)
    .max(stepsMax)
    .optional(),
  generate: z.literal(true, { error: 'is a function, as (fc) => fc.integer()' }).optional(),
  runs: runsSchema.optional(),
  relate: z.literal(true, { error: 'is { from: (input) => …, hold: (output, other) => … }' }).optional(),
});

const listedSchema = z.strictObject({
  cases: z.array(z.unknown()),
  limits: z.unknown().optional(),
  name: z.unknown().optional(),
  references: z.unknown().optional(),
  /** What is wrong with the module's values as values; a case of which something is told here is not listed whole. */
  problems: z.array(
    z.strictObject({
      position: z.int().nonnegative().nullable(),
      path: z.array(z.union([z.string(), z.int()])),
      detail: z.string(),
    }),
  ),
});
/** What a module holds. */
export type Listing = z.infer<typeof listedSchema>;

export const listingSchema = z.union([z.strictObject({ problem: z.string() }), listedSchema]);

export const predicateTextsSchema = z.array(z.string().nullable());
