/**
 * The service's own keys. They come from one secret, made once and kept in the database, sealed like a suite, so that every
 * process of a service has the same, and they outlive the identity when that is rotated.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { eq } from 'drizzle-orm';
import type { Database } from '../migrations/open-database.ts';
import { secrets } from '../migrations/tables.ts';
import type { Seals } from './sealing.ts';

/** 32 bytes each, independent of one another (HKDF, RFC 5869). */
export type Keys = {
  /** Names cases by their content, so that nobody can try contents against a name. */
  caseDigest: Buffer;
  /** Binds a sealed revision to its suite and number. */
  revisionTag: Buffer;
  /** Makes the answers of tripwires, which nobody else can compute. */
  tripwire: Buffer;
  /** The seed of the Ed25519 key that signs the audit. */
  auditSeed: Buffer;
};

const secretName = 'master';
const keyBytes = 32;

/** Reads the keys, or makes them on first use: of several processes that start at once, one makes them. Throws `seal_broken`. */
export async function loadKeys(database: Database, seals: Seals): Promise<Keys> {
  const known = await findMaster(database, seals);
  if (known !== undefined) return derive(known);
  const made = await seals.seal(randomBytes(keyBytes).toString('base64'));
  await database
    .insert(secrets)
    .values({ name: secretName, ...made })
    .onConflictDoNothing();
  const master = await findMaster(database, seals);
  if (master === undefined) throw new Error('the service could not keep its secret');
  return derive(master);
}

async function findMaster(database: Database, seals: Seals): Promise<Buffer | undefined> {
  const [row] = await database.select().from(secrets).where(eq(secrets.name, secretName));
  return row === undefined ? undefined : Buffer.from(await seals.open(row.sealed), 'base64');
}

function derive(master: Buffer): Keys {
  const key = (use: string) => Buffer.from(hkdfSync('sha256', master, '', `holdback ${use}`, keyBytes));
  return {
    caseDigest: key('case digest'),
    revisionTag: key('revision tag'),
    tripwire: key('tripwire'),
    auditSeed: key('audit seed'),
  };
}
