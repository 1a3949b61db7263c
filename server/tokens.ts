/**
 * Tokens: `hb_`, 32 random base62 characters and their CRC32, so that secret scanners can know one (GitHub's scheme). A token
 * is shown once and stored as its SHA-256 alone.
 */
import { createHash, randomInt, randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { and, desc, eq, sql } from 'drizzle-orm';
import { z } from 'zod';
import { type Role, roles } from '../gate/disclosed.ts';
import { wellFormed } from '../gate/gate.ts';
import type { Database } from '../migrations/open-database.ts';
import { tokens } from '../migrations/tables.ts';
import { slugSchema } from '../suites/suite.ts';
import { RequestError } from './problems.ts';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const randomLength = 32;
const checksumLength = 6;

export const tokenRequestSchema = z.strictObject({
  role: z.enum(roles),
  name: wellFormed(200).describe('What the token is for.'),
  gates: z
    .array(slugSchema)
    .min(1)
    .max(100)
    .optional()
    .describe('The gates it is limited to; all if left out.'),
});
export type TokenRequest = z.infer<typeof tokenRequestSchema>;

export const tokenSchema = z.strictObject({
  id: z.uuid(),
  role: z.enum(roles),
  name: z.string(),
  gates: z.array(slugSchema).nullable(),
  createdAt: z.iso.datetime(),
});
export type Token = z.infer<typeof tokenSchema>;

/** Who is asking. */
export type Reader = { tokenId: string; role: Role; gates: string[] | null; suites: string[] | null };

/** A fresh token: `hb_` + 32 base62 + 6-character CRC32 of these. */
export function makeToken(): string {
  const random = Array.from({ length: randomLength }, () => alphabet[randomInt(alphabet.length)]).join('');
  return `hb_${random}${checksum(random)}`;
}

function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let index = 0; index < checksumLength; index++) {
    digits = `${alphabet[rest % alphabet.length]}${digits}`;
    rest = Math.floor(rest / alphabet.length);
  }
  return digits;
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Makes a token and stores its hash. The token itself is in this answer and nowhere else. */
export async function createToken(
  database: Database,
  request: TokenRequest,
): Promise<Token & { token: string }> {
  const token = makeToken();
  const [row] = await database
    .insert(tokens)
    .values({ ...request, id: randomUUID(), sha256: hash(token) })
    .returning();
  if (row === undefined) throw new Error('the token was not stored');
  return { ...present(row), token };
}

export async function listTokens(database: Database): Promise<Token[]> {
  return (await database.select().from(tokens).orderBy(desc(tokens.createdAt))).map(present);
}

/** Throws `token_not_found`. */
export async function findToken(database: Database, id: string): Promise<Token> {
  const [row] = await database.select().from(tokens).where(eq(tokens.id, id));
  if (row === undefined) throw new RequestError('token_not_found', `there is no token ${id}`);
  return present(row);
}

/** Takes a token's rights away at once. Throws `token_not_found`. */
export async function deleteToken(database: Database, id: string): Promise<void> {
  await findToken(database, id);
  await database.delete(tokens).where(eq(tokens.id, id));
}

/** Who presents this token, or undefined. The look-up is by hash, so its time tells nothing of the token. */
export async function findReader(database: Database, token: string): Promise<Reader | undefined> {
  const [row] = await database
    .select()
    .from(tokens)
    .where(eq(tokens.sha256, hash(token)));
  if (row === undefined) return undefined;
  return { tokenId: row.id, role: z.enum(roles).parse(row.role), gates: row.gates, suites: row.suites };
}

/**
 * Sees to it that there is an admin token: the given one, or a new one if there is none at all. Answers the new one, which
 * must be shown now or never. Several processes may ask at once: one of them makes it.
 */
export async function ensureAdminToken(
  database: Database,
  given: string | undefined,
): Promise<string | undefined> {
  return database.transaction(async (transaction) => {
    await transaction.execute(sql`SELECT pg_advisory_xact_lock(7276552)`);
    if (given !== undefined) {
      await transaction
        .insert(tokens)
        .values({ id: randomUUID(), role: 'admin', name: 'HOLDBACK_ADMIN_TOKEN', sha256: hash(given) })
        .onConflictDoNothing();
      return undefined;
    }
    const admins = await transaction
      .select({ id: tokens.id })
      .from(tokens)
      .where(and(eq(tokens.role, 'admin')))
      .limit(1);
    if (admins.length > 0) return undefined;
    const created = await createToken(transaction, { role: 'admin', name: 'first admin' });
    return created.token;
  });
}

function present(row: typeof tokens.$inferSelect): Token {
  return {
    id: row.id,
    role: z.enum(roles).parse(row.role),
    name: row.name,
    gates: row.gates,
    createdAt: row.createdAt.toISOString(),
  };
}
