/**
 * How gates stand, for people who look at all of them: what was decided last, how often it is green, and what of their suites needs
 * somebody. A few questions to the database, however many gates there are.
 */
import { and, desc, eq, gte, inArray, isNotNull, or, type SQL, sql } from 'drizzle-orm';
import { z } from 'zod';
import type { Database } from '../migrations/open-database.ts';
import { rowsOf } from '../migrations/rows-of.ts';
import { preflights, revisions, verdicts } from '../migrations/tables.ts';
import type { RevisionName } from '../suites/revisions.ts';
import { reasonSchema } from './disclosure/disclosed.ts';
import { findExposures } from './disclosure/exposure.ts';
import type { Gate } from './gate.ts';
import { publishedFrom } from './history.ts';
import { isWithinLimits } from './limits.ts';
import { activeRevisions, listGates } from './policies.ts';
import type { Rate } from './trends/trend.ts';
import { rateOf } from './trends/wilson.ts';

/** So long is the pass rate looked back for, in milliseconds. */
export const standingMs = 30 * 24 * 60 * 60 * 1_000;

/** A verdict as it was decided, or as people overruled it. */
const recentVerdictSchema = z.object({
  gate: z.string(),
  score: z.uuid(),
  change: z.string(),
  repository: z.string().nullable(),
  author: z.string().nullable(),
  agent: z.string().nullable(),
  reason: reasonSchema,
  requestedAt: z.coerce.date(),
});
export type RecentVerdict = z.infer<typeof recentVerdictSchema>;

/** A suite of a gate; of one that the reader is not let know of, no more than its name. */
export type SuiteStanding = {
  suite: string;
  /** Null where none is active, and then nothing merges. */
  revision: number | null;
  /** All its cases, expired ones included; undefined where it is not the reader's to know, or none is active. */
  cases: number | undefined;
  bits: number | undefined;
  /** Whether its references behaved when they were run last; undefined where they never were. */
  referencesBehave: boolean | undefined;
};

export type GateStanding = {
  gate: Gate;
  suites: SuiteStanding[];
  /** Newest first. */
  newest: RecentVerdict[];
  /** Of the settled attempts of the last 30 days; undefined where the gate has suites that are not the reader's to know of. */
  passRate: Rate | undefined;
};

/** Whose view it is: what they are limited to, and the length of the slots at whose ends they hear, if they do not hear at once. */
export type StandingReader = {
  gates: string[] | null;
  suites: string[] | null;
  slotMs: number | undefined;
};

/** The gates of a reader by name, each with its newest verdicts. */
export async function listStandings(
  database: Database,
  reader: StandingReader,
  { verdictsMax, now }: { verdictsMax: number; now: Date },
): Promise<GateStanding[]> {
  const gates = (await listGates(database)).filter(({ gate }) => isWithinLimits(reader.gates, gate));
  return findStandings(database, gates, reader, { verdictsMax, now });
}

/** How each of these gates stands. */
export async function findStandings(
  database: Database,
  gates: Gate[],
  reader: StandingReader,
  { verdictsMax, now }: { verdictsMax: number; now: Date },
): Promise<GateStanding[]> {
  if (gates.length === 0) return [];
  const names = gates.map(({ gate }) => gate);
  const known =
    reader.slotMs === undefined
      ? sql`true`
      : sql`${publishedFrom(reader.slotMs, verdicts.requestedAt, verdicts.decidedAt)} <= ${now.toISOString()}::timestamptz`;
  const theirs = uniqueNames(gates.flatMap(activeRevisions)).filter(({ suite }) =>
    isWithinLimits(reader.suites, suite),
  );
  const [newest, counts, exposures, cases, behaviours] = await Promise.all([
    findNewest(database, names, known, verdictsMax),
    countSettled(database, names, known, new Date(now.getTime() - standingMs)),
    theirs.length === 0 ? [] : findExposures(database, theirs),
    countCases(database, theirs),
    findBehaviours(database, theirs),
  ]);
  return gates.map((gate) => ({
    gate,
    suites: gate.active.map(({ suite, activeRevision: revision }) => {
      const isIt = (name: RevisionName) => name.suite === suite && name.revision === revision;
      return {
        suite,
        revision,
        cases: cases.find(isIt)?.cases,
        bits: exposures.find(isIt)?.bits,
        referencesBehave: behaviours.find(isIt)?.passed,
      };
    }),
    newest: newest.filter((verdict) => verdict.gate === gate.gate),
    passRate: gate.suites.every((suite) => isWithinLimits(reader.suites, suite))
      ? rateOfGate(counts.find((count) => count.gate === gate.gate))
      : undefined,
  }));
}

function rateOfGate(count: { green: number; settled: number } | undefined): Rate {
  return rateOf(count?.green ?? 0, count?.settled ?? 0);
}

/** The newest verdicts of each gate, along the index of each. */
async function findNewest(
  database: Database,
  gates: string[],
  known: SQL,
  limit: number,
): Promise<RecentVerdict[]> {
  const rows = await database.execute(sql`
    SELECT newest.* FROM jsonb_array_elements_text(${JSON.stringify(gates)}::jsonb) AS asked (name)
    CROSS JOIN LATERAL (
      SELECT verdicts.gate, score_id AS score, change_id AS change, repository, author, agent,
        CASE WHEN verdict = 'block' AND ${isOverruled} THEN 'overridden' ELSE reason END AS reason,
        requested_at AS "requestedAt"
      FROM verdicts WHERE verdicts.gate = asked.name AND ${known}
      ORDER BY requested_at DESC LIMIT ${limit}
    ) AS newest
    ORDER BY newest.gate, newest."requestedAt" DESC`);
  return z.array(recentVerdictSchema).parse(rowsOf(rows));
}

/** That as many people have approved a blocked score as its gate asks for now. */
const isOverruled = sql`(
  SELECT count(DISTINCT person) FROM overrides WHERE overrides.score_id = verdicts.score_id
) >= (
  SELECT override_approvals FROM gate_policies WHERE gate_policies.gate = verdicts.gate ORDER BY version DESC LIMIT 1
)`;

/** Along the index that trends are read from. */
function countSettled(database: Database, gates: string[], known: SQL, from: Date) {
  return database
    .select({
      gate: verdicts.gate,
      green: sql<number>`(count(*) FILTER (WHERE ${verdicts.isGreen}))::int`,
      settled: sql<number>`count(*)::int`,
    })
    .from(verdicts)
    .where(
      and(inArray(verdicts.gate, gates), gte(verdicts.requestedAt, from), isNotNull(verdicts.isGreen), known),
    )
    .groupBy(verdicts.gate);
}

async function countCases(database: Database, names: RevisionName[]) {
  if (names.length === 0) return [];
  return database
    .select({ suite: revisions.suite, revision: revisions.number, cases: revisions.caseCount })
    .from(revisions)
    .where(
      or(...names.map((name) => and(eq(revisions.suite, name.suite), eq(revisions.number, name.revision)))),
    );
}

/** Whether the references of these revisions behaved when they were run last. */
async function findBehaviours(database: Database, names: RevisionName[]) {
  if (names.length === 0) return [];
  const { suite, revision, passed } = preflights;
  return database
    .selectDistinctOn([suite, revision], { suite, revision, passed })
    .from(preflights)
    .where(or(...names.map((name) => and(eq(suite, name.suite), eq(revision, name.revision)))))
    .orderBy(suite, revision, desc(preflights.sequence));
}

function uniqueNames(names: RevisionName[]): RevisionName[] {
  return [...new Map(names.map((name) => [name.suite, name])).values()];
}
