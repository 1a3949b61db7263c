/** What crosses between the service and the grader's process, in both directions. */
import { z } from 'zod';
import { caseSchema } from '../case.ts';
import { sealedExpectationSchema } from '../expectation.ts';

/** One case to grade: all as JSON text, because text is what crosses. */
export type GradeItem = {
  /** Its position in the suite, by which a module finds its predicate. */
  position: number;
  /** A declared expectation, or null for the module's predicate. */
  expect: string | null;
  input: string;
  /** The observation as JSON; for predicates the returned value as carried JSON. */
  observation: string;
};

/** A predicate to probe, with the input of its case as carried JSON text. */
export type ProbeItem = { position: number; input: string };

export type GraderJob =
  | { task: 'grade'; script: string | null; items: GradeItem[] }
  /** Checks declared cases; one answer for each, `""` when nothing is wrong with it. */
  | { task: 'check'; items: { expect: string; input: string }[] }
  /** Asks predicates about outputs that cannot all be right; `all` for one that accepts each of them, and `some` otherwise. */
  | { task: 'probe'; script: string; items: ProbeItem[] }
  /** Lists the cases of a module, in one answer. */
  | { task: 'list'; script: string }
  /** The texts of a module's predicates, in one answer: a JSON array with null where a case has none. */
  | { task: 'predicates'; script: string };

export const gradeSchema = z.strictObject({ passed: z.boolean(), message: z.string() });

/** A case that a module lists: as authored in JSON, but the expectation may be a predicate. */
export const listedCaseSchema = caseSchema.extend({ expect: sealedExpectationSchema });

const listedSchema = z.strictObject({
  cases: z.array(z.unknown()),
  limits: z.unknown().optional(),
  name: z.unknown().optional(),
  references: z.unknown().optional(),
  /** What is wrong with the module's values as values; a case of which something is told here is not listed whole. */
  problems: z.array(
    z.strictObject({
      position: z.int().nonnegative().nullable(),
      path: z.array(z.string()),
      detail: z.string(),
    }),
  ),
});
/** What a module holds. */
export type Listing = z.infer<typeof listedSchema>;

export const listingSchema = z.union([z.strictObject({ problem: z.string() }), listedSchema]);

export const predicateTextsSchema = z.array(z.string().nullable());
