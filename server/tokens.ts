/**
 * One function for each question asked of the database about tokens. A token is stored as its SHA-256 alone; its row stays when
 * it is revoked, so that whoever acted with it can still be named.
 */
import { createHash, randomUUID } from 'node:crypto';
import { and, asc, desc, eq, gt, inArray, isNotNull, isNull, lt, or, sql } from 'drizzle-orm';
import { z } from 'zod';
import { type Role, roles } from '../gate/disclosure/disclosed.ts';
import { appendAudit } from '../migrations/append-audit.ts';
import type { Lasting } from '../migrations/kept-answers.ts';
import type { Database } from '../migrations/open-database.ts';
import { tokens } from '../migrations/tables.ts';
import { RequestError } from './problems.ts';
import type { Token, TokenRequest } from './token.ts';
import { isMistyped, makeToken } from './token-text.ts';

/** Who is asking. */
export type Reader = {
  /** The token's id; of a CI system's token, its issuer and subject. */
  tokenId: string;
  role: Role;
  /** The gates and the suites that it is limited to; null for all. */
  gates: string[] | null;
  suites: string[] | null;
  /** Who that is where two people have to agree: the token's owner, or the token itself. */
  person: string;
  /** The one repository whose changes it may have scored; null for any. */
  repository: string | null;
};

/** A token's use is written down at most so often, in milliseconds. */
export const useNotedMs = 60_000;

/** Makes a token and stores its hash. The token itself is in this answer and nowhere else. */
export async function createToken(
  database: Database,
  request: TokenRequest,
  by: string,
): Promise<Token & { token: string }> {
  const token = makeToken();
  const made = await database.transaction((transaction) => appendToken(transaction, token, request, by));
  if (made === undefined) throw new Error('a token was made twice');
  return { ...made, token };
}

export async function listTokens(database: Database): Promise<Token[]> {
  return (await database.select().from(tokens).orderBy(desc(tokens.createdAt))).map(present);
}

/** What the tokens with these ids are called; one that is not stored here has no name. */
export async function findTokenNames(database: Database, ids: string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await database
    .select({ id: tokens.id, name: tokens.name })
    .from(tokens)
    .where(inArray(tokens.id, [...new Set(ids)]));
  return new Map(rows.map(({ id, name }) => [id, name]));
}

/** Throws `token_not_found`. */
export async function findToken(database: Database, id: string): Promise<Token> {
  const [row] = await database.select().from(tokens).where(eq(tokens.id, id));
  if (row === undefined) throw new RequestError('token_not_found', `there is no token ${id}`);
  return present(row);
}

/**
 * Takes a token's rights away at once and for good; to do so again changes nothing. Throws `token_not_found`, and `last_admin`
 * for the only token that can still administer everything.
 */
export async function revokeToken(database: Database, id: string, by: string): Promise<void> {
  await database.transaction(async (transaction) => {
    await lockAdmins(transaction);
    const { revokedAt } = await findToken(transaction, id);
    if (revokedAt !== null) return;
    const admins = await findUsableAdmins(transaction);
    if (admins.length === 1 && admins[0] === id) {
      throw new RequestError(
        'last_admin',
        'nobody could make tokens any more: make another admin token first',
      );
    }
    await transaction.update(tokens).set({ revokedAt: new Date(), revokedBy: by }).where(eq(tokens.id, id));
    await appendAudit(transaction, { by, action: 'token.revoked', about: { token: id } });
  });
}

/**
 * Who presents this token. The look-up is by hash: whatever its time may tell is about a hash, which leads to no token. Throws
 * `token_unknown`, and to whoever holds one that was good once, `token_revoked` or `token_expired`.
 */
export async function findReader(database: Database, token: string): Promise<Reader> {
  return (await findReaderOf(database, token)).answer;
}

/** As `findReader`, with until when the token is good if it is not revoked. */
export async function findReaderOf(database: Database, token: string): Promise<Lasting<Reader>> {
  if (isMistyped(token)) {
    throw new RequestError('token_unknown', 'its checksum does not hold: the token was mistyped or cut');
  }
  const [row] = await database
    .select()
    .from(tokens)
    .where(eq(tokens.sha256, hashOf(token)));
  if (row === undefined)
    throw new RequestError('token_unknown', 'this service has made none like it: use one of its own');
  return { answer: readerWith(row), untilMs: row.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY };
}

/** Who holds this token. Throws `token_revoked` or `token_expired` where it is good no more. */
export function readerWith(row: typeof tokens.$inferSelect): Reader {
  if (row.revokedAt !== null) {
    throw new RequestError('token_revoked', 'the token was revoked: ask an admin for another');
  }
  if (row.expiresAt !== null && row.expiresAt.getTime() <= Date.now()) {
    throw new RequestError('token_expired', 'the token has expired: ask an admin for another');
  }
  const { id, role, gates, suites, owner } = row;
  return {
    tokenId: id,
    role: z.enum(roles).parse(role),
    gates,
    suites,
    person: owner ?? id,
    repository: null,
  };
}

/** Whether a reader who was let in a while ago would be let in now. A CI job's own token is not stored, and ends by itself. */
export async function isGood(database: Database, tokenId: string): Promise<boolean> {
  if (!z.uuid().safeParse(tokenId).success) return true;
  const [row] = await database
    .select({ revokedAt: tokens.revokedAt, expiresAt: tokens.expiresAt })
    .from(tokens)
    .where(eq(tokens.id, tokenId));
  return row?.revokedAt === null && (row.expiresAt === null || row.expiresAt.getTime() > Date.now());
}

/** Writes down that a token is being used, unless that was done within the last minute. */
export async function noteUse(database: Database, id: string): Promise<void> {
  const now = Date.now();
  await database
    .update(tokens)
    .set({ lastUsedAt: new Date(now) })
    .where(
      and(
        eq(tokens.id, id),
        or(isNull(tokens.lastUsedAt), lt(tokens.lastUsedAt, new Date(now - useNotedMs))),
      ),
    );
}

/**
 * Sees to it that there is an admin token: the given one, or a new one if no other can be used. Answers the new one, which
 * must be shown now or never. Several processes may ask at once: one of them makes it.
 */
export async function ensureAdminToken(
  database: Database,
  given: string | undefined,
): Promise<string | undefined> {
  return database.transaction(async (transaction) => {
    await lockAdmins(transaction);
    if (given !== undefined) {
      // If it was revoked once, it stays so.
      await appendToken(transaction, given, { role: 'admin', name: 'HOLDBACK_ADMIN_TOKEN' }, 'service');
    }
    if ((await findUsableAdmins(transaction)).length > 0) return undefined;
    const token = makeToken();
    await appendToken(transaction, token, { role: 'admin', name: 'first admin' }, 'service');
    return token;
  });
}

/** Stores a token with its record in the audit; undefined if it is stored already. */
async function appendToken(
  transaction: Database,
  token: string,
  request: TokenRequest,
  by: string,
): Promise<Token | undefined> {
  const { role, name, gates = null, suites = null, expiresAt = null } = request;
  const owner = await ownerAsKnown(transaction, request.owner);
  const [row] = await transaction
    .insert(tokens)
    .values({
      ...{ role, name, owner, gates, suites },
      id: randomUUID(),
      sha256: hashOf(token),
      expiresAt: expiresAt === null ? null : new Date(expiresAt),
      createdBy: by,
    })
    .onConflictDoNothing({ target: tokens.sha256 })
    .returning();
  if (row === undefined) return undefined;
  const about = { token: row.id, role, name, owner, gates, suites, expiresAt };
  await appendAudit(transaction, { by, action: 'token.made', about });
  return present(row);
}

/** An owner as their first token names them: with other capitals or spaces it is the same person, who must not count as two. */
async function ownerAsKnown(transaction: Database, owner: string | undefined): Promise<string | null> {
  if (owner === undefined) return null;
  const plain = (name: string | null) =>
    name?.normalize('NFKC').toLowerCase().split(/\s+/).filter(Boolean).join(' ');
  const owned = await transaction
    .select({ owner: tokens.owner })
    .from(tokens)
    .where(isNotNull(tokens.owner))
    .orderBy(asc(tokens.createdAt));
  return owned.find((known) => plain(known.owner) === plain(owner))?.owner ?? owner;
}

/** Until the transaction ends, nobody else makes or revokes an admin token on the strength of which others there are. */
async function lockAdmins(transaction: Database): Promise<void> {
  await transaction.execute(sql`SELECT pg_advisory_xact_lock(7276552)`);
}

/** The ids of at most two tokens that can administer everything now. */
async function findUsableAdmins(database: Database): Promise<string[]> {
  const rows = await database
    .select({ id: tokens.id })
    .from(tokens)
    .where(
      and(
        eq(tokens.role, 'admin'),
        isNull(tokens.gates),
        isNull(tokens.suites),
        isNull(tokens.revokedAt),
        or(isNull(tokens.expiresAt), gt(tokens.expiresAt, new Date())),
      ),
    )
    .limit(2);
  return rows.map(({ id }) => id);
}

/** What of a token is stored and kept: nobody can get it back from that. */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function present({ sha256: _, ...row }: typeof tokens.$inferSelect): Token {
  const iso = (time: Date | null) => time?.toISOString() ?? null;
  return {
    ...row,
    role: z.enum(roles).parse(row.role),
    createdAt: row.createdAt.toISOString(),
    expiresAt: iso(row.expiresAt),
    lastUsedAt: iso(row.lastUsedAt),
    revokedAt: iso(row.revokedAt),
  };
}
