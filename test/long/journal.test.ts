/** What the embedded database has acknowledged outlives a kill, a loss of power, and the loss of the database itself. */
import { randomBytes } from 'node:crypto';
import {
  appendFile,
  cp,
  open as openFile,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
} from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { openDatabase } from '../../migrations/open-database.ts';
import { contentsOf } from '../database-contents.ts';
import { type ProcessOptions, type ServiceProcess, startProcess } from '../service-process.ts';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { adminToken, type Client, clientOf, openWorld, scoreRequest } from '../world.ts';

const small = {
  HOLDBACK_POOL: '1',
  HOLDBACK_CONCURRENCY: '1',
  HOLDBACK_HOSTS_PER_SCORE: '1',
  HOLDBACK_SLOT_MS: '0',
};
const right = 'export const run = (x) => x + 1';
const cases = [
  { name: 'one', input: 1, expect: { equals: 2 } },
  { name: 'two', input: 2, expect: { equals: 3 } },
];

let dataDir: string;
let red: unknown;
let green: unknown;

function start(options: ProcessOptions = {}): ServiceProcess {
  const settings = { ...small, HOLDBACK_DATA_DIR: dataDir, HOLDBACK_ADMIN_TOKEN: adminToken };
  const service = startProcess(settings, options);
  onTestFinished(() => service.end('SIGKILL'));
  return service;
}

/** In this process, which nobody kills: then a start takes a third of the time. Ends when it is closed, or with its test. */
async function open(): Promise<{ admin: Client; told: string[]; close(): Promise<void> }> {
  const told: string[] = [];
  const hear = ({ message }: Error) => told.push(message);
  process.on('warning', hear);
  onTestFinished(() => void process.off('warning', hear));
  const { admin, close } = await openWorld({ ...small, HOLDBACK_DATA_DIR: dataDir });
  return { admin, told, close };
}

const adminOf = async (service: ServiceProcess) => clientOf(await service.listening, adminToken);
const idOf = (score: unknown) => z.object({ id: z.uuid() }).parse(score).id;

/** Scores a build, and then the process is killed: all that was answered was acknowledged. */
async function scoreAndKill(change: string, source = right): Promise<unknown> {
  const service = start();
  const admin = await adminOf(service);
  const scored = await admin('POST', '/score', scoreRequest('kept', `${source} // ${change}`, change));
  expect(scored.status, scored.text).toBe(200);
  await service.end('SIGKILL');
  return scored.json;
}

/** Sees that everything that was acknowledged is there, and that the audit holds. */
async function expectAll(admin: Client, ...scores: unknown[]): Promise<void> {
  for (const score of [red, green, ...scores])
    expect((await admin('GET', `/scores/${idOf(score)}`)).json).toEqual(score);
  expect((await admin('GET', '/gates/kept')).json).toMatchObject({ version: 1, suites: ['kept'] });
  expect((await admin('GET', '/suites/kept/revisions/1')).json).toMatchObject({ cases: 2, state: 'active' });
  expect((await admin('POST', '/score', scoreRequest('kept', right, 'again'))).json).toMatchObject({
    verdict: 'merge',
  });
}

async function allRows(): Promise<Record<string, string[]>> {
  const database = await openDatabase({ dataDir });
  return contentsOf(database).finally(() => database.close());
}

const database = () => join(dataDir, 'database');

async function lastLog(): Promise<string> {
  const logs = (await readdir(join(dataDir, 'journal'))).filter((name) => name.endsWith('.log')).toSorted();
  return join(dataDir, 'journal', logs.at(-1) ?? '');
}

beforeAll(async () => {
  dataDir = await temporaryFolder();
  await copyTemplate(dataDir);
  const service = startProcess({ ...small, HOLDBACK_DATA_DIR: dataDir, HOLDBACK_ADMIN_TOKEN: adminToken });
  const admin = await adminOf(service);
  await admin('POST', '/suites/kept/revisions?activate=true', { cases });
  await admin('PUT', '/gates/kept', { suites: ['kept'], attemptsPerChange: 1_000 });
  red = (await admin('POST', '/score', scoreRequest('kept', 'export const run = (x) => x', 'red'))).json;
  green = (await admin('POST', '/score', scoreRequest('kept', right, 'green'))).json;
  expect(green).toMatchObject({ verdict: 'merge' });
  await service.end('SIGKILL');
});

describe('the embedded database', () => {
  test('is made anew from the journal where it is gone, row by row as it was', async () => {
    const before = await allRows();
    await rm(database(), { recursive: true });
    const after = await allRows();
    expect(after).toEqual(before);
    expect(before.verdicts?.length).toBeGreaterThan(1);
  });

  test('that lost what it wrote last, or is damaged, is put aside and made anew, and the log says so', async () => {
    await cp(database(), `${database()}.earlier`, { recursive: true });
    const lost = await scoreAndKill('lost');
    await rename(database(), `${database()}.later`);
    await rename(`${database()}.earlier`, database());
    const second = start();
    await expectAll(await adminOf(second), lost);
    expect(second.printed()).toContain('has lost what was written last');
    expect(second.printed()).toContain('made anew from the journal');
    await second.end('SIGKILL');
    // Bytes in the middle of tables change on the disk.
    const folder = join(database(), 'base', '5');
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (!/^\d+$/.test(name) || (await stat(path)).size < 16_384) continue;
      const file = await openFile(path, 'r+');
      await file.write(Buffer.alloc(64, 0xa5), 0, 64, 9_000);
      await file.close();
    }
    const third = await open();
    await expectAll(third.admin, lost);
    expect(third.told).toContainEqual(expect.stringContaining('made anew from the journal'));
    await third.close();
    const kept = (await readdir(dataDir)).filter((name) => name.startsWith('database.broken'));
    expect(kept.length).toBeGreaterThanOrEqual(2);
    // Without its own log it does not open.
    await rm(join(database(), 'pg_wal'), { recursive: true });
    const fourth = await open();
    await expectAll(fourth.admin, lost);
    expect(fourth.told).toContainEqual(expect.stringContaining('made anew from the journal'));
    await fourth.close();
  });
});

describe('a disk without room', () => {
  test('has everything refused that is not kept, and nothing lost that was acknowledged', async () => {
    // The database's own log, which it makes ahead, has 16 MiB.
    const service = start({ fileBytesMax: 17 * 2 ** 20 });
    const admin = await adminOf(service);
    const type = { 'content-type': 'application/octet-stream' };
    const taken: string[] = [];
    let refused: number | undefined;
    while (refused === undefined && taken.length < 10) {
      const build = randomBytes(2 * 2 ** 20).toString('latin1');
      const { status, json } = await admin('POST', '/candidates', build, type);
      if (status === 201) taken.push(z.object({ digest: z.string() }).parse(json).digest);
      else refused = status;
    }
    expect(refused).toBeGreaterThanOrEqual(500);
    expect(taken.length).toBeGreaterThan(0);
    const scored = await admin('POST', '/score', scoreRequest('kept', right, 'no room'));
    await service.end('SIGKILL');
    const again = await open();
    await expectAll(again.admin, ...(scored.status === 200 ? [scored.json] : []));
    for (const digest of taken) {
      const known = await again.admin('POST', '/score', {
        gate: 'kept',
        change: { id: 'known', commit: 'c0ffee' },
        candidate: { digest },
      });
      expect(known.json).toMatchObject({ verdict: 'block', candidate: { digest } });
    }
    await again.close();
  });
});

describe('the journal', () => {
  test('that ends in the middle of a record is cut off there, and goes on with what the database has', async () => {
    const torn = await scoreAndKill('torn');
    const log = await lastLog();
    await truncate(log, (await stat(log)).size - 7);
    const service = start();
    await expectAll(await adminOf(service), torn);
    expect(service.printed()).toContain('was not written to its end');
    await service.end('SIGKILL');
    await rm(database(), { recursive: true });
    const again = await open();
    await expectAll(again.admin, torn);
    await again.close();
  });

  test('that ends in bytes that are no record loses these alone', async () => {
    const kept = await scoreAndKill('garbage');
    await appendFile(await lastLog(), Buffer.alloc(100, 7));
    const service = await open();
    await expectAll(service.admin, kept);
    await service.close();
  });

  test('that is damaged before its end is never skipped: the service does not start, and says what to do', async () => {
    const log = await lastLog();
    const whole = await readFile(log);
    const file = await openFile(log, 'r+');
    await file.write(Buffer.from([(whole[200] ?? 0) ^ 0xff]), 0, 1, 200);
    await file.close();
    const service = start();
    expect(await service.ended).toBe(1);
    expect(service.printed()).toMatch(
      /^holdback could not start: the journal is not whole: .*restore a backup.*\n$/,
    );
    const mended = await openFile(log, 'r+');
    await mended.write(whole.subarray(200, 201), 0, 1, 200);
    await mended.close();
    const again = await open();
    await expectAll(again.admin);
    await again.close();
  });
});
