/**
 * How far a score has come. Scoring writes it down in passing and tells nobody; whoever follows the score looks. So being followed
 * costs a score nothing, and not being followed less.
 */
import { z } from 'zod';

/** Written by the score alone, in place. */
export type Progress = {
  stage: 'preparing' | 'running' | 'grading';
  /** The suite that is being scored, `''` before the first. */
  suite: string;
  /** Of its trials, how many there are, and how many have ended. */
  trials: number;
  observed: number;
};

export function newProgress(): Progress {
  return { stage: 'preparing', suite: '', trials: 0, observed: 0 };
}

const count = z.int().nonnegative();

/** What a reader is told of a score that has no verdict yet. */
export const scoreStateSchema = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('waiting'), place: z.int().positive().describe('1 is the next.') }),
  /** What comes before a run, or a run in a process that is not this one. */
  z.strictObject({ state: z.literal('preparing') }),
  z.strictObject({ state: z.literal('running'), suite: z.string(), observed: count, trials: count }),
  z.strictObject({ state: z.literal('grading'), suite: z.string() }),
]);
export type ScoreState = z.infer<typeof scoreStateSchema>;

/** The state of a score from its progress, if it runs in this process, or from how many come before it, if it waits. */
export function stateOf(progress: Progress | undefined, ahead: number | undefined): ScoreState {
  if (progress === undefined) {
    return ahead === undefined ? { state: 'preparing' } : { state: 'waiting', place: ahead + 1 };
  }
  const { stage, suite, observed, trials } = progress;
  if (stage === 'running') return { state: stage, suite, observed, trials };
  return stage === 'grading' ? { state: stage, suite } : { state: 'preparing' };
}
