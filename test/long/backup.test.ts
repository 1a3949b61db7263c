/** A backup is of a live service, whole or refused; what is restored from it is what there was, and goes on scoring. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { generateX25519Identity } from 'age-encryption';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { encodeBackup, readBackup } from '../../migrations/journal/backup-file.ts';
import { openDatabase } from '../../migrations/open-database.ts';
import { readConfig } from '../../server/config.ts';
import { restoreBackup } from '../../server/restore-backup.ts';
import { digestOf } from '../../suites/sealing/sealing.ts';
import { runCommand, runCommandProcess } from '../command.ts';
import { contentsOf } from '../database-contents.ts';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { adminToken, openWorld, scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

const right = 'export const run = (x) => x + 1';
const wrong = 'export const run = (x) => x';
const cases = [
  { name: 'one', input: 1, expect: { equals: 2 } },
  { name: 'two', input: 2, expect: { equals: 3 } },
];
const idSchema = z.object({ id: z.uuid() });

let home: string;
let world: World;
/** A backup that was taken while scores were made, and what had been answered before it was begun. */
let backup: string;
const told = new Map<string, unknown>();
let server: PostgresServer;

/** A folder with the identity of the service that was backed up, and nothing else. */
async function folderWithIdentity(name: string): Promise<string> {
  const folder = join(home, name);
  await mkdir(folder);
  await copyFile(join(world.dataDir, 'identity'), join(folder, 'identity'));
  return folder;
}

const asAdmin = (address: string) => ({ HOLDBACK_URL: address, HOLDBACK_TOKEN: adminToken });
const restore = (environment: Record<string, string>, file = backup) =>
  restoreBackup(readConfig(environment), file);

async function connectionTo(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

async function rowsIn(place: { dataDir: string; databaseUrl?: string }): Promise<Record<string, string[]>> {
  const database = await openDatabase(place);
  try {
    return await contentsOf(database);
  } finally {
    await database.close();
  }
}

/** Sees that a service has all that was told, holds to its audit, and still blocks what is wrong and merges what is right. */
async function expectGoesOn({ admin, service }: World): Promise<void> {
  for (const [id, score] of told) expect((await admin('GET', `/scores/${id}`)).json).toEqual(score);
  const query = new URLSearchParams({
    gate: 'kept',
    change: 'first',
    commit: 'c0ffee',
    candidate: digestOf(right),
  });
  const verdict = await admin('GET', `/verdict?${query}`);
  expect(verdict.json).toMatchObject({ verdict: 'merge' });
  const asked = async (source: string, change: string) =>
    (await admin('POST', '/score', scoreRequest('kept', source, change))).json;
  expect(await asked(`${wrong} // again`, 'later')).toMatchObject({ verdict: 'block', reason: 'red' });
  expect(await asked(`${right} // again`, 'later')).toMatchObject({ verdict: 'merge' });
  expect(await runCommand(['audit', 'verify'], asAdmin(service.address))).toMatchObject({ code: 0 });
}

beforeAll(async () => {
  home = await temporaryFolder();
  [world, server] = await Promise.all([startWorld(), startPostgres()]);
  await sealSuite(world, 'kept', { cases });
  const score = (source: string, change: string) =>
    world.admin('POST', '/score', scoreRequest('kept', source, change));
  for (const [source, change] of [
    [right, 'first'],
    [wrong, 'second'],
  ] as const) {
    const { json } = await score(source, change);
    told.set(idSchema.parse(json).id, json);
  }
  backup = join(home, 'live.backup');
  let isDone = false;
  const scoring = (async () => {
    for (let number = 0; !isDone; number++) {
      const { json } = await score(`${number % 2 === 0 ? right : wrong} // ${number}`, `meanwhile-${number}`);
      expect(json).toMatchObject({ verdict: number % 2 === 0 ? 'merge' : 'block' });
    }
  })();
  const taken = await runCommand(['backup', backup], asAdmin(world.service.address)).finally(() => {
    isDone = true;
  });
  await scoring;
  expect(taken).toMatchObject({ code: 0, out: expect.stringContaining('the embedded database as it was') });
  expect(taken.err).toContain('the identity is not in it');
});
afterAll(async () => {
  await Promise.all([world.close(), server.close()]);
  await rm(home, { recursive: true, force: true });
});

describe('a backup', () => {
  test('that was taken while scores were made is of one moment, row by row as it was, and a service goes on from it', async () => {
    expect((await stat(backup)).mode & 0o777).toBe(0o600);
    const dataDir = await folderWithIdentity('embedded');
    const restored = await runCommand(['restore', backup, '--data-dir', dataDir], {});
    expect(restored).toMatchObject({
      code: 0,
      out: expect.stringMatching(/1 suite, 1 gate, \d+ scores, \d+ verdicts/),
    });
    expect(restored.err).toContain('start the service with the identity of age1');
    const [source, copy] = [await contentsOf(world.service.database), await rowsIn({ dataDir })];
    // What restoring itself has recorded, and signed.
    expect(copy.audit?.filter((row) => row.includes('backup.restored'))).toHaveLength(1);
    for (const [table, rows] of Object.entries(copy)) {
      const known = new Set(source[table]);
      const others = rows.filter((row) => !known.has(row));
      if (table === 'audit' || table === 'audit_heads') expect(others, table).toHaveLength(1);
      // It was noted since when the token was used last.
      else if (table !== 'tokens') expect(others, table).toEqual([]);
    }
    // A verdict and the results of its cases were committed together.
    expect(copy.verdicts?.length).toBeGreaterThanOrEqual(told.size);
    expect(copy.case_results).toHaveLength((copy.verdicts?.length ?? 0) * cases.length);
    await expectGoesOn(await openWorld({ HOLDBACK_DATA_DIR: dataDir }));
  });

  test('of an embedded database can be restored into PostgreSQL, and the other way, row by row', async () => {
    const identity = (await readFile(join(world.dataDir, 'identity'), 'utf8')).trim();
    const settings = { DATABASE_URL: server.url, HOLDBACK_IDENTITY: identity };
    // The process is killed while it restores: it waits for a table that somebody has locked.
    const [looking, locking] = [await connectionTo(server.url), await connectionTo(server.url)];
    await locking.query('BEGIN; LOCK TABLE verdicts IN EXCLUSIVE MODE');
    const main = fileURLToPath(new URL('../../server/restore-main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, backup], { env: { PATH: process.env.PATH, ...settings } });
    const waits =
      "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%pg_temp.replay(%'";
    await expect.poll(async () => (await looking.query(waits)).rowCount).toBe(1);
    child.kill('SIGKILL');
    await once(child, 'close');
    await locking.query('ROLLBACK');
    await expect.poll(async () => (await looking.query(waits)).rowCount).toBe(0);
    expect((await looking.query('SELECT FROM scores')).rowCount).toBe(0);

    const restored = await runCommand(['restore', backup, '--json'], settings);
    expect(JSON.parse(restored.out)).toMatchObject({ from: 'pglite', into: 'postgresql', suites: 1 });
    await expect(restore(settings)).rejects.toMatchObject({
      code: 'restore_refused',
      message: expect.stringMatching(/is not empty .*createdb/),
    });
    const fleet = await startWorld(settings);
    const back = join(home, 'postgres.backup');
    try {
      await expectGoesOn(fleet);
      const taken = await runCommand(['backup', back, '--json'], asAdmin(fleet.service.address));
      expect(JSON.parse(taken.out)).toMatchObject({ file: back, from: 'postgresql' });
    } finally {
      await fleet.close();
    }
    const dataDir = await folderWithIdentity('back');
    expect(await restore({ HOLDBACK_DATA_DIR: dataDir }, back)).toMatchObject({ into: 'pglite', gates: 1 });
    const [source, copy] = [
      await rowsIn({ dataDir: home, databaseUrl: server.url }),
      await rowsIn({ dataDir }),
    ];
    for (const table of ['audit', 'audit_heads', 'tokens']) {
      expect(copy[table]?.length).toBeGreaterThan(0);
      delete source[table];
      delete copy[table];
    }
    expect(copy).toEqual(source);
  });

  test('says what a role of PostgreSQL lacks that may not restore', async () => {
    const owner = await connectionTo(server.url);
    await owner.query("CREATE ROLE plain LOGIN PASSWORD 'plain'");
    await owner.query('CREATE DATABASE plain OWNER plain');
    const url = new URL(server.url);
    url.username = url.password = 'plain';
    url.pathname = '/plain';
    const dataDir = await folderWithIdentity('plain');
    await expect(restore({ DATABASE_URL: url.href, HOLDBACK_DATA_DIR: dataDir })).rejects.toMatchObject({
      code: 'restore_refused',
      message: expect.stringContaining('GRANT SET ON PARAMETER session_replication_role'),
    });
    await owner.query('GRANT SET ON PARAMETER session_replication_role TO plain');
    expect(await restore({ DATABASE_URL: url.href, HOLDBACK_DATA_DIR: dataDir })).toMatchObject({ gates: 1 });
  });

  test('is for admins alone whose token is for everything, never replaces a file unasked, and is in the audit', async () => {
    for (const role of ['ci', 'harness', 'author', 'lead'] as const)
      expect((await (await world.as(role))('POST', '/backup')).status, role).toBe(403);
    const limited = await world.as('admin', ['kept']);
    expect((await limited('POST', '/backup')).json).toMatchObject({ status: 403, code: 'role_forbidden' });
    const again = await runCommand(['backup', backup], asAdmin(world.service.address));
    expect(again).toMatchObject({ code: 2, err: expect.stringContaining('--force') });
    const { rows } = await world.service.database.run(
      `SELECT entry FROM audit WHERE entry LIKE '%"backup.taken"%'`,
    );
    expect(rows).toHaveLength(1);
    // Who stops reading keeps nobody from the next.
    const asked = await fetch(`${world.service.address}/backup`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}` },
    });
    await asked.body?.cancel();
    await expect.poll(async () => (await world.admin('POST', '/backup')).status).toBe(200);
    // What breaks off leaves nothing behind.
    const nowhere = await runCommand(['backup', join(home, 'none.backup')], asAdmin('http://127.0.0.1:1'));
    expect(nowhere.code).toBe(3);
    expect((await readdir(home)).filter((name) => name.includes('none') || name.includes('draft'))).toEqual(
      [],
    );
  });
});

test('a backup that is interrupted leaves nothing behind, and says so', async () => {
  // What sends the beginning of a backup and no end is all that is needed of a service here.
  const stalled = createServer((_, response) => void response.write('{"backup'));
  await once(stalled.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void stalled.close());
  const address = stalled.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const folder = await temporaryFolder();
  onTestFinished(() => rm(folder, { recursive: true }));
  const ended = await runCommandProcess(['backup', join(folder, 'b')], asAdmin(`http://127.0.0.1:${port}`), {
    started: (child) =>
      void expect
        .poll(() => readdir(folder), { timeout: 20_000 })
        .toEqual([expect.stringContaining('.draft')])
        .then(() => child.kill('SIGINT')),
  });
  expect(ended).toMatchObject({ code: 3, err: expect.stringContaining('interrupted: no backup was taken') });
  expect(await readdir(folder)).toEqual([]);
});

describe('restoring', () => {
  test('changes nothing where a database is, where the identity is missing, or is another', async () => {
    await expect(restore({ HOLDBACK_DATA_DIR: join(home, 'nobody') })).rejects.toMatchObject({
      code: 'restore_refused',
      message: expect.stringMatching(/identity that opens the backup is not in it.*put that of age1/),
    });
    const dataDir = join(home, 'other');
    await expect(
      restore({ HOLDBACK_DATA_DIR: dataDir, HOLDBACK_IDENTITY: await generateX25519Identity() }),
    ).rejects.toMatchObject({
      code: 'restore_refused',
      message: expect.stringContaining('is sealed to age1'),
    });
    expect(existsSync(dataDir)).toBe(false);
    const full = await folderWithIdentity('full');
    await mkdir(join(full, 'database'));
    const refused = await runCommand(['restore', backup, '--data-dir', full], {});
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringMatching(/there is a database in .* already.*choose another/),
    });
    expect(await readdir(join(full, 'database'))).toEqual([]);
  });

  test('that is killed leaves nothing that could be taken for a database, and can be said again', async () => {
    const dataDir = await folderWithIdentity('killed');
    const main = fileURLToPath(new URL('../../server/restore-main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, backup], {
      env: { PATH: process.env.PATH, HOLDBACK_DATA_DIR: dataDir },
    });
    while (!existsSync(join(dataDir, 'database.recovering', 'PG_VERSION'))) await sleep(5);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(existsSync(join(dataDir, 'database'))).toBe(false);
    expect(await restore({ HOLDBACK_DATA_DIR: dataDir })).toMatchObject({ gates: 1 });
    expect(await readdir(dataDir)).not.toContain('database.recovering');
  });

  test('refuses what was cut off, changed, added to or put together, at whatever byte', async () => {
    const path = join(home, 'small.backup');
    const about = { takenAt: '2026-01-02T03:04:05.678Z', from: 'pglite', recipient: 'age1qqq' } as const;
    const write = async (...texts: string[]) => {
      const entries = (async function* () {
        yield* texts;
      })();
      return Buffer.concat(await Array.fromAsync(encodeBackup(7, entries, about)));
    };
    const whole = await write('[1]', '[2]');
    const faultOf = async (bytes: Uint8Array) => {
      await writeFile(path, bytes);
      const read = readBackup(path);
      return 'fault' in read ? read.fault : undefined;
    };
    expect(await faultOf(whole)).toBeUndefined();
    expect(readBackup(path)).toEqual({ backup: about, migrations: 7, bytes: whole.length });
    for (let at = 0; at < whole.length; at++) {
      expect(await faultOf(whole.subarray(0, at)), `cut off at ${at}`).toMatch(/empty|begin|cut off/);
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      expect(await faultOf(flipped), `changed at ${at}`).toBeTypeOf('string');
    }
    const starts = [...whole.toString('latin1').matchAll(/HBJ1/g)].map(({ index }) => index);
    const part = (number: number) => whole.subarray(starts[number], starts[number + 1]);
    const [begin, one, two, end] = [0, 1, 2, 3].map(part);
    if (begin === undefined || one === undefined || two === undefined || end === undefined) throw new Error();
    for (const parts of [
      [begin, two, end],
      [begin, two, one, end],
      [one, two, end],
      [whole, end],
      [whole, whole],
    ])
      expect(await faultOf(Buffer.concat(parts))).toBeTypeOf('string');
    expect(await faultOf(Buffer.concat([whole, Buffer.from('x')]))).toMatch(/something follows its end/);
    // Of a real one, through the command.
    const bytes = await readFile(backup);
    await writeFile(path, bytes.subarray(0, bytes.length - 1));
    const dataDir = await folderWithIdentity('cut');
    const refused = await runCommand(['restore', path, '--data-dir', dataDir, '--json'], {});
    expect(refused.code).toBe(2);
    expect(JSON.parse(refused.out)).toMatchObject({
      error: { code: 'backup_broken', message: expect.stringContaining('cut off') },
    });
    expect(await readdir(dataDir)).toEqual(['identity']);
  });
});
