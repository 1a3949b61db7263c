/**
 * One function for each question asked of the database about sessions. A session is a token's right to the pages, for one browser
 * and a few hours: it ends with the token, and what the browser keeps of it is stored as its SHA-256 alone.
 */
import { createHash, randomBytes } from 'node:crypto';
import { eq, lte } from 'drizzle-orm';
import type { Database } from '../migrations/open-database.ts';
import { sessions, tokens } from '../migrations/tables.ts';
import { RequestError } from './problems.ts';
import { type Reader, readerWith } from './tokens.ts';

/** How long somebody stays signed in, in milliseconds. */
export const sessionMs = 12 * 60 * 60 * 1_000;

/** What the browser keeps: 256 random bits in base64url. */
const secretForm = /^[\w-]{43}$/;

/** Begins a session of a token, and answers what its browser is to keep. Sessions that are over are forgotten on the way. */
export async function openSession(database: Database, tokenId: string): Promise<string> {
  const secret = randomBytes(32).toString('base64url');
  const now = Date.now();
  await database.delete(sessions).where(lte(sessions.expiresAt, new Date(now)));
  await database
    .insert(sessions)
    .values({ sha256: hash(secret), tokenId, expiresAt: new Date(now + sessionMs) });
  return secret;
}

/**
 * Whose session this is, and the name of its token. Throws `session_missing`, and `token_revoked` or `token_expired` where the
 * session ended with its token.
 */
export async function findSession(
  database: Database,
  secret: string,
): Promise<{ reader: Reader; name: string }> {
  const [row] = secretForm.test(secret)
    ? await database
        .select({ expiresAt: sessions.expiresAt, token: tokens })
        .from(sessions)
        .innerJoin(tokens, eq(tokens.id, sessions.tokenId))
        .where(eq(sessions.sha256, hash(secret)))
    : [];
  if (row === undefined || row.expiresAt.getTime() <= Date.now()) {
    throw new RequestError('session_missing', 'the session is over: sign in again');
  }
  return { reader: readerWith(row.token), name: row.token.name };
}

/** Ends a session at once. */
export async function closeSession(database: Database, secret: string): Promise<void> {
  await database.delete(sessions).where(eq(sessions.sha256, hash(secret)));
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
