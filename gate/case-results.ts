/** How the cases of one score ended, as they are kept: by months, so that those of old ones may be gone. */
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Database } from '../migrations/open-database.ts';
import { rowsOf } from '../migrations/rows-of.ts';
import { outcomes } from '../runners/protocol.ts';
import { GateError } from './errors.ts';
import type { AttemptRecord } from './history.ts';

const resultsSchema = z.array(
  z.object({
    suite: z.string(),
    revision: z.number(),
    position: z.number(),
    outcome: z.enum(outcomes),
    passed: z.boolean(),
    durationMs: z.number(),
  }),
);
export type KeptResult = z.infer<typeof resultsSchema>[number];

const ranSchema = z.array(
  z.object({ id: z.uuid(), month: z.string(), cases: z.number(), isKept: z.boolean() }),
);

/**
 * The results of a score in some suites, by suite and position, and the score that ran them: a repetition ran nothing itself. Throws
 * `results_not_kept` where they were dropped since.
 */
export async function findCaseResults(
  database: Database,
  score: AttemptRecord,
  page: { suites: string[]; after: number; limit: number },
): Promise<{ ranIn: string | null; results: KeptResult[] }> {
  const of = sql`suite = ANY (ARRAY(SELECT jsonb_array_elements_text(${JSON.stringify(page.suites)}::jsonb)))`;
  const found = await database.execute(sql`
    WITH RECURSIVE repeated AS (
      SELECT score_id, repeats FROM verdicts WHERE score_id = ${score.id}::uuid
      UNION ALL
      SELECT verdicts.score_id, verdicts.repeats FROM repeated JOIN verdicts ON verdicts.score_id = repeated.repeats
    )
    SELECT scores.id, to_char(scores.requested_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, ran.cases,
      EXISTS (SELECT FROM case_results WHERE score_id = scores.id AND at = scores.requested_at) AS "isKept"
    FROM repeated JOIN scores ON scores.id = repeated.score_id,
      LATERAL (SELECT coalesce(sum(total), 0)::int AS cases FROM suite_results WHERE score_id = scores.id) AS ran
    WHERE repeated.repeats IS NULL`);
  const [ran] = ranSchema.parse(rowsOf(found));
  if (ran === undefined || ran.cases === 0) return { ranIn: null, results: [] };
  if (!ran.isKept) {
    throw new GateError(
      'results_not_kept',
      `how the cases of ${ran.month} ended is no longer kept; the verdict and its counts are`,
    );
  }
  const rows = await database.execute(sql`
    SELECT suite, revision, position, outcome, passed, duration_ms AS "durationMs"
    FROM case_results
    WHERE score_id = ${ran.id}::uuid AND at = (SELECT requested_at FROM scores WHERE id = ${ran.id}::uuid) AND ${of}
    ORDER BY suite, position LIMIT ${page.limit} OFFSET ${page.after}`);
  return { ranIn: ran.id, results: resultsSchema.parse(rowsOf(rows)) };
}
