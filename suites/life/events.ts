/**
 * What people did with revisions and cases: one function for each question asked of the database. An event is appended in the
 * transaction that does it, and what was said along with it, or names a case, is sealed like a suite.
 */
import { and, asc, desc, eq, inArray, sql } from 'drizzle-orm';
import { z } from 'zod';
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import { revisionCases, suiteEvents } from '../../migrations/tables.ts';
import { SuiteError } from '../errors.ts';
import type { RevisionName } from '../revisions.ts';
import { sealForStorage } from '../sealing/seal-for-storage.ts';
import type { Seals } from '../sealing/sealing.ts';

export type EventKind = 'approved' | 'rejected' | 'retired' | 'published';

/** Who does something: a token, and whose it is. */
export type Actor = { tokenId: string; person: string };

export type NewEvent = RevisionName & {
  kind: EventKind;
  /** The case that it is about, by its identity and its name. */
  testCase?: { digest: string; name: string };
  said: string | undefined;
};

export type SuiteEvent = RevisionName & {
  kind: EventKind;
  person: string;
  name: string | undefined;
  said: string | undefined;
  doneAt: Date;
};

const audited = {
  approved: 'revision.reviewed',
  rejected: 'revision.reviewed',
  retired: 'case.retired',
  published: 'case.published',
} as const;

/** What is sealed names what it is of, so that it cannot be put in the place of another. */
const sealedSchema = z.strictObject({
  of: z.string(),
  name: z.string().optional(),
  said: z.string().optional(),
});

/** Appends an event with its record in the audit. */
export async function appendEvent(
  transaction: Database,
  seals: Seals,
  event: NewEvent,
  { tokenId: by, person }: Actor,
): Promise<void> {
  const { kind, suite, revision, testCase, said } = event;
  const caseDigest = testCase?.digest ?? null;
  const of = nameOf({ kind, suite, revision, caseDigest, person });
  const text = JSON.stringify({ of, name: testCase?.name, said } satisfies z.infer<typeof sealedSchema>);
  const sealed = await sealForStorage(transaction, seals, text);
  const row = { kind, suite, revision, caseDigest, person, doneBy: by, ...sealed };
  await transaction.insert(suiteEvents).values(row);
  const about = {
    suite,
    revision,
    person,
    ...(caseDigest === null ? { verdict: kind } : { case: caseDigest }),
  };
  await appendAudit(transaction, { by, action: audited[kind], about });
}

/** Events of a suite of some kinds, newest first, opened. Throws `seal_broken`. */
export async function openEvents(
  database: Database,
  seals: Seals,
  asked: { suite: string; revision?: number; kinds: EventKind[]; limit: number },
): Promise<SuiteEvent[]> {
  const rows = await database
    .select()
    .from(suiteEvents)
    .where(
      and(
        eq(suiteEvents.suite, asked.suite),
        inArray(suiteEvents.kind, asked.kinds),
        asked.revision === undefined ? undefined : eq(suiteEvents.revision, asked.revision),
      ),
    )
    .orderBy(desc(suiteEvents.sequence))
    .limit(asked.limit);
  return Promise.all(
    rows.map(async (row) => {
      const { suite, revision, person, doneAt } = row;
      const { of, name, said } = sealedSchema.parse(JSON.parse(await seals.open(row.sealed)));
      if (of !== nameOf(row))
        throw new SuiteError('seal_broken', `what is stored about an event of suite ${suite} is another's`);
      return { kind: kindSchema.parse(row.kind), suite, revision, person, doneAt, name, said };
    }),
  );
}

const kindSchema = z.enum(['approved', 'rejected', 'retired', 'published']);

/** The reviews of these suites' revisions, oldest first. */
export async function listReviews(
  database: Database,
  suites: string[],
): Promise<(RevisionName & { person: string; isApproval: boolean })[]> {
  if (suites.length === 0) return [];
  const rows = await database
    .select({
      suite: suiteEvents.suite,
      revision: suiteEvents.revision,
      person: suiteEvents.person,
      kind: suiteEvents.kind,
    })
    .from(suiteEvents)
    .where(and(inArray(suiteEvents.suite, suites), inArray(suiteEvents.kind, ['approved', 'rejected'])))
    .orderBy(asc(suiteEvents.sequence));
  return rows.map(({ kind, ...row }) => ({ ...row, isApproval: kind === 'approved' }));
}

/** Which of these identities are of cases that were published. */
export async function findPublished(database: Database, digests: string[]): Promise<Set<string>> {
  if (digests.length === 0) return new Set();
  const rows = await database
    .selectDistinct({ digest: suiteEvents.caseDigest })
    .from(suiteEvents)
    .where(and(eq(suiteEvents.kind, 'published'), inArray(suiteEvents.caseDigest, digests)));
  return new Set(rows.flatMap(({ digest }) => digest ?? []));
}

/** The positions of a revision's cases that were published, in whichever suite. */
export async function findPublishedPositions(
  database: Database,
  { suite, revision }: RevisionName,
): Promise<Set<number>> {
  const published = database
    .select({ digest: suiteEvents.caseDigest })
    .from(suiteEvents)
    .where(eq(suiteEvents.kind, 'published'));
  const rows = await database
    .select({ position: revisionCases.position })
    .from(revisionCases)
    .where(
      and(
        eq(revisionCases.suite, suite),
        eq(revisionCases.revision, revision),
        // As an array it is read once, where a join may be planned to read it again for each case.
        sql`${revisionCases.caseDigest} = ANY (ARRAY(${published}))`,
      ),
    );
  return new Set(rows.map(({ position }) => position));
}

function nameOf(event: RevisionName & { kind: string; caseDigest: string | null; person: string }): string {
  const { kind, suite, revision, caseDigest, person } = event;
  return JSON.stringify([kind, suite, revision, caseDigest, person]);
}
