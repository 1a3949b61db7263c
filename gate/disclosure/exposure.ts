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

/** How much was spent on a revision: the bits of the case of it that was charged most. */
export type Exposure = RevisionName & { bits: number };

/** No charge has a number after it. */
const latest = '9223372036854775807';

const exposuresSchema = z.array(z.object({ suite: z.string(), revision: z.number(), bits: z.number() }));
const groundsSchema = z.array(
  z.object({ suite: z.string(), revision: z.number(), bits: z.number(), cases: z.number() }),
);
const caseExposuresSchema = z.array(z.object({ caseDigest: z.string(), bits: z.number() }));
const countsSchema = z.array(z.object({ count: z.coerce.number() }));

/** What was spent on each of the given revisions, by every gate, whoever asked. */
export async function findExposures(database: Database, revisions: RevisionName[]): Promise<Exposure[]> {
  const rows = await database.execute(sql`
    WITH ${spentOn(revisions, sql`true`)}
    SELECT suite, revision, bits FROM spent`);
  const spent = exposuresSchema.parse(rowsOf(rows));
  return revisions.map(({ suite, revision }) => ({
    suite,
    revision,
    bits: spent.find((one) => one.suite === suite && one.revision === revision)?.bits ?? 0,
  }));
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
  const upToIt = sql`sequence <= coalesce((SELECT max(sequence) FROM charges WHERE score_id = ${id}), ${latest}::bigint)`;
  const rows = await database.execute(sql`
    WITH ${spentOn(revisions, upToIt)}
    SELECT wanted.suite, wanted.revision, coalesce(spent.bits, 0) AS bits,
      greatest(0, revisions.case_count - revisions.tripwires - (
        SELECT count(*) FROM revision_cases AS own
        WHERE own.suite = wanted.suite AND own.revision = wanted.revision
          AND own.expires_at <= ${requestedAt.toISOString()}::timestamptz
      ))::int AS cases
    FROM ${wanted(revisions)}
    JOIN revisions ON revisions.suite = wanted.suite AND revisions.number = wanted.revision
    LEFT JOIN spent ON spent.suite = wanted.suite AND spent.revision = wanted.revision`);
  const found = groundsSchema.parse(rowsOf(rows));
  return revisions.flatMap(({ suite, revision }) =>
    found.filter((one) => one.suite === suite && one.revision === revision),
  );
}

/** `spent`: the bits of the case of each of the given revisions that was charged most. `which` says up to which charges. */
function spentOn(revisions: RevisionName[], which: SQL): SQL {
  return sql`
    shared AS (${casesSharedWith(revisions)}),
    totals AS MATERIALIZED (
      SELECT charged.suite, charged.revision, newest.spent AS bits
      FROM (SELECT DISTINCT suite, revision FROM shared) AS charged,
      -- Each charge says what its revision was charged in all; looked up once for each, however many cases are shared.
      LATERAL (
        SELECT charges.spent FROM charges
        WHERE charges.suite = charged.suite AND charges.revision = charged.revision AND ${which}
        ORDER BY charges.sequence DESC LIMIT 1
      ) AS newest
    ),
    spent AS (
      SELECT of_suite AS suite, of_revision AS revision, max(bits)::double precision AS bits
      FROM (
        SELECT of_suite, of_revision, case_digest, sum(totals.bits) AS bits
        FROM shared JOIN totals USING (suite, revision)
        GROUP BY of_suite, of_revision, case_digest
      ) AS of_cases
      GROUP BY of_suite, of_revision
    )`;
}

/** What was spent on each case of a revision, by its identity; a case that is missing has told nothing. */
export async function findCaseExposures(
  database: Database,
  name: RevisionName,
): Promise<Map<string, number>> {
  const rows = await database.execute(sql`
    WITH ${spentOn([name], sql`true`)}
    SELECT case_digest AS "caseDigest", sum(totals.bits)::double precision AS bits
    FROM shared JOIN totals USING (suite, revision)
    GROUP BY case_digest`);
  return new Map(caseExposuresSchema.parse(rowsOf(rows)).map(({ caseDigest, bits }) => [caseDigest, bits]));
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
  const shared = revisions === undefined ? sql`` : sql`WITH shared AS (${casesSharedWith(revisions)})`;
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
    WITH shared AS (${casesSharedWith(revisions)})
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

/** Each case of the given revisions with every revision that has it too. */
function casesSharedWith(revisions: RevisionName[]): SQL {
  return sql`
    SELECT DISTINCT mine.suite AS of_suite, mine.revision AS of_revision, mine.case_digest, theirs.suite, theirs.revision
    FROM ${wanted(revisions)}
    JOIN revision_cases AS mine USING (suite, revision)
    JOIN revision_cases AS theirs ON theirs.case_digest = mine.case_digest`;
}

function wanted(revisions: RevisionName[]): SQL {
  return sql`jsonb_to_recordset(${JSON.stringify(revisions)}::jsonb) AS wanted (suite text, revision int)`;
}
