/** Whatever dies in the middle of a rotation, and whoever was not told of it: nothing is lost. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateX25519Identity } from 'age-encryption';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../migrations/open-database.ts';
import { secrets } from '../../migrations/tables.ts';
import { loadIdentity, renewIdentity, writeIdentity } from '../../suites/sealing/identity.ts';
import { resealAll } from '../../suites/sealing/resealing.ts';
import { Seals } from '../../suites/sealing/sealing.ts';
import { startPostgres } from '../postgres-server.ts';
import {
  dataFolder,
  expectAll,
  fill,
  identitiesIn,
  opened,
  right,
  settled,
  small,
  untilSettled,
} from '../sealed-things.ts';
import { startProcess } from '../service-process.ts';
import { adminToken, clientOf, openWorld, scoreRequest } from '../world.ts';

test('a service that was killed at any moment of a rotation ends it when it starts again', async () => {
  const dataDir = await dataFolder();
  const path = join(dataDir, 'identity');
  const environment = { ...small, HOLDBACK_DATA_DIR: dataDir, HOLDBACK_ADMIN_TOKEN: adminToken };
  const start = async () => {
    const service = startProcess(environment);
    onTestFinished(() => service.end('SIGKILL'));
    return { service, admin: clientOf(await service.listening, adminToken) };
  };
  const count = 40;
  let { service, admin } = await start();
  const redId = await fill(admin, 'killed', count);
  let [identity = ''] = await identitiesIn(path);
  // When the new identity has just been written, and when something has been sealed anew.
  for (const afterMs of [0, 40]) {
    const before = identity;
    const rotating = admin('POST', '/identity/rotate').catch(() => {});
    while ((await identitiesIn(path))[0] === before) await sleep(1);
    await sleep(afterMs);
    await service.end('SIGKILL');
    await rotating;
    ({ service, admin } = await start());
    expect(await untilSettled(admin)).toMatchObject(settled);
    const left = await identitiesIn(path);
    expect(left).toHaveLength(1);
    [identity = ''] = left;
    expect(identity).not.toBe(before);
    await expectAll(admin, 'killed', redId, count);
  }
  await service.end();
  const database = await openDatabase({ dataDir });
  expect(await opened(database, identity)).toEqual({ opens: count + 2, all: count + 2 });
  await database.close();
});

test('a rotation that has sealed half of it anew is ended by the next start, which leaves one identity', async () => {
  const dataDir = await dataFolder();
  const path = join(dataDir, 'identity');
  const first = await openWorld({ ...small, HOLDBACK_DATA_DIR: dataDir });
  const redId = await fill(first.admin, 'halved');
  await first.close();
  const [old = ''] = await identitiesIn(path);
  const renewed = await renewIdentity(await loadIdentity({ dataDir }));
  await writeIdentity(path, renewed);
  const database = await openDatabase({ dataDir });
  // As it is after the first two steps: the secret is sealed to the new one, and so is one revision.
  const seals = new Seals(renewed);
  const [master] = await database.database.select().from(secrets);
  const secret = await seals.sealOwn(await seals.openOwn(master?.sealed ?? new Uint8Array()));
  await database.database.update(secrets).set(secret);
  let steps = 0;
  await resealAll(database.database, seals, () => steps++ > 0);
  expect(await opened(database, old)).toEqual({ opens: 3, all: 5 });
  await database.close();

  const second = await openWorld({ ...small, HOLDBACK_DATA_DIR: dataDir });
  expect(await untilSettled(second.admin)).toEqual({ recipient: renewed.recipient, ...settled });
  expect(await identitiesIn(path)).toEqual(renewed.secrets.slice(0, 1));
  expect(await opened(second.service.database, old)).toEqual({ opens: 0, all: 5 });
  await expectAll(second.admin, 'halved', redId);
});

test('another process that shares the database stores nothing more to the old identity, and must be restarted', async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.close());
  const secret = await generateX25519Identity();
  const home = await dataFolder();
  const identityFile = join(home, 'key.txt');
  await writeFile(identityFile, `${secret}\n`);
  const shared = { ...small, DATABASE_URL: postgres.url };
  const one = await openWorld({ ...shared, HOLDBACK_IDENTITY_FILE: identityFile });
  const redId = await fill(one.admin, 'shared');
  // Only now, so that it has opened nothing yet.
  const other = await openWorld({ ...shared, HOLDBACK_IDENTITY: secret });
  expect((await one.admin('POST', '/identity/rotate')).json).toMatchObject(settled);
  const pushed = await other.admin('POST', '/suites/shared/revisions', {
    cases: [{ name: 'a', expect: { equals: 1 } }],
  });
  expect(pushed.json).toMatchObject({ status: 503, code: 'identity_rotated' });
  expect(pushed.text).toContain('restart');
  // The one that knows the new identity would score it.
  await one.close();
  const scored = await other.admin('POST', '/score', scoreRequest('shared', right, 'behind'));
  expect(scored.json).toMatchObject({ verdict: 'block', reason: 'indeterminate' });
  await other.close();
  await expect(openWorld({ ...shared, HOLDBACK_IDENTITY: secret })).rejects.toThrow('HOLDBACK_IDENTITY');
  const [renewed = ''] = await identitiesIn(identityFile);
  const restarted = await openWorld({ ...shared, HOLDBACK_IDENTITY: renewed });
  await expectAll(restarted.admin, 'shared', redId);
  const all = await opened(restarted.service.database, renewed);
  expect(all.opens).toBe(all.all);
});
