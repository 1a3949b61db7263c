/** The cases that were drafted from incidents, and which of them were proven: one function for each question asked of the database. */
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Database } from '../../migrations/open-database.ts';
import { incidentCases, incidentProofs, revisionCases } from '../../migrations/tables.ts';
import type { RevisionName } from '../../suites/revisions.ts';

/** That a proof of the case of an incident is among those stored: it failed on what escaped, and passed on a fix. */
const isProven = sql`EXISTS (
  SELECT FROM ${incidentProofs} WHERE ${incidentProofs.caseDigest} = ${incidentCases.caseDigest}
    AND ${incidentProofs.incidentId} = ${incidentCases.incidentId}
    AND NOT ${incidentProofs.escapedPassed} AND ${incidentProofs.fixPassed}
)`;

/**
 * Which of a revision's cases were drafted from an incident, in whichever revision of the suite. What others drafted for their suites
 * neither holds this one up nor is told to its readers, even if it is the same case.
 */
export async function findIncidentPositions(
  database: Database,
  { suite, revision }: RevisionName,
): Promise<{ position: number; incident: string; isProven: boolean }[]> {
  return database
    .selectDistinct({
      position: revisionCases.position,
      incident: incidentCases.incidentId,
      isProven: sql<boolean>`${isProven}`,
    })
    .from(revisionCases)
    .innerJoin(
      incidentCases,
      and(
        eq(incidentCases.caseDigest, revisionCases.caseDigest),
        eq(incidentCases.suite, revisionCases.suite),
      ),
    )
    .where(and(eq(revisionCases.suite, suite), eq(revisionCases.revision, revision)))
    .orderBy(asc(revisionCases.position));
}

/** Those of them that no proof stands for. */
export async function findUnprovenPositions(database: Database, name: RevisionName) {
  return (await findIncidentPositions(database, name)).filter((one) => !one.isProven);
}
