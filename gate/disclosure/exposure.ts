/**
 * The exposure ledger: how much, in bits, disclosed verdicts may have taught about each case. A score charges every case of the
 * revisions it used. A case is known by a keyed digest of its content, so a renamed or copied suite inherits what was spent,
 * and only fresh cases begin at nothing.
 */
import { type SQL, sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Database } from '../../migrations/open-database.ts';
import { rowsOf } from '../../migrations/rows-of.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import type { ScoreRecord } from '../history.ts';
import { findSharers, keyOf, revisionCount } from './sharers.ts';

/** How much was spent on a revision: the bits of the case of it that was charged most. */
export type Exposure = RevisionName & { bits: number };

/** No charge has a number after it. */
const latest = '9223372036854775807';

const spentSchema = z.tuple([
  z.object({
    count: z.number(),
    spent: z.array(z.tuple([z.string(), z.number(), z.number()])).nullable(),
    cases: z.array(z.tuple([z.string(), z.number(), z.number()])).nullable(),
  }),
]);
const countsSchema = z.array(z.object({ count: z.coerce.number() }));

/** What was spent on each of the given revisions, by every gate, whoever asked. `root` is the database of a transaction. */
export async function findExposures(on: Database, revisions: RevisionName[], root = on): Promise<Exposure[]> {
  if (revisions.length === 0) return [];
  const { spent } = await findSpent(on, root, revisions);
  return revisions.map(({ suite, revision }, index) => ({ suite, revision, bits: mostOf(spent[index]) }));
}

/**
 * What a score stood on: what was spent on each of the given revisions by it and those that were decided before it (of one that was not
 * charged itself, by all until now), and how many cases of each were in
 * force when it was requested and can prove something, which is all but the tripwires. Of which tripwires had expired by then nothing is
 * known outside the seal, so that it may be fewer than there were, never more.
 */
export async function findGrounds(
  database: Database,
  revisions: RevisionName[],
  { id, requestedAt }: ScoreRecord,
): Promise<(Exposure & { cases: number })[]> {
  if (revisions.length === 0) return [];
  const { spent, cases } = await findSpent(database, database, revisions, {
    which: sql`sequence <= coalesce((SELECT max(sequence) FROM charges WHERE score_id = ${id}), ${latest}::bigint)`,
    cases: sql`
      SELECT json_agg(json_build_array(wanted.suite, wanted.revision, greatest(0, revisions.case_count - revisions.tripwires - (
        SELECT count(*) FROM revision_cases AS own
        WHERE own.suite = wanted.suite AND own.revision = wanted.revision
          AND own.expires_at <= ${requestedAt.toISOString()}::timestamptz
      ))::int))
      FROM ${recordset(revisions)} AS wanted (suite text, revision int)
      JOIN revisions ON revisions.suite = wanted.suite AND revisions.number = wanted.revision`,
  });
  return revisions.flatMap(({ suite, revision }, index) => {
    const [, , count] = cases.find(([of, number]) => of === suite && number === revision) ?? [];
    return count === undefined ? [] : [{ suite, revision, bits: mostOf(spent[index]), cases: count }];
  });
}

/** What was spent on each case of a revision, by its identity. */
export async function findCaseExposures(
  database: Database,
  name: RevisionName,
): Promise<Map<string, number>> {
  const { spent } = await findSpent(database, database, [name]);
  return new Map(
    (spent[0] ?? []).flatMap(({ bits, digests }) =>
      digests.map((digest): [string, number] => [digest, bits]),
    ),
  );
}

/** Cases on which the same was spent. */
type SpentOnCases = { bits: number; digests: string[] };

type Asked = {
  /** Which charges count; without it all do. */
  which?: SQL;
  /** What else is asked at the same moment: a JSON array of suites, revisions and numbers. */
  cases?: SQL;
};

/** For each of the given revisions, what was spent on its cases. Each charge says what its revision was charged in all. */
async function findSpent(
  on: Database,
  root: Database,
  names: RevisionName[],
  { which = sql`true`, cases = sql`SELECT NULL::json` }: Asked = {},
): Promise<{ spent: SpentOnCases[][]; cases: [string, number, number][] }> {
  for (let count = 0; ; ) {
    const { sharers, count: known } = await findSharers(on, root, names, count);
    const charged = sharers.flatMap(({ revisions }) => revisions);
    const rows = await on.execute(sql`
      SELECT ${revisionCount} AS count, (${cases}) AS cases, (
        SELECT json_agg(json_build_array(charged.suite, charged.revision, newest.spent))
        FROM ${recordset(charged)} AS charged (suite text, revision int), LATERAL (
          SELECT charges.spent FROM charges
          WHERE charges.suite = charged.suite AND charges.revision = charged.revision AND ${which}
          ORDER BY charges.sequence DESC LIMIT 1
        ) AS newest
      ) AS spent`);
    const [answer] = spentSchema.parse(rowsOf(rows));
    const bitsOf = new Map(
      answer.spent?.map(([suite, revision, bits]) => [keyOf({ suite, revision }), bits]),
    );
    const spent = sharers.map(({ revisions, groups }) => {
      const bits = revisions.map((name) => bitsOf.get(keyOf(name)) ?? 0);
      return groups.map(({ holders, digests }) => ({
        bits: holders.reduce((sum, holder) => sum + (bits[holder] ?? 0), 0),
        digests,
      }));
    });
    // Nothing is known of a revision that has come since sharers were read.
    if (answer.count <= known) return { spent, cases: answer.cases ?? [] };
    count = answer.count;
  }
}

function mostOf(spent: SpentOnCases[] | undefined): number {
  return (spent ?? []).reduce((most, { bits }) => Math.max(most, bits), 0);
}

/**
 * How many other candidates of the same change of the same repository were tried at the gate before this attempt. With
 * `revisions`, only such as still run, or were charged for a case of these.
 */
export async function countEarlierCandidates(
  database: Database,
  score: ScoreRecord,
  revisions?: RevisionName[],
): Promise<number> {
  const { id: change, repository } = score.change;
  const relevant =
    revisions === undefined
      ? sql``
      : sql`AND (
          EXISTS (
            SELECT FROM charges WHERE charges.score_id = scores.id
              AND (charges.suite, charges.revision) IN (SELECT suite, revision FROM shared)
          )
          OR (scores.deadline_at > now() AND NOT EXISTS (SELECT FROM verdicts WHERE verdicts.score_id = scores.id))
        )`;
  const shared = revisions === undefined ? sql`` : sql`WITH shared AS (${sharersOf(revisions)})`;
  const rows = await database.execute(sql`
    ${shared}
    SELECT count(DISTINCT candidate) AS count FROM scores
    WHERE gate = ${score.gate} AND change_id = ${change} AND repository IS NOT DISTINCT FROM ${repository ?? null}
      AND sequence < ${score.sequence} AND candidate <> ${score.candidate} ${relevant}`);
  return countsSchema.parse(rowsOf(rows))[0]?.count ?? 0;
}

/**
 * How many other candidates, of whichever change at whichever gate, were accepted before this attempt, are not decided yet, and
 * are for suites that share a case with the given revisions.
 */
export async function countUndecided(
  database: Database,
  { gate, candidate, sequence }: ScoreRecord,
  revisions: RevisionName[],
): Promise<number> {
  const rows = await database.execute(sql`
    WITH shared AS (${sharersOf(revisions)})
    SELECT count(DISTINCT (scores.gate, scores.candidate)) AS count
    FROM scores JOIN gate_policies AS policy ON policy.gate = scores.gate AND policy.version = scores.policy_version
    WHERE scores.sequence < ${sequence} AND scores.deadline_at > now()
      -- What came before an attempt whose time is over is over too; so no more than the last hours are looked at.
      AND scores.sequence > coalesce((SELECT max(sequence) FROM scores WHERE deadline_at <= now()), 0)
      AND (scores.gate, scores.candidate) <> (${gate}, ${candidate})
      AND NOT EXISTS (SELECT FROM verdicts WHERE verdicts.score_id = scores.id)
      AND EXISTS (SELECT FROM shared WHERE shared.suite = ANY (policy.suites))`);
  return countsSchema.parse(rowsOf(rows))[0]?.count ?? 0;
}

/** Every revision that has a case of the given ones, themselves too, for whoever asks this alone, and seldom. */
function sharersOf(revisions: RevisionName[]): SQL {
  return sql`
    SELECT DISTINCT suite, revision FROM revision_cases
    WHERE case_digest = ANY (ARRAY(
      SELECT mine.case_digest FROM ${recordset(revisions)} AS wanted (suite text, revision int)
      JOIN revision_cases AS mine USING (suite, revision)
    ))`;
}

function recordset(revisions: RevisionName[]): SQL {
  return sql`jsonb_to_recordset(${JSON.stringify(revisions)}::jsonb)`;
}
