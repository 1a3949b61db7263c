/** Candidates: stored once under the SHA-256 of their bytes, so that what was scored is what is asked about. */
import { eq } from 'drizzle-orm';
import type { Database } from '../migrations/open-database.ts';
import { candidates } from '../migrations/tables.ts';
import { digestOf } from '../suites/sealing.ts';
import { GateError } from './errors.ts';

/** Stores a build and tells its digest. Storing it again changes nothing. */
export async function storeCandidate(database: Database, bytes: Uint8Array): Promise<string> {
  const digest = digestOf(bytes);
  await database.insert(candidates).values({ digest, bytes }).onConflictDoNothing();
  return digest;
}

/** A build's bytes. Throws `candidate_not_found`. */
export async function findCandidate(database: Database, digest: string): Promise<Uint8Array> {
  const [row] = await database
    .select({ bytes: candidates.bytes })
    .from(candidates)
    .where(eq(candidates.digest, digest));
  if (row === undefined) {
    throw new GateError(
      'candidate_not_found',
      `no candidate ${digest} was uploaded: POST it to /candidates first`,
    );
  }
  return row.bytes;
}
