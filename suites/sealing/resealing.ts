/**
 * All revisions, failures, reports of strength, events and incidents that are stored sealed, and how they are sealed anew when the identity has changed; the service's own
 * secret was sealed anew when that was put in force. What has been sealed anew can be
 * opened with the new identity, what has not with the old one, so that a crash between any two steps loses nothing.
 */
import { and, asc, eq, gt, isNotNull, sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import type { Database } from '../../migrations/open-database.ts';
import { incidents, revisions, strengths, suiteEvents, verdicts } from '../../migrations/tables.ts';
import { holdIdentity, rotatedElsewhere } from './seal-for-storage.ts';
import type { Sealed, Seals } from './sealing.ts';

/** One thing that is stored sealed. */
type Entry<Key> = { key: Key; sealed: Uint8Array; recipient: string | null };

/** One table of sealed things, read in the order of its keys. */
type Shelf<Key> = {
  /** The next few after a key that are not sealed to the recipient. */
  next(database: Database, recipient: string, after: Key | undefined): Promise<Entry<Key>[]>;
  /** Puts a seal in the place of the one that was read, if that is still there. */
  replace(transaction: Database, entry: Entry<Key>, sealed: Sealed): Promise<unknown>;
};

/** So many are sealed anew in one transaction. A suite may be large, so it has one of its own. */
const batchMax = 20;

const notSealedTo = (recipient: string, column: AnyPgColumn) => sql`${column} IS DISTINCT FROM ${recipient}`;

const revisionShelf: Shelf<{ suite: string; revision: number }> = {
  next: async (database, recipient, after) => {
    const rows = await database
      .select()
      .from(revisions)
      .where(
        and(
          notSealedTo(recipient, revisions.recipient),
          after && sql`(${revisions.suite}, ${revisions.number}) > (${after.suite}, ${after.revision}::int)`,
        ),
      )
      .orderBy(asc(revisions.suite), asc(revisions.number))
      .limit(1);
    return rows.map(({ suite, number, ...row }) => ({ ...row, key: { suite, revision: number } }));
  },
  replace: (transaction, { key, recipient }, sealed) =>
    transaction
      .update(revisions)
      .set(sealed)
      .where(
        and(
          eq(revisions.suite, key.suite),
          eq(revisions.number, key.revision),
          eq(revisions.recipient, recipient ?? ''),
        ),
      ),
};

const failureShelf: Shelf<string> = {
  next: async (database, recipient, after) => {
    const rows = await database
      .select({ key: verdicts.scoreId, sealed: verdicts.sealedFailures, recipient: verdicts.sealedTo })
      .from(verdicts)
      .where(
        and(
          isNotNull(verdicts.sealedFailures),
          notSealedTo(recipient, verdicts.sealedTo),
          after === undefined ? undefined : gt(verdicts.scoreId, after),
        ),
      )
      .orderBy(asc(verdicts.scoreId))
      .limit(batchMax);
    return rows.flatMap(({ sealed, ...row }) => (sealed === null ? [] : [{ ...row, sealed }]));
  },
  replace: (transaction, { key, recipient: from }, { sealed, recipient }) =>
    transaction
      .update(verdicts)
      .set({ sealedFailures: sealed, sealedTo: recipient })
      .where(and(eq(verdicts.scoreId, key), sql`${verdicts.sealedTo} IS NOT DISTINCT FROM ${from}`)),
};

const strengthShelf: Shelf<number> = {
  next: async (database, recipient, after) =>
    database
      .select({ key: strengths.sequence, sealed: strengths.sealed, recipient: strengths.recipient })
      .from(strengths)
      .where(
        and(
          notSealedTo(recipient, strengths.recipient),
          after === undefined ? undefined : gt(strengths.sequence, after),
        ),
      )
      .orderBy(asc(strengths.sequence))
      .limit(batchMax),
  replace: (transaction, { key, recipient }, sealed) =>
    transaction
      .update(strengths)
      .set(sealed)
      .where(and(eq(strengths.sequence, key), eq(strengths.recipient, recipient ?? ''))),
};

const eventShelf: Shelf<number> = {
  next: (database, recipient, after) =>
    database
      .select({ key: suiteEvents.sequence, sealed: suiteEvents.sealed, recipient: suiteEvents.recipient })
      .from(suiteEvents)
      .where(
        and(
          notSealedTo(recipient, suiteEvents.recipient),
          after === undefined ? undefined : gt(suiteEvents.sequence, after),
        ),
      )
      .orderBy(asc(suiteEvents.sequence))
      .limit(batchMax),
  replace: (transaction, { key, recipient }, sealed) =>
    transaction
      .update(suiteEvents)
      .set(sealed)
      .where(and(eq(suiteEvents.sequence, key), eq(suiteEvents.recipient, recipient ?? ''))),
};

const incidentShelf: Shelf<string> = {
  next: (database, recipient, after) =>
    database
      .select({ key: incidents.id, sealed: incidents.sealed, recipient: incidents.recipient })
      .from(incidents)
      .where(
        and(
          notSealedTo(recipient, incidents.recipient),
          after === undefined ? undefined : gt(incidents.id, after),
        ),
      )
      .orderBy(asc(incidents.id))
      .limit(batchMax),
  replace: (transaction, { key, recipient }, sealed) =>
    transaction
      .update(incidents)
      .set(sealed)
      .where(and(eq(incidents.id, key), eq(incidents.recipient, recipient ?? ''))),
};

/** What came of sealing anew: how much was, and how much opens with none of the identities. */
export type Resealed = { resealed: number; unreadable: number };

/**
 * Seals everything anew that is not sealed to the current identity. Ends early when told to stop. Throws `identity_rotated` when
 * another process has rotated the identity since.
 */
export async function resealAll(
  database: Database,
  seals: Seals,
  isStopped: () => boolean,
): Promise<Resealed> {
  const all = [
    await resealShelf(database, seals, revisionShelf, isStopped),
    await resealShelf(database, seals, failureShelf, isStopped),
    await resealShelf(database, seals, strengthShelf, isStopped),
    await resealShelf(database, seals, eventShelf, isStopped),
    await resealShelf(database, seals, incidentShelf, isStopped),
  ];
  return {
    resealed: all.reduce((sum, { resealed }) => sum + resealed, 0),
    unreadable: all.reduce((sum, { unreadable }) => sum + unreadable, 0),
  };
}

async function resealShelf<Key>(
  database: Database,
  seals: Seals,
  shelf: Shelf<Key>,
  isStopped: () => boolean,
): Promise<Resealed> {
  const total = { resealed: 0, unreadable: 0 };
  let after: Key | undefined;
  while (!isStopped()) {
    const entries = await shelf.next(database, seals.recipient, after);
    const last = entries.at(-1);
    if (last === undefined) break;
    after = last.key;
    const anew: [Entry<Key>, Sealed][] = [];
    for (const entry of entries) {
      const sealed = await reseal(seals, entry.sealed);
      if (sealed === undefined) total.unreadable++;
      else anew.push([entry, sealed]);
    }
    await database.transaction(async (transaction) => {
      if ((await holdIdentity(transaction)) !== seals.recipient) throw rotatedElsewhere();
      for (const [entry, sealed] of anew) await shelf.replace(transaction, entry, sealed);
    });
    total.resealed += anew.length;
  }
  return total;
}

/** The same text under a new seal, or undefined if it does not open: no identity that we have is of use to it. */
async function reseal(seals: Seals, sealed: Uint8Array): Promise<Sealed | undefined> {
  const text = await seals.open(sealed).catch(() => undefined);
  return text === undefined ? undefined : seals.seal(text);
}
