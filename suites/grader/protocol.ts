/** What crosses between the service and the grader's process, in both directions. */
import { z } from 'zod';
import { caseSchema, sealedExpectationSchema } from '../suite.ts';

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

export type GraderJob =
  | { task: 'grade'; script: string | null; items: GradeItem[] }
  /** Checks declared cases; one answer for each, `""` when nothing is wrong with it. */
  | { task: 'check'; items: { expect: string; input: string }[] }
  /** Lists the cases of a module, in one answer. */
  | { task: 'list'; script: string };

export const gradeSchema = z.strictObject({ passed: z.boolean(), message: z.string() });

/** A case that a module lists: as authored in JSON, but the expectation may be a predicate. */
export const listedCaseSchema = caseSchema.extend({ expect: sealedExpectationSchema });

export const listingSchema = z.union([
  z.strictObject({ problem: z.string() }),
  z.strictObject({ cases: z.array(z.unknown()), limits: z.unknown().optional() }),
]);
