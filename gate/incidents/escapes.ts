/** How many bugs are known to have got past a gate, over time, and out of how many that it let merge: one question to the database. */

import { sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Database } from '../../migrations/open-database.ts';
import { rowsOf } from '../../migrations/rows-of.ts';
import { publishedFrom } from '../history.ts';
import type { Escapes } from './incident.ts';

const rowsSchema = z.array(
  z.object({
    start: z.string(),
    merged: z.coerce.number(),
    escaped: z.coerce.number(),
    recorded: z.coerce.number(),
  }),
);

/**
 * What became green in each bucket, and of how much of that a bug is known by now, whenever it was recorded. A commit and build that was
 * scored again counts once, in the bucket in which it was green first; of late greens, most bugs are not known yet. What people
 * overrode was no green, and is among `recorded` alone. With `slotMs` a verdict counts at the end of its slot and from then on: when it
 * was decided tells of every case that was run.
 */
export async function countEscapes(
  database: Database,
  gate: string,
  asked: { from: Date; to: Date; bucket: Escapes['bucket']; slotMs: number | undefined },
): Promise<Escapes['buckets']> {
  const { from, to, bucket, slotMs } = asked;
  const now = sql`${new Date().toISOString()}::timestamptz`;
  const isKnown = slotMs === undefined ? sql`true` : sql`${publishedFrom(slotMs)} <= ${now}`;
  const [start, end] = [sql`${from.toISOString()}::timestamptz`, sql`${to.toISOString()}::timestamptz`];
  const rows = await database.execute(sql`
    WITH greens AS (
      SELECT scores.change_id, scores.repository, scores.commit, scores.candidate, min(${publishedFrom(slotMs ?? 0)}) AS at,
        bool_or(EXISTS (SELECT FROM incidents WHERE incidents.score_id = scores.id)) AS escaped
      FROM scores JOIN verdicts ON verdicts.score_id = scores.id
      WHERE scores.gate = ${gate} AND verdicts.verdict = 'merge' AND ${isKnown}
      GROUP BY scores.change_id, scores.repository, scores.commit, scores.candidate
    ),
    counted AS (
      SELECT at, 1 AS merged, escaped::int AS escaped, 0 AS recorded FROM greens
      UNION ALL
      SELECT recorded_at, 0, 0, 1 FROM incidents WHERE gate = ${gate}
    )
    SELECT to_char(date_trunc(${bucket}, at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T00:00:00.000Z"') AS start,
      sum(merged)::int AS merged, sum(escaped)::int AS escaped, sum(recorded)::int AS recorded
    FROM counted WHERE at >= ${start} AND at < ${end}
    GROUP BY 1 ORDER BY 1`);
  return rowsSchema.parse(rowsOf(rows)).map(({ start: begins, ...counts }) => ({ from: begins, ...counts }));
}
