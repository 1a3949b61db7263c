/**
 * What has happened to scores in this process, told to whoever watches it: the log and the metrics. Nothing is told of cases, of inputs
 * or of builds, so that nobody has to be careful with it.
 */
import { EventEmitter } from 'node:events';

/** An attempt that was written down. */
export type Accepted = { score: string; gate: string; change: string; candidate: string };

/** A verdict that was appended. */
export type Decided = {
  score: string;
  gate: string;
  verdict: 'merge' | 'block';
  reason: string;
  /** Whether it is an earlier one again, for which nothing was run. */
  repeats: boolean;
  /** How long it was worked on, in milliseconds. */
  durationMs: number;
};

type Happenings = {
  accepted: [Accepted];
  /** A score has got its turn, so long after it was requested. */
  begun: [{ score: string; waitedMs: number }];
  decided: [Decided];
  /** Something of ours failed while a score was made; the code says what. */
  failed: [{ score: string; code: string }];
  /** The grader has answered about so many trials. */
  graded: [{ trials: number; durationMs: number }];
};

/** Hearers must not throw, and are told at once. */
export const happened = new EventEmitter<Happenings>();
