/** The age identity that opens sealed suites: given by the environment, or made once and kept for its owner's eyes only. */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { SuiteError } from './errors.ts';

export type Identity = {
  /** `AGE-SECRET-KEY-…`, each opens: never logged, never answered. The first is the current one, the others are being left. */
  secrets: string[];
  /** `age1…`, of the current one: what suites are sealed to. */
  recipient: string;
  /** What they are sealed to besides, for example a key kept in a safe. */
  recipients: string[];
};

export type IdentitySource = {
  dataDir: string;
  identity?: string | undefined;
  identityFile?: string | undefined;
};

/** Reads the identity, or makes the data directory's on first use. Throws `identity_invalid`. */
export async function loadIdentity(source: IdentitySource): Promise<Identity> {
  if (source.identity !== undefined) return parseIdentity(source.identity, 'HOLDBACK_IDENTITY');
  if (source.identityFile !== undefined) return readIdentity(source.identityFile);
  const path = join(source.dataDir, 'identity');
  await makeIdentity(path);
  return readIdentity(path);
}

async function readIdentity(path: string): Promise<Identity> {
  try {
    return await parseIdentity(await readFile(path, 'utf8'), path);
  } catch (cause) {
    if (cause instanceof SuiteError) throw cause;
    throw new SuiteError('identity_invalid', `the identity file ${path} could not be read`, { cause });
  }
}

async function parseIdentity(text: string, where: string): Promise<Identity> {
  // The format of age-keygen: comments, then the key.
  const secrets = text.split(/\s+/).filter((word) => word.startsWith('AGE-SECRET-KEY-'));
  const [current] = secrets;
  try {
    if (current !== undefined) {
      return { secrets, recipient: await identityToRecipient(current), recipients: [] };
    }
  } catch {
    // What follows says the same, and the library's words might carry a part of the key.
  }
  throw new SuiteError('identity_invalid', `${where} holds no age identity (AGE-SECRET-KEY-…)`);
}

/** Of several processes that start at once, the first to link its file wins, and no file is ever half written. */
async function makeIdentity(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${await generateX25519Identity()}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    await link(draft, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(draft);
  }
}
