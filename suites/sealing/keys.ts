/**
 * The service's own keys. They come from one secret, made once and kept in the database, so that every process of a service has
 * the same, and they outlive the identity when that is rotated. It is sealed so that only who has the identity could have sealed
 * it: whoever could put a secret of their own in its place would know every key.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { eq } from 'drizzle-orm';
import type { Database } from '../../migrations/open-database.ts';
import { secrets } from '../../migrations/tables.ts';
import { SuiteError } from '../errors.ts';
import type { Seals } from './sealing.ts';

/** 32 bytes each, independent of one another (HKDF, RFC 5869). */
export type Keys = {
  /** Names cases by their content, so that nobody can try contents against a name. */
  caseDigest: Buffer;
  /** Names the contents of revisions. */
  revisionDigest: Buffer;
  /** Binds a sealed revision to its suite and number. */
  revisionTag: Buffer;
  /** Makes the answers of tripwires, which nobody else can compute. */
  tripwire: Buffer;
  /** The seed of the Ed25519 key that signs the audit. */
  auditSeed: Buffer;
};

/** The one secret: what it is sealed to is the identity in force, for all processes that share the database. */
export const masterName = 'master';
const keyBytes = 32;

/** Reads the keys, or makes them on first use: of several processes that start at once, one makes them. Throws `seal_broken`. */
export async function loadKeys(database: Database, seals: Seals): Promise<Keys> {
  const known = await findMaster(database, seals);
  if (known !== undefined) return derive(known);
  const made = await seals.sealOwn(randomBytes(keyBytes).toString('base64'));
  await database
    .insert(secrets)
    .values({ name: masterName, ...made })
    .onConflictDoNothing();
  const master = await findMaster(database, seals);
  if (master === undefined) throw new Error('the service could not keep its secret');
  return derive(master);
}

async function findMaster(database: Database, seals: Seals): Promise<Buffer | undefined> {
  const { sealed, recipient } = secrets;
  const [row] = await database
    .select({ sealed, recipient })
    .from(secrets)
    .where(eq(secrets.name, masterName));
  if (row === undefined) return undefined;
  try {
    return Buffer.from(await seals.openOwn(row.sealed), 'base64');
  } catch (cause) {
    const what = seals.opens(row.recipient)
      ? 'the secret that this database keeps is not the one that this service sealed: restore it from a backup, and find out who can write the database'
      : `what this database keeps is sealed to ${row.recipient}, and the identity here is that of ${seals.recipient}: start with the identity it was sealed to, in HOLDBACK_IDENTITY or HOLDBACK_IDENTITY_FILE`;
    throw new SuiteError('seal_broken', what, { cause });
  }
}

function derive(master: Buffer): Keys {
  const key = (use: string) => Buffer.from(hkdfSync('sha256', master, '', `holdback ${use}`, keyBytes));
  return {
    caseDigest: key('case digest'),
    revisionDigest: key('revision digest'),
    revisionTag: key('revision tag'),
    tripwire: key('tripwire'),
    auditSeed: key('audit seed'),
  };
}
