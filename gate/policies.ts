/** One function for each question asked of the database about gates. A policy is never changed: a new version follows. */
import { and, desc, eq, max, sql } from 'drizzle-orm';
import { z } from 'zod';
import { appendAudit } from '../migrations/append-audit.ts';
import type { Database } from '../migrations/open-database.ts';
import { gatePolicies } from '../migrations/tables.ts';
import { SuiteError } from '../suites/errors.ts';
import { findUnknownSuites, type RevisionName } from '../suites/revisions.ts';
import { GateError } from './errors.ts';
import { type Gate, type GatePolicy, gatePolicySchema } from './gate.ts';

/** Puts a policy in force. Throws `suite_not_found` for a suite that nobody has authored: most likely a typing error. */
export async function setPolicy(
  database: Database,
  gate: string,
  policy: GatePolicy,
  by: string,
): Promise<Gate> {
  const unknown = await findUnknownSuites(database, policy.suites);
  if (unknown.length > 0) {
    throw new SuiteError(
      'suite_not_found',
      `there is no suite ${unknown.join(', ')}: push a revision of it first`,
    );
  }
  await database.transaction(async (transaction) => {
    await transaction.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${gate}, 2))`);
    const [newest] = await transaction
      .select({ version: max(gatePolicies.version) })
      .from(gatePolicies)
      .where(eq(gatePolicies.gate, gate));
    const version = (newest?.version ?? 0) + 1;
    await transaction.insert(gatePolicies).values({ ...policy, gate, version, createdBy: by });
    await appendAudit(transaction, { by, action: 'gate.set', about: { gate, version, ...policy } });
  });
  return findGate(database, gate);
}

/** What a version of the gate's policy lets `ci` and `harness` learn. Throws `gate_not_found`. */
export async function findDisclosure(
  database: Database,
  gate: string,
  version: number,
): Promise<GatePolicy['disclosure']> {
  const [row] = await database
    .select({ disclosure: gatePolicies.disclosure })
    .from(gatePolicies)
    .where(and(eq(gatePolicies.gate, gate), eq(gatePolicies.version, version)));
  if (row === undefined) throw new GateError('gate_not_found', `there is no gate ${gate}`);
  return gatePolicySchema.shape.disclosure.parse(row.disclosure);
}

/** The suites that a gate requires or has ever required; none where there is no such gate. */
export async function findSuitesEver(database: Database, gate: string): Promise<string[]> {
  const rows = await database
    .selectDistinct({ suite: sql<string>`unnest(${gatePolicies.suites})` })
    .from(gatePolicies)
    .where(eq(gatePolicies.gate, gate));
  return rows.map(({ suite }) => suite);
}

/** A gate with the policy in force. Throws `gate_not_found`. */
export async function findGate(database: Database, gate: string): Promise<Gate> {
  const found = await findGateIfAny(database, gate);
  if (found === undefined) throw new GateError('gate_not_found', `there is no gate ${gate}`);
  return found;
}

/** A gate with the policy in force, or undefined if there is none of this name. */
export async function findGateIfAny(database: Database, gate: string): Promise<Gate | undefined> {
  const [row] = await database
    .select(withActive)
    .from(gatePolicies)
    .where(eq(gatePolicies.gate, gate))
    .orderBy(desc(gatePolicies.version))
    .limit(1);
  return row && present(row);
}

/** The active revisions of a gate's suites; a suite that has none is missing from the answer. */
export function activeRevisions({ active }: Gate): RevisionName[] {
  return active.flatMap(({ suite, activeRevision }) =>
    activeRevision === null ? [] : [{ suite, revision: activeRevision }],
  );
}

/** Every gate by name. */
export async function listGates(database: Database): Promise<Gate[]> {
  const rows = await database
    .selectDistinctOn([gatePolicies.gate], withActive)
    .from(gatePolicies)
    .orderBy(gatePolicies.gate, desc(gatePolicies.version));
  return rows.map(present);
}

/** A policy and the active revisions of its suites in one statement: every score asks for both, several times. */
const withActive = {
  policy: gatePolicies,
  active: sql`(
    SELECT json_agg(newest) FROM (
      SELECT DISTINCT ON (suite) suite, revision FROM activations
      WHERE suite = ANY (${gatePolicies.suites}) ORDER BY suite, sequence DESC
    ) AS newest
  )`,
};

const activeSchema = z.array(z.object({ suite: z.string(), revision: z.number() })).nullable();

type Row = { policy: typeof gatePolicies.$inferSelect; active: unknown };

function present({ policy: row, active: found }: Row): Gate {
  const active = activeSchema.parse(found) ?? [];
  const policy = gatePolicySchema.parse({
    suites: row.suites,
    disclosure: row.disclosure,
    overrideApprovals: row.overrideApprovals,
    review: row.review,
    publicBadges: row.publicBadges,
    ...(row.concurrency === null ? {} : { concurrency: row.concurrency }),
    ...(row.attemptsPerChange === null ? {} : { attemptsPerChange: row.attemptsPerChange }),
    ...(row.minimumStrength === null ? {} : { minimumStrength: row.minimumStrength }),
    ...(row.exposureBudgetBits === null ? {} : { exposureBudgetBits: row.exposureBudgetBits }),
  });
  return {
    ...policy,
    gate: row.gate,
    version: row.version,
    active: row.suites.map((suite) => ({
      suite,
      activeRevision: active.find((name) => name.suite === suite)?.revision ?? null,
    })),
    updatedAt: row.createdAt.toISOString(),
  };
}
