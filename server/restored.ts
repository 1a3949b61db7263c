/** What `server/restore-main.ts` prints: what a restored database holds, or why none was restored. */
import { z } from 'zod';
import { backupSchema } from '../migrations/journal/backup-file.ts';

export const restoredSchema = backupSchema.extend({
  /** The kind of database that it was restored into, and how much is in it. */
  into: z.enum(['pglite', 'postgresql']),
  rows: z.int().nonnegative(),
  scores: z.int().nonnegative(),
  verdicts: z.int().nonnegative(),
  suites: z.int().nonnegative(),
  gates: z.int().nonnegative(),
});
export type Restored = z.infer<typeof restoredSchema>;

export const restoreReportSchema = z.union([
  z.strictObject({ restored: restoredSchema }),
  z.strictObject({ refused: z.strictObject({ code: z.string(), message: z.string() }) }),
]);
export type RestoreReport = z.infer<typeof restoreReportSchema>;
