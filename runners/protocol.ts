/**
 * All that crosses the border of a runner, in both directions, and the limits that hold there.
 * What arrives from a host was written beside hostile code, so it is parsed again on arrival.
 */
import { z } from 'zod';
import type { CaseRun } from './case-run.ts';

/** Bounds on what one candidate may use. Times are the candidate's own: waiting for a core does not count. */
export const limitsSchema = z.strictObject({
  caseMs: z.int().min(50).max(60_000).default(2_000).describe('Time of one case, in milliseconds.'),
  scoreMs: z.int().min(100).max(3_600_000).default(120_000).describe('Time of one score, in milliseconds.'),
  isolateMb: z.int().min(16).max(1_024).default(128).describe('Heap of one isolate, in MiB.'),
  hostMb: z.int().min(192).max(4_096).default(512).describe('Resident memory of one host, in MiB.'),
  outputBytes: z
    .int()
    .min(64)
    .max(1 << 20)
    .default(64 << 10)
    .describe('Size of one encoded output, in bytes.'),
});
export type Limits = z.infer<typeof limitsSchema>;

/** The largest candidate that is accepted, in bytes. */
export const candidateBytesMax = 16 << 20;

/**
 * How one case ended in the runner. `value` is carried JSON text (see `realm/value.ts`): it was written beside hostile
 * code, and is read in the grader alone.
 */
export const observationSchema = z.discriminatedUnion('outcome', [
  z.strictObject({ outcome: z.literal('returned'), value: z.string() }),
  z.strictObject({
    outcome: z.literal('threw'),
    error: z.strictObject({ name: z.string(), message: z.string() }),
  }),
  z.strictObject({ outcome: z.literal('timed_out'), detail: z.string().max(2_000).optional() }),
  z.strictObject({ outcome: z.literal('out_of_memory'), detail: z.string().max(2_000).optional() }),
  z.strictObject({ outcome: z.literal('output_rejected'), detail: z.string().max(2_000).optional() }),
  z.strictObject({ outcome: z.literal('crashed'), detail: z.string().max(2_000).optional() }),
  z.strictObject({ outcome: z.literal('not_run'), detail: z.string().max(2_000).optional() }),
]);
export type Observation = z.infer<typeof observationSchema>;

export const outcomes = [
  'returned',
  'threw',
  'timed_out',
  'out_of_memory',
  'output_rejected',
  'crashed',
  'not_run',
] as const satisfies Observation['outcome'][];

/** An observation and how long it took, in milliseconds; of a case that is timed, the processor time as well. */
export type ObservedCase = { observation: Observation; durationMs: number; cpuMs?: number };

/** What a host that runs a candidate is told: the build, the runs, and what bounds them. */
export type CandidateJob = {
  /** The candidate as the body of a CommonJS function. */
  script: string;
  runs: CaseRun[];
  /** The time zone of the runs, as the engine calls it, if it is not UTC. The host enters it before anything else. */
  zone?: string;
  /** Seeds Math.random and crypto in the realms. */
  seed: number;
  isolateMb: number;
  outputBytes: number;
};

/** More runs of the job that the host has: it goes on with them when it is through with those before, and counts on. */
export type MoreRuns = { more: CaseRun[] };
