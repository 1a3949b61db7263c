/** One question asked of the database: what the expiry of cases since has left of the revisions that a verdict was decided on. */
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Database } from '../migrations/open-database.ts';
import { rowsOf } from '../migrations/rows-of.ts';
import type { RevisionName } from '../suites/revisions.ts';
import type { Lapse } from './decide.ts';

const lapsesSchema = z.array(
  z.object({
    suite: z.string(),
    before: z.number(),
    after: z.number(),
    spent: z.boolean(),
    until: z.number().nullable(),
  }),
);

/** What holds of a revision until its next case expires, in milliseconds since the epoch. */
export type LapseUntil = Lapse & { untilMs: number };

/** Of each revision, how many cases were in force at one moment and are at another, and whether one is then that proves anything. */
export async function findLapses(
  database: Database,
  revisions: RevisionName[],
  { from, to }: { from: Date; to: Date },
): Promise<LapseUntil[]> {
  if (revisions.length === 0) return [];
  const inForce = (at: Date) =>
    sql`(count(*) FILTER (WHERE own.expires_at IS NULL OR own.expires_at > ${at.toISOString()}::timestamptz))::int`;
  const later = sql`${to.toISOString()}::timestamptz`;
  const rows = await database.execute(sql`
    SELECT suite, ${inForce(from)} AS before, ${inForce(to)} AS after,
      coalesce(revisions.spent_at <= ${later}, false) AS spent,
      (extract(epoch FROM least(
        min(own.expires_at) FILTER (WHERE own.expires_at > ${later}),
        CASE WHEN revisions.spent_at > ${later} THEN revisions.spent_at END
      )) * 1000)::double precision AS until
    FROM jsonb_to_recordset(${JSON.stringify(revisions)}::jsonb) AS wanted (suite text, revision int)
    JOIN revision_cases AS own USING (suite, revision)
    JOIN revisions USING (suite) WHERE revisions.number = wanted.revision
    GROUP BY suite, wanted.revision, revisions.spent_at`);
  return lapsesSchema.parse(rowsOf(rows)).map(({ spent, until, ...lapse }) => ({
    ...lapse,
    isSpent: spent,
    untilMs: until ?? Number.POSITIVE_INFINITY,
  }));
}
