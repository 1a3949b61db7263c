/**
 * What the nursery tells the service of a program: each of its pipes, that it is started, and later that it ended. The nursery has the
 * type alone: a schema that it never asks would be half of what it takes to start it.
 */
import { z } from 'zod';

export const newsSchema = z.union([
  z.strictObject({ id: z.int(), pid: z.int().positive() }),
  /** With it comes a pipe. */
  z.strictObject({ id: z.int(), fd: z.int() }),
  /** Its exit code; null where a signal ended it. */
  z.strictObject({ id: z.int(), exited: z.int().nullable() }),
  z.strictObject({ id: z.int(), failed: z.string() }),
]);
export type News = z.infer<typeof newsSchema>;
