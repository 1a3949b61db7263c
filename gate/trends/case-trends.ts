/**
 * What the cases of a suite did over time: which are flaky, and which never fail and so may prove little. A case is known by the keyed
 * digest of its content, so that its record goes on from revision to revision for as long as it does not change.
 */
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import { rowsOf } from '../../migrations/rows-of.ts';
import { activeOf } from '../../suites/life/change-revisions.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import { instantOf, isPublishedBy } from './heard.ts';
import {
  type CaseTrend,
  type CaseTrends,
  type CaseTrendsQuestion,
  neverFailingRunsMin,
  trendCasesMax,
} from './trend.ts';
import { periodOf } from './trend-period.ts';

export type CaseTrendsParts = {
  database: Database;
  /** The contents of a revision, in clear text. */
  open: (name: RevisionName) => Promise<Pick<SuiteContents, 'cases'>>;
};

export type CaseTrendsReader = {
  /** As whom they read what cases are called; undefined if they may not. */
  names: { tokenId: string } | undefined;
  /** The gates whose attempts they may know of; null for all. */
  gates: string[] | null;
  /** The length of the slots at whose ends they hear of verdicts, in milliseconds; undefined if they hear of them at once. */
  slotMs: number | undefined;
};

/** No verdict is published later than this after its attempt, in milliseconds. */
const publishedMsMax = 86_400_000;

/**
 * What the cases did that are in force now in the active revision. Who is told their names is recorded in the audit first. Throws
 * `revision_not_found`, `seal_broken`, and `trend_unfit` for an empty period.
 */
export async function findCaseTrends(
  { database, open }: CaseTrendsParts,
  question: CaseTrendsQuestion,
  reader: CaseTrendsReader,
  now: Date,
): Promise<CaseTrends> {
  const { suite } = question;
  const revision = await activeOf({ database }, suite);
  // A month has few enough buckets, whatever the period.
  const { from, to } = periodOf({ ...question, bucket: 'month' }, now);
  const until =
    reader.slotMs === undefined ? to : await findKnownUntil(database, suite, to, reader.slotMs, now);
  const cases = await findCases(database, { suite, revision }, { from, to: until, now }, reader.gates);
  const contents = await open({ suite, revision });
  if (reader.names !== undefined) {
    // Nobody gets the names before it is recorded that they did.
    const { tokenId: by } = reader.names;
    await appendAudit(database, { by, action: 'revision.read', about: { suite, revision } });
  }
  const told = ({ position, runs, failures }: CaseRow): CaseTrend => {
    const called = reader.names === undefined ? undefined : contents.cases[position]?.name;
    return { position, ...(called === undefined ? {} : { name: called }), runs, failures };
  };
  const flaky = cases
    .flatMap((row) => (row.lastAt === null ? [] : [{ ...row, lastAt: row.lastAt }]))
    // Each score asks a generated case for other inputs: that it came out otherwise says nothing of the case.
    .filter(({ position }) => contents.cases[position]?.generate === undefined)
    .toSorted((one, other) => other.flips - one.flips || one.position - other.position);
  const neverFailing = cases
    .filter(({ runs, failures }) => failures === 0 && runs >= neverFailingRunsMin)
    .toSorted((one, other) => other.runs - one.runs || one.position - other.position);
  return {
    suite,
    revision,
    from: from.toISOString(),
    to: to.toISOString(),
    cases: cases.length,
    flaky: flaky
      .slice(0, trendCasesMax)
      .map((row) => ({ ...told(row), flips: row.flips, lastAt: new Date(row.lastAt).toISOString() })),
    flakyCount: flaky.length,
    neverFailing: neverFailing.slice(0, trendCasesMax).map(told),
    neverFailingCount: neverFailing.length,
  };
}

const casesSchema = z.array(
  z.object({
    position: z.coerce.number(),
    runs: z.coerce.number(),
    failures: z.coerce.number(),
    flips: z.coerce.number(),
    /** In milliseconds since 1970. */
    lastAt: z.coerce.number().nullable(),
  }),
);
type CaseRow = z.infer<typeof casesSchema>[number];

/** The cases of a revision that are in force, with what they did in a period in every revision that has them too, at these gates or at all. */
async function findCases(
  database: Database,
  { suite, revision }: RevisionName,
  { from, to, now }: { from: Date; to: Date; now: Date },
  gates: string[] | null,
): Promise<CaseRow[]> {
  const atTheirs =
    gates === null
      ? sql``
      : sql`AND gate IN (SELECT jsonb_array_elements_text(${JSON.stringify(gates)}::jsonb))`;
  const ofTheirs =
    gates === null
      ? sql``
      : sql`AND score_id IN (
          SELECT score_id FROM suite_results
          WHERE suite = ${suite} AND requested_at >= ${instantOf(from)} AND requested_at < ${instantOf(to)} ${atTheirs}
        )`;
  const rows = await database.execute(sql`
    WITH own AS (
      SELECT position, case_digest FROM revision_cases
      WHERE suite = ${suite} AND revision = ${revision} AND (expires_at IS NULL OR expires_at > ${instantOf(now)})
    ),
    records AS (
      SELECT own.position AS own_position, record.revision, record.position, record.expires_at
      FROM own JOIN revision_cases AS record ON record.case_digest = own.case_digest AND record.suite = ${suite}
    ),
    -- A score runs every case of its revision that is in force when it is requested.
    runs AS (
      SELECT revision, ends.expires_at, count(*) AS runs
      FROM suite_results JOIN (SELECT DISTINCT revision, expires_at FROM records) AS ends USING (revision)
      WHERE suite = ${suite} AND requested_at >= ${instantOf(from)} AND requested_at < ${instantOf(to)}
        AND (ends.expires_at IS NULL OR requested_at < ends.expires_at) ${atTheirs}
      GROUP BY revision, ends.expires_at
    ),
    failures AS (
      SELECT revision, position, count(*) AS failures FROM case_results
      WHERE suite = ${suite} AND at >= ${instantOf(from)} AND at < ${instantOf(to)} AND NOT passed ${ofTheirs}
      GROUP BY revision, position
    ),
    flips AS (
      SELECT revision, position, count(*) AS flips, max(at) AS last_at FROM flaky_results
      WHERE suite = ${suite} AND at >= ${instantOf(from)} AND at < ${instantOf(to)} ${ofTheirs}
      GROUP BY revision, position
    )
    SELECT own_position AS position, coalesce(sum(runs), 0) AS runs, coalesce(sum(failures), 0) AS failures,
      coalesce(sum(flips), 0) AS flips, date_part('epoch', max(last_at)) * 1000 AS "lastAt"
    FROM records
    LEFT JOIN runs ON runs.revision = records.revision AND runs.expires_at IS NOT DISTINCT FROM records.expires_at
    LEFT JOIN failures ON failures.revision = records.revision AND failures.position = records.position
    LEFT JOIN flips ON flips.revision = records.revision AND flips.position = records.position
    GROUP BY own_position ORDER BY own_position`);
  return casesSchema.parse(rowsOf(rows));
}

const untilSchema = z.array(z.object({ until: z.coerce.number().nullable() }));

/** Until when every result is of a verdict that is published by now, at most `to`: results of cases do not say when that was decided. */
async function findKnownUntil(
  database: Database,
  suite: string,
  to: Date,
  slotMs: number,
  now: Date,
): Promise<Date> {
  const rows = await database.execute(sql`
    SELECT date_part('epoch', min(requested_at)) * 1000 AS until FROM suite_results
    WHERE suite = ${suite} AND requested_at >= ${instantOf(new Date(now.getTime() - publishedMsMax))}
      AND NOT (${isPublishedBy(now, slotMs)})`);
  const until = untilSchema.parse(rowsOf(rows))[0]?.until ?? null;
  return until === null || until >= to.getTime() ? to : new Date(until);
}
