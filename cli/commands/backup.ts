/**
 * `holdback backup` and `holdback restore`: all that a service keeps, in one file, and a database from such a file. A backup is checked
 * before it gets its name, and once more before anything is made of it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, open, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, extname } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type Backup, readBackup } from '../../migrations/journal/backup-file.ts';
import { type Restored, restoreReportSchema } from '../../server/restored.ts';
import { type Client, connect } from '../client.ts';
import type { Command } from '../command.ts';
import { CommandError, usageError } from '../errors.ts';
import { whyOf } from '../files.ts';
import { abortOnInterruption } from '../interruption.ts';
import { withProgress } from '../progress.ts';

/** A backup that was taken, and what it says of itself. */
export type TakenBackup = Backup & { file: string; bytes: number };

/** `.ts` in a clone, `.js` in the published package. */
const restoreMain = fileURLToPath(
  new URL(`../../server/restore-main${extname(import.meta.url)}`, import.meta.url),
);

export const backupCommand: Command = {
  words: 'backup',
  about: 'Write all that the service keeps into one file, while it goes on. Needs an admin token.',
  positionals: [{ name: 'FILE', about: 'The file to write.' }],
  flags: { force: { about: 'Replace FILE if it is there.' } },
  notes: [
    'The identity is not in it: keep that elsewhere. Without it nothing that is sealed opens.',
    'FILE gets its name when all of it is there, was checked and is on the disk; only its owner can read it.',
  ],
  async run(given) {
    const file = given.requiredPositional(0);
    if (!given.has('force') && (await isThere(file)))
      throw usageError(`${file} is there already: name another file, or say --force to replace it`);
    return {
      kind: 'backup',
      taken: await withProgress('taking a backup', takeBackup(connect(given.environment), file)),
    };
  },
};

export const restoreCommand: Command = {
  words: 'restore',
  about: 'Make a database from a backup, where there is none: for a service that does not run.',
  positionals: [{ name: 'FILE', about: 'What `holdback backup` has written.' }],
  flags: {
    'data-dir': {
      value: 'FOLDER',
      about: 'Where the embedded database is to be: HOLDBACK_DATA_DIR (.holdback).',
    },
    'database-url': {
      value: 'URL',
      about: 'An empty PostgreSQL instead. With a password, set DATABASE_URL rather: others can see this.',
    },
  },
  notes: [
    'The settings are those of `holdback serve`. The identity that the backup is sealed to must be there first: in the data',
    'directory as `identity`, or by HOLDBACK_IDENTITY or HOLDBACK_IDENTITY_FILE. A backup of an embedded database can be',
    'restored into PostgreSQL, and the other way. What is there already is never changed.',
  ],
  async run(given) {
    const flags = Object.entries({ 'data-dir': 'HOLDBACK_DATA_DIR', 'database-url': 'DATABASE_URL' });
    const settings = flags.flatMap(([flag, name]) => {
      const value = given.text(flag);
      return value === undefined ? [] : [[name, value]];
    });
    const environment = { ...given.environment, ...Object.fromEntries(settings) };
    const restoring = restore(given.requiredPositional(0), environment);
    return { kind: 'restored', restored: await withProgress('restoring', restoring) };
  },
};

/** Into a file beside, which takes the place when it is whole. Throws CommandError; then FILE is what it was. */
async function takeBackup(client: Client, file: string): Promise<TakenBackup> {
  const draft = `${file}.${process.pid}.draft`;
  const interruption = abortOnInterruption();
  try {
    await download(client, draft, interruption);
    const read = readBackup(draft);
    if ('fault' in read)
      throw new CommandError('service', 'backup_broken', `what came is not a whole backup: ${read.fault}`);
    await rename(draft, file);
    await syncFolder(dirname(file));
    return { file, bytes: read.bytes, ...read.backup };
  } catch (cause) {
    if (interruption.aborted)
      throw new CommandError(
        'service',
        'interrupted',
        'interrupted: no backup was taken, and nothing is left of it',
      );
    if (cause instanceof CommandError) throw cause;
    throw usageError(`${file} cannot be written (${whyOf(cause)})`, { cause });
  } finally {
    await rm(draft, { force: true });
  }
}

async function download(client: Client, path: string, calledOff: AbortSignal): Promise<void> {
  const output = await open(path, 'wx', 0o600);
  try {
    for await (const piece of client.download({ method: 'POST', path: ['backup'] }, calledOff))
      await output.writeFile(piece);
    await output.sync();
  } finally {
    await output.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}

/** A process of the service's own code, because a command opens no database. Throws CommandError. */
async function restore(file: string, environment: NodeJS.ProcessEnv): Promise<Restored> {
  const path = await realpath(file).catch((cause: unknown) => {
    throw usageError(`${file} cannot be read (${whyOf(cause)})`, { cause });
  });
  const child = spawn(process.execPath, [restoreMain, path], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed] = await Promise.all([text(child.stdout), once(child, 'close')]);
  const report = restoreReportSchema.safeParse(parseJson(printed)).data;
  if (report === undefined)
    throw new CommandError(
      'service',
      'restore_failed',
      `restoring ${basename(file)} was interrupted: there is no database of it; say it again`,
    );
  if ('restored' in report) return report.restored;
  throw new CommandError('usage', report.refused.code, report.refused.message);
}

function parseJson(printed: string): unknown {
  try {
    return JSON.parse(printed);
  } catch {
    return undefined;
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
