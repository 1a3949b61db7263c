/** Candidates: stored once under the SHA-256 of their bytes, so that what was scored is what is asked about. */
import { eq } from 'drizzle-orm';
import type { Database } from '../migrations/open-database.ts';
import { candidates } from '../migrations/tables.ts';
import { digestOf } from '../suites/sealing/sealing.ts';
import { GateError } from './errors.ts';

/** From so many bytes on it is first asked whether a build is there: to be sent one again holds up an embedded database for longer. */
const largeBytes = 1 << 20;

/** Stores a build and tells its digest. Storing it again changes nothing. */
export async function storeCandidate(
  database: Database,
  bytes: Uint8Array,
  digest = digestOf(bytes),
): Promise<string> {
  if (bytes.length >= largeBytes && (await isStored(database, digest))) return digest;
  await database.insert(candidates).values({ digest, bytes }).onConflictDoNothing();
  return digest;
}

/** Sees that a build was uploaded, without reading it. Throws `candidate_not_found`. */
export async function requireCandidate(database: Database, digest: string): Promise<void> {
  if (!(await isStored(database, digest))) throw notFound(digest);
}

async function isStored(database: Database, digest: string): Promise<boolean> {
  return (await database.$count(candidates, eq(candidates.digest, digest))) > 0;
}

/** A build's bytes. Throws `candidate_not_found`. */
export async function findCandidate(database: Database, digest: string): Promise<Uint8Array> {
  const [row] = await database
    .select({ bytes: candidates.bytes })
    .from(candidates)
    .where(eq(candidates.digest, digest));
  if (row === undefined) throw notFound(digest);
  return row.bytes;
}

function notFound(digest: string): GateError {
  return new GateError(
    'candidate_not_found',
    `no candidate ${digest} was uploaded: POST it to /candidates first`,
  );
}
