/**
 * A mutant is a build with one small change, such as `<` for `<=`. All mutants of a build are in one instrumented text; which of
 * them is active is said when it is run. What is here crosses the border of a process, and is parsed on arrival.
 */
import { z } from 'zod';
import type { CaseRun } from '../case-run.ts';

/** Counted from 0, as the instrumenter does. */
const positionSchema = z.strictObject({ line: z.int().nonnegative(), column: z.int().nonnegative() });

/** One mutant of a build: in the text from `start` to before `end` it has `replacement`. */
export const mutantSchema = z.strictObject({
  /** What the instrumented text calls it. */
  id: z.string().regex(/^\d{1,9}$/),
  /** Which kind of change it is, for example `EqualityOperator`. */
  mutator: z.string().max(100),
  start: positionSchema,
  end: positionSchema,
  replacement: z.string(),
});
export type Mutant = z.infer<typeof mutantSchema>;

/** What the instrumenter's process answers: all mutants with the text that holds them, or why the text has none. */
export const instrumentedSchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), text: z.string(), mutants: z.array(mutantSchema) }),
  z.strictObject({ ok: z.literal(false), detail: z.string() }),
]);
export type Instrumented = z.infer<typeof instrumentedSchema>;

/**
 * One run that a mutant is to be put through: its position, how often the mutated place may be passed in it, and how much
 * processor time it may take, in milliseconds.
 */
export type PlannedRun = { run: number; hitsMax: number; msMax: number };

/**
 * What a host that runs mutants is told. A host may get several jobs, all with the same build, which is one stranger.
 * Answers: to `cover` one for each run, to `mutate` one for each planned run of each mutant, in sequence.
 */
export type MutantJob = {
  /** The instrumented build as the body of a CommonJS function. */
  script: string;
  runs: CaseRun[];
  seed: number;
  /** The time zone of the runs, which is one for all of them, where any run of the build has one. The host enters it first. */
  zone?: string;
  isolateMb: number;
  outputBytes: number;
} & (
  | {
      task: 'cover';
      /** The positions of the runs to be made. */
      cover: number[];
      /** The mutants that anybody asks about. */
      ids: string[];
    }
  | {
      task: 'mutate';
      mutants: { id: string; runs: PlannedRun[] }[];
      /** What the build itself was observed to do in each run, as `digestOfObservation` tells it. */
      baseline: string[];
      /** Whether the first run of a mutant that shows a difference is its last. */
      stopsAtDifference: boolean;
      /** After so many runs of a mutant that had to be interrupted, the others are not made. */
      stopsMax: number;
    }
);

/** The same was observed as of the build itself. */
export const sameAnswer = '=';
/** The run was not made, because of what came of earlier ones of the same mutant. */
export const skippedAnswer = '-';
