/**
 * The age identity that opens sealed suites: given by the environment, or kept in a file for its owner's eyes only. While it
 * is rotated the file holds two, the new one first: what is sealed to either opens, whenever the process dies.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { makeFolder } from '../../migrations/make-folder.ts';
import { syncFolder } from '../../migrations/sync-folder.ts';
import { SuiteError } from '../errors.ts';
import { seal } from './sealing.ts';

export type Identity = {
  /** `AGE-SECRET-KEY-…`, each opens: never logged, never answered. The first is the current one, the others are being left. */
  secrets: string[];
  /** `age1…`, of the current one: what suites are sealed to. */
  recipient: string;
  /** Those of the others. */
  earlier: string[];
  /** What suites are sealed to besides, for example a key kept in a safe. */
  recipients: string[];
};

export type IdentitySource = {
  dataDir: string;
  identity?: string | undefined;
  identityFile?: string | undefined;
  /** What everything is sealed to besides, as `age1…`. */
  recipients?: readonly string[] | undefined;
};

/** Written above the identities while a rotation is under way, so that no identity is removed that somebody put there. */
const rotationNote = '# Holdback is leaving all but the first of these.';

/** Reads the identity, or makes the data directory's on first use. Throws `identity_invalid` and `identity_not_writable`. */
export async function loadIdentity(source: IdentitySource): Promise<Identity> {
  const recipients = [...(source.recipients ?? [])];
  await requireRecipients(recipients);
  const path = identityPath(source);
  if (path === undefined) return parseIdentity(source.identity ?? '', 'HOLDBACK_IDENTITY', recipients);
  if (source.identityFile === undefined && !existsSync(path)) await makeIdentity(path);
  return parseIdentity(await readText(path), path, recipients);
}

/** The file of the identity, or undefined if the environment gives it. */
export function identityPath({ dataDir, identity, identityFile }: IdentitySource): string | undefined {
  if (identity !== undefined) return undefined;
  return identityFile ?? join(dataDir, 'identity');
}

/** Whether a rotation that did not end has left its file. Throws `identity_invalid`. */
export async function isBeingRotated(path: string): Promise<boolean> {
  return (await readText(path)).startsWith(rotationNote);
}

/** A new identity before these, which go on opening. */
export async function renewIdentity({ secrets, recipients }: Identity): Promise<Identity> {
  return identityOf([await generateX25519Identity(), ...secrets], recipients);
}

/** The current identity alone. */
export function leaveEarlier(identity: Identity): Identity {
  return { ...identity, secrets: identity.secrets.slice(0, 1), earlier: [] };
}

/** Puts an identity into its file, in one step that a crash cannot divide. Throws `identity_not_writable`; then nothing has changed. */
export async function writeIdentity(path: string, { secrets }: Identity): Promise<void> {
  const lines = [...(secrets.length > 1 ? [rotationNote] : []), ...secrets];
  try {
    // What a link points to is replaced, not the link.
    const target = await realpath(path);
    const draft = `${target}.${randomUUID()}`;
    try {
      await writeFile(draft, `${lines.join('\n')}\n`, { mode: 0o600, flag: 'wx', flush: true });
      await rename(draft, target);
    } finally {
      await rm(draft, { force: true });
    }
    await syncFolder(dirname(target));
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? cause.code : 'failed';
    throw new SuiteError(
      'identity_not_writable',
      `the file of the identity cannot be replaced (${why}): let the service write to its folder, or put a new identity before the old one in it, restart, and remove the old one when \`holdback identity show\` says settled`,
      { cause },
    );
  }
}

async function identityOf(secrets: string[], recipients: string[]): Promise<Identity> {
  const [recipient = '', ...earlier] = await Promise.all(secrets.map(identityToRecipient));
  return { secrets, recipient, earlier, recipients };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new SuiteError('identity_invalid', `the identity file ${path} could not be read`, { cause });
  }
}

async function parseIdentity(text: string, where: string, recipients: string[]): Promise<Identity> {
  // The format of age-keygen: comments, then the key.
  const words = text.split('\n').flatMap((line) => (line.startsWith('#') ? [] : line.split(/\s+/)));
  const secrets = words.filter((word) => word.startsWith('AGE-SECRET-KEY-'));
  try {
    if (secrets.length > 0) return await identityOf(secrets, recipients);
  } catch {
    // What follows says the same, and the library's words might carry a part of the key.
  }
  throw new SuiteError('identity_invalid', `${where} holds no age identity (AGE-SECRET-KEY-…)`);
}

/** Seals something to each, because some that cannot be sealed to look as they should. */
async function requireRecipients(recipients: string[]): Promise<void> {
  for (const [index, recipient] of recipients.entries()) {
    await seal('', [recipient]).catch(() => {
      // It may be anything that was pasted there, a secret too.
      throw new SuiteError(
        'identity_invalid',
        `number ${index + 1} in HOLDBACK_RECIPIENTS is not an age recipient (age1…)`,
      );
    });
  }
}

/** Of several processes that start at once, the first to link its file wins, and no file is ever half written. */
async function makeIdentity(path: string): Promise<void> {
  makeFolder(dirname(path));
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, `${await generateX25519Identity()}\n`, { mode: 0o600, flag: 'wx', flush: true });
    await link(draft, path);
    // What is sealed to it must not outlive it.
    await syncFolder(dirname(path));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return;
    const why = cause instanceof Error ? cause.message : cause;
    throw new SuiteError('identity_not_writable', `the identity cannot be written to ${path} (${why})`, {
      cause,
    });
  } finally {
    await rm(draft, { force: true });
  }
}
