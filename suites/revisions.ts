/** One function for each question asked of the database about suites and their revisions. */
import { and, asc, desc, eq, gt, inArray, max, sql } from 'drizzle-orm';
import { appendAudit } from '../migrations/append-audit.ts';
import type { Database } from '../migrations/open-database.ts';
import { activations, revisionCases, revisions } from '../migrations/tables.ts';
import { SuiteError } from './errors.ts';
import { listReviews } from './life/events.ts';
import { findMakers, standingOf } from './life/reviews.ts';
import { lockSuite } from './lock-suite.ts';
import type { Sealed } from './sealing/sealing.ts';
import type { Revision, Suite } from './suite.ts';

/** Which revision of which suite. */
export type RevisionName = { suite: string; revision: number };

type NewRevision = {
  suite: string;
  digest: string;
  /** The identity of each case and from when on it is not asked any more, in their order. */
  cases: { digest: string; expiresAt: Date | undefined }[];
  /** From when on no case is in force that proves something. */
  spentAt: Date | undefined;
  /** How many of the cases are tripwires. */
  tripwires: number;
  /** When its author sealed it, if that was not done here. */
  sealedAt: Date | undefined;
  createdBy: string;
};

/**
 * Appends a revision under the suite's next number, as a draft. It is sealed in the same transaction, because only there its number
 * is known; `record` appends what belongs to it. Throws `seal_rolled_back` if it was sealed before a revision that was activated, or along with another.
 */
export async function appendRevision(
  database: Database,
  { cases, ...revision }: NewRevision,
  seal: (transaction: Database, name: RevisionName) => Promise<Sealed>,
  record?: (transaction: Database, name: RevisionName) => Promise<void>,
): Promise<RevisionName> {
  return database.transaction(async (transaction) => {
    // Two authors who push at once get two numbers.
    await lockSuite(transaction, revision.suite);
    if (revision.sealedAt !== undefined) await requireNewest(transaction, revision.suite, revision.sealedAt);
    const [newest] = await transaction
      .select({ number: max(revisions.number) })
      .from(revisions)
      .where(eq(revisions.suite, revision.suite));
    const number = (newest?.number ?? 0) + 1;
    const name = { suite: revision.suite, revision: number };
    const caseCount = cases.length;
    const sealed = await seal(transaction, name);
    await transaction.insert(revisions).values({ ...revision, ...sealed, caseCount, number });
    // One parameter however many rows there are.
    await transaction.execute(sql`
      INSERT INTO revision_cases (suite, revision, position, case_digest, expires_at)
      SELECT ${name.suite}, ${number}, position - 1, item ->> 'digest', (item ->> 'expiresAt')::timestamptz
      FROM jsonb_array_elements(${JSON.stringify(cases)}::jsonb) WITH ORDINALITY AS listed (item, position)`);
    await record?.(transaction, name);
    const { createdBy: by, digest } = revision;
    await appendAudit(transaction, {
      by,
      action: 'revision.made',
      about: { ...name, digest, cases: caseCount, sealed: revision.sealedAt !== undefined },
    });
    return name;
  });
}

async function requireNewest(database: Database, suite: string, sealedAt: Date): Promise<void> {
  const same = await findSealedAt(database, suite, sealedAt);
  if (same !== undefined) throw rolledBack(same.revision);
  await requireNotRolledBack(database, suite, sealedAt);
}

/**
 * Throws `seal_rolled_back` where a revision was activated that its author sealed later. One that was only pushed does not count:
 * anybody who may push could seal one, and keep out all that its authors sealed before.
 */
export async function requireNotRolledBack(database: Database, suite: string, sealedAt: Date): Promise<void> {
  const [later] = await database
    .select({ revision: revisions.number })
    .from(revisions)
    .innerJoin(
      activations,
      and(eq(activations.suite, revisions.suite), eq(activations.revision, revisions.number)),
    )
    .where(and(eq(revisions.suite, suite), gt(revisions.sealedAt, sealedAt)))
    .orderBy(desc(revisions.sealedAt))
    .limit(1);
  if (later !== undefined) throw rolledBack(later.revision);
}

/** That a suite was sealed before the one that became the given revision. */
function rolledBack(revision: number): SuiteError {
  return new SuiteError(
    'seal_rolled_back',
    `it was sealed before revision ${revision}, or along with it: seal it again if it is to follow`,
  );
}

/** The revision of a suite that its author sealed at this very time. */
export async function findSealedAt(
  database: Database,
  suite: string,
  sealedAt: Date,
): Promise<RevisionName | undefined> {
  const [row] = await database
    .select({ suite: revisions.suite, revision: revisions.number })
    .from(revisions)
    .where(and(eq(revisions.suite, suite), eq(revisions.sealedAt, sealedAt)))
    .limit(1);
  return row;
}

/**
 * Makes a revision the active one; whether it may be is for `gate/activation/activation.ts` to find out. `notBefore` is when its author sealed it,
 * where what was sealed later keeps it out. Throws `seal_rolled_back`.
 */
export async function appendActivation(
  database: Database,
  name: RevisionName,
  {
    by,
    notBefore,
    requireFit,
  }: { by: string; notBefore: Date | null; requireFit: (transaction: Database) => Promise<void> },
): Promise<void> {
  await database.transaction(async (transaction) => {
    await lockSuite(transaction, name.suite);
    if (notBefore !== null) await requireNotRolledBack(transaction, name.suite, notBefore);
    await requireFit(transaction);
    await transaction.insert(activations).values({ ...name, activatedBy: by });
    await appendAudit(transaction, { by, action: 'revision.activated', about: name });
  });
}

/** A revision's sealed bytes. Throws `revision_not_found`. */
export async function findSealed(database: Database, { suite, revision }: RevisionName) {
  const [row] = await database
    .select()
    .from(revisions)
    .where(and(eq(revisions.suite, suite), eq(revisions.number, revision)));
  if (row === undefined) {
    throw new SuiteError('revision_not_found', `suite ${suite} has no revision ${revision}`);
  }
  return row;
}

/** The identities of a revision's cases, and when they expire, as they are stored for whoever counts them without opening it. */
export async function findCaseDigests(
  database: Database,
  { suite, revision }: RevisionName,
): Promise<{ position: number; caseDigest: string; expiresAt: Date | null }[]> {
  const { position, caseDigest, expiresAt } = revisionCases;
  return database
    .select({ position, caseDigest, expiresAt })
    .from(revisionCases)
    .where(and(eq(revisionCases.suite, suite), eq(revisionCases.revision, revision)))
    .orderBy(asc(position));
}

/** The active revisions of the given suites; a suite that has none is missing from the answer. */
export async function findActive(database: Database, suites: string[]): Promise<RevisionName[]> {
  if (suites.length === 0) return [];
  return database
    .selectDistinctOn([activations.suite], { suite: activations.suite, revision: activations.revision })
    .from(activations)
    .where(inArray(activations.suite, suites))
    .orderBy(activations.suite, desc(activations.sequence));
}

/** The active revisions of all suites that have one, by name. */
export async function listActive(database: Database): Promise<RevisionName[]> {
  return database
    .selectDistinctOn([activations.suite], { suite: activations.suite, revision: activations.revision })
    .from(activations)
    .orderBy(activations.suite, desc(activations.sequence));
}

/** Those of the given names that no suite has. */
export async function findUnknownSuites(database: Database, suites: string[]): Promise<string[]> {
  if (suites.length === 0) return [];
  const known = await database
    .selectDistinct({ suite: revisions.suite })
    .from(revisions)
    .where(inArray(revisions.suite, suites));
  return suites.filter((name) => !known.some(({ suite }) => suite === name));
}

/** One suite with all its revisions, newest first. Throws `suite_not_found`. */
export async function findSuite(database: Database, suite: string): Promise<Suite> {
  const [found] = await listSuites(database, suite);
  if (found === undefined) throw new SuiteError('suite_not_found', `there is no suite ${suite}`);
  return found;
}

/** Every suite by name, or the one that is asked for, each with its revisions, newest first. */
export async function listSuites(database: Database, only?: string): Promise<Suite[]> {
  const rows = await database
    .select({
      suite: revisions.suite,
      revision: revisions.number,
      digest: revisions.digest,
      cases: revisions.caseCount,
      createdAt: revisions.createdAt,
    })
    .from(revisions)
    .where(only === undefined ? undefined : eq(revisions.suite, only))
    .orderBy(revisions.suite, desc(revisions.number));
  const suites = Map.groupBy(rows, ({ suite }) => suite);
  const active = await findActive(database, [...suites.keys()]);
  const makers = await findMakers(database, only);
  const reviews = await listReviews(database, [...suites.keys()]);
  const everActive = await database
    .selectDistinct({ suite: activations.suite, revision: activations.revision })
    .from(activations);
  return [...suites].map(([suite, ofSuite]) => {
    const activeRevision = active.find((name) => name.suite === suite)?.revision ?? null;
    const stateOf = (revision: number): Revision['state'] => {
      if (revision === activeRevision) return 'active';
      const isIt = (name: RevisionName) => name.suite === suite && name.revision === revision;
      if (everActive.some(isIt)) return 'superseded';
      const maker = makers.find(isIt) ?? { maker: '', isAuthor: false };
      return standingOf(maker, reviews.filter(isIt)) === 'approved' ? 'reviewed' : 'draft';
    };
    return {
      suite,
      activeRevision,
      revisions: ofSuite.map((row) => ({
        ...row,
        state: stateOf(row.revision),
        createdAt: row.createdAt.toISOString(),
      })),
    };
  });
}
