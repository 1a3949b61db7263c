/**
 * Incidents: a bug that got past a gate is recorded against the score that let it, becomes a case, and that case is seen to fail on
 * the build that escaped and to pass on one that mends it. Rows are appended, never changed.
 */

import { randomUUID } from 'node:crypto';
import { and, desc, eq, inArray } from 'drizzle-orm';
import { z } from 'zod';
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import { incidentCases, incidentProofs, incidents, scores } from '../../migrations/tables.ts';
import { SuiteError } from '../../suites/errors.ts';
import type { OpenedSuites } from '../../suites/opened-suites.ts';
import { sealForStorage } from '../../suites/sealing/seal-for-storage.ts';
import type { Seals } from '../../suites/sealing/sealing.ts';
import { listAttempts } from '../changes.ts';
import { type Hearer, isKnown } from '../disclosure/disclosure.ts';
import { GateError } from '../errors.ts';
import { type AttemptRecord, changeOf, findScore } from '../history.ts';
import { findOverride } from '../overrides.ts';
import type { Incident, IncidentRequest } from './incident.ts';

export type IncidentReader = {
  tokenId: string;
  /** Whether they may know of the suite that the case is in. */
  knows(suite: string): boolean;
  /** Whether they may read what happened, and what the case is called; undefined where there is no case yet. */
  sees(suite: string | undefined): boolean;
};

export type IncidentParts = { database: Database; seals: Seals; suites: OpenedSuites; slotMs: number };

const sealedSchema = z.strictObject({
  incident: z.uuid(),
  title: z.string(),
  details: z.string().optional(),
});

/** So many of a change's newest scores are looked through for one that let it merge. */
const scoresMax = 200;

/**
 * Records an incident against a score, and answers its id. Throws `score_not_found`, and `incident_not_merged` where nothing let the
 * change merge.
 */
export async function recordIncident(
  parts: IncidentParts,
  { gate, score: id, change, title, details }: IncidentRequest,
  { tokenId: by, ...hearer }: Hearer & { tokenId: string },
): Promise<string> {
  const { database, seals } = parts;
  const score =
    id === undefined ? await findMerged(parts, gate, change, hearer) : await findScore(database, id);
  if (score?.gate !== gate) throw new GateError('score_not_found', `gate ${gate} has no such score`);
  if (!(await letMerge(parts, score, hearer))) throw notMerged();
  const incident = randomUUID();
  await database.transaction(async (transaction) => {
    const text = JSON.stringify({ incident, title, details } satisfies z.infer<typeof sealedSchema>);
    const sealed = await sealForStorage(transaction, seals, text);
    await transaction
      .insert(incidents)
      .values({ id: incident, gate, scoreId: score.id, recordedBy: by, ...sealed });
    await appendAudit(transaction, {
      by,
      action: 'incident.recorded',
      about: { incident, gate, score: score.id },
    });
  });
  return incident;
}

/** The newest score of a commit that let it merge. Throws `incident_not_merged`. */
async function findMerged(
  parts: IncidentParts,
  gate: string,
  change: IncidentRequest['change'],
  hearer: Hearer,
): Promise<AttemptRecord> {
  const asked = { gate, change: change?.id ?? '', gates: null, slotMs: undefined };
  const page = { before: undefined, limit: scoresMax };
  for (const score of await listAttempts(parts.database, { ...asked, ...page })) {
    const isIt =
      score.change.commit === change?.commit &&
      (change.repository === undefined || score.change.repository === change.repository);
    if (isIt && (await letMerge(parts, score, hearer))) return score;
  }
  throw notMerged();
}

/** Whether it let the change merge, as far as who asks may know by now. */
async function letMerge(
  { database, slotMs }: IncidentParts,
  score: AttemptRecord,
  hearer: Hearer,
): Promise<boolean> {
  if (!isKnown(score, hearer, slotMs)) return false;
  if (score.verdict?.verdict === 'merge') return true;
  const override = await findOverride(database, score);
  return override !== undefined && override.approvals.length >= override.needed;
}

function notMerged(): GateError {
  return new GateError(
    'incident_not_merged',
    'no score of it let it merge: an escape is recorded against the score that was green, or overridden',
  );
}

/** The gate and the score of an incident. Throws `incident_not_found`. */
export async function findIncident(database: Database, id: string) {
  const [row] = await database.select().from(incidents).where(eq(incidents.id, id));
  if (row === undefined) throw new GateError('incident_not_found', `there is no incident ${id}`);
  return row;
}

/** An incident as its reader may see it. Throws `incident_not_found` and `seal_broken`. */
export async function readIncident(
  parts: IncidentParts,
  id: string,
  reader: IncidentReader,
): Promise<Incident> {
  const [incident] = await select(parts.database, eq(incidents.id, id), 1);
  if (incident === undefined) throw new GateError('incident_not_found', `there is no incident ${id}`);
  return describe(parts, incident, reader);
}

/** The newest incidents of these gates or, where that is null, of all. */
export async function listIncidents(
  parts: IncidentParts,
  within: { gates: string[] | null; limit: number },
  reader: IncidentReader,
): Promise<Incident[]> {
  const { gates } = within;
  const rows = await select(
    parts.database,
    gates === null ? undefined : inArray(incidents.gate, gates),
    within.limit,
  );
  return Promise.all(rows.map((row) => describe(parts, row, reader)));
}

type Row = { incidents: typeof incidents.$inferSelect; scores: typeof scores.$inferSelect };

function select(database: Database, where: ReturnType<typeof and>, limit: number): Promise<Row[]> {
  return database
    .select()
    .from(incidents)
    .innerJoin(scores, eq(scores.id, incidents.scoreId))
    .where(where)
    .orderBy(desc(incidents.sequence))
    .limit(limit);
}

async function describe(parts: IncidentParts, row: Row, reader: IncidentReader): Promise<Incident> {
  const { database, seals, suites } = parts;
  const { incidents: incident, scores: score } = row;
  const drafted = await findDraftedCase(database, incident.id);
  const proofs = drafted === undefined ? [] : await listProofs(database, incident.id, drafted.caseDigest);
  const isOfTheirs = drafted !== undefined && reader.knows(drafted.suite);
  const told = {
    id: incident.id,
    gate: incident.gate,
    score: incident.scoreId,
    change: changeOf(score),
    candidate: score.candidate,
    recordedAt: incident.recordedAt.toISOString(),
    state:
      drafted === undefined
        ? ('recorded' as const)
        : proofs.some(({ proves }) => proves)
          ? ('proven' as const)
          : ('drafted' as const),
    proofs: isOfTheirs ? proofs : [],
    case: !isOfTheirs ? null : { suite: drafted.suite, revision: drafted.revision },
  };
  if (!reader.sees(drafted?.suite)) return told;
  const opened = sealedSchema.parse(JSON.parse(await seals.open(incident.sealed)));
  if (opened.incident !== incident.id)
    throw new SuiteError('seal_broken', `what is stored as incident ${incident.id} is another`);
  const name = drafted === undefined ? undefined : (await suites.open(drafted)).cases[drafted.position]?.name;
  await appendAudit(database, {
    by: reader.tokenId,
    action: 'incident.read',
    about: { incident: incident.id },
  });
  return {
    ...told,
    title: opened.title,
    ...(opened.details === undefined ? {} : { details: opened.details }),
    case: told.case === null ? null : { ...told.case, ...(name === undefined ? {} : { name }) },
  };
}

/** The newest case that was drafted from an incident. */
export async function findDraftedCase(database: Database, incident: string) {
  const [row] = await database
    .select()
    .from(incidentCases)
    .where(eq(incidentCases.incidentId, incident))
    .orderBy(desc(incidentCases.sequence))
    .limit(1);
  return row;
}

/** So many proofs of a case are told. */
const proofsMax = 100;

async function listProofs(
  database: Database,
  incident: string,
  caseDigest: string,
): Promise<Incident['proofs']> {
  const rows = await database
    .select()
    .from(incidentProofs)
    .where(and(eq(incidentProofs.incidentId, incident), eq(incidentProofs.caseDigest, caseDigest)))
    .orderBy(desc(incidentProofs.sequence))
    .limit(proofsMax);
  return rows.map(({ escaped, fix, escapedPassed, fixPassed, provedAt }) => ({
    escaped,
    fix,
    escapedPassed,
    fixPassed,
    proves: !escapedPassed && fixPassed,
    provedAt: provedAt.toISOString(),
  }));
}
