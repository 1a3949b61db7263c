/**
 * What the service and its nursery tell each other: which program to start, with each of its pipes that it is one, that the service has them
 * all, so that the nursery has let go of them, and then that it is started, and later that it ended.
 */
import { z } from 'zod';

/** A program with its arguments and all of its environment. */
export type Birth = {
  id: number;
  command: [string, ...string[]];
  environment: Record<string, string>;
  /** What its file descriptors are, from 0 on. */
  stdio: ['pipe', ...('pipe' | 'ignore')[]];
};

/** The nursery's end of a pipe on which nothing is said, and which closes when the service ends. */
export const lifelineFd = 4;

/** The service has all pipes of a program, or wants it no more because it does not get them. */
export type Reply = { taken: number } | { abandoned: number };

export const newsSchema = z.union([
  z.strictObject({ id: z.int(), pid: z.int().positive() }),
  /** With it comes a pipe. */
  z.strictObject({ id: z.int(), fd: z.int() }),
  /** Its exit code; null where a signal ended it. */
  z.strictObject({ id: z.int(), exited: z.int().nullable() }),
  z.strictObject({ id: z.int(), failed: z.string() }),
]);
export type News = z.infer<typeof newsSchema>;
