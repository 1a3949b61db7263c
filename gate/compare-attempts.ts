/** Attempts of one change beside each other: which cases came out otherwise in one than in another. */
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Database } from '../migrations/open-database.ts';
import { rowsOf } from '../migrations/rows-of.ts';
import { outcomes } from '../runners/protocol.ts';

/** So many cases are compared at most: whoever changes more of them at once need not see each. */
export const changedCasesMax = 100;

const endedSchema = z.object({
  score: z.uuid(),
  suite: z.string(),
  revision: z.number(),
  position: z.number(),
  digest: z.string(),
  outcome: z.enum(outcomes),
  passed: z.boolean(),
});
type Ended = z.infer<typeof endedSchema>;

/** A case that came out otherwise in one attempt than in another, by its place in the newest revision that was compared. */
export type ChangedCase = {
  suite: string;
  revision: number;
  position: number;
  /** How it ended, by the ids of the scores; those that did not ask it are missing. */
  ends: Map<string, Pick<Ended, 'outcome' | 'passed'>>;
};

/**
 * The cases that changed between scores, one more than `changedCasesMax` where there are more. It is for the caller to compare only
 * what its reader may know of: `suites` are those that they are limited to, null for all. A case is the same in two revisions as long
 * as it is not changed. A score that repeats a verdict has the results of the one that it repeats.
 */
export async function findChangedCases(
  database: Database,
  scores: string[],
  suites: string[] | null,
): Promise<ChangedCase[]> {
  if (scores.length < 2) return [];
  const ofTheirs =
    suites === null
      ? sql`true`
      : sql`results.suite IN (SELECT jsonb_array_elements_text(${JSON.stringify(suites)}::jsonb))`;
  const rows = await database.execute(sql`
    WITH RECURSIVE way AS (
      SELECT id AS score, id AS ran
      FROM (SELECT jsonb_array_elements_text(${JSON.stringify(scores)}::jsonb)::uuid AS id) AS asked
      UNION ALL
      SELECT way.score, verdicts.repeats FROM way JOIN verdicts ON verdicts.score_id = way.ran
      WHERE verdicts.repeats IS NOT NULL
    ),
    ended AS (
      SELECT way.score, results.suite, results.revision, results.position, own.case_digest AS digest,
        results.outcome, results.passed
      FROM way
      JOIN scores ON scores.id = way.ran
      JOIN case_results AS results ON results.score_id = way.ran AND results.at = scores.requested_at
      JOIN revision_cases AS own
        ON own.suite = results.suite AND own.revision = results.revision AND own.position = results.position
      WHERE ${ofTheirs}
    ),
    changed AS (
      SELECT suite, digest FROM ended GROUP BY suite, digest
      HAVING count(DISTINCT (outcome, passed)) > 1
      ORDER BY suite, min(position), digest LIMIT ${changedCasesMax + 1}
    )
    SELECT ended.* FROM ended JOIN changed USING (suite, digest) ORDER BY ended.suite, ended.position, ended.digest`);
  const ofCases = Map.groupBy(
    z.array(endedSchema).parse(rowsOf(rows)),
    ({ suite, digest }) => `${suite} ${digest}`,
  );
  return [...ofCases.values()].flatMap(gather);
}

function gather(ends: Ended[]): ChangedCase[] {
  const [newest] = ends.toSorted((one, other) => other.revision - one.revision);
  if (newest === undefined) return [];
  const { suite, revision, position } = newest;
  return [{ suite, revision, position, ends: new Map(ends.map((end) => [end.score, end])) }];
}
