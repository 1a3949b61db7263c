/**
 * The identity is rotated while the service runs: the old one is of no use afterwards, nothing changes for anybody else, and
 * whatever fails in between, everything still opens.
 */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { eq, sql } from 'drizzle-orm';
import { describe, expect, onTestFinished, test } from 'vitest';
import { audit, revisions } from '../../migrations/tables.ts';
import { startPostgres } from '../postgres-server.ts';
import {
  dataFolder,
  expectAll,
  fill,
  identitiesIn,
  opened,
  recipientOf,
  right,
  settled,
  small,
  untilSettled,
  wrong,
} from '../sealed-things.ts';
import { openWorld, scoreRequest, sealSuite } from '../world.ts';

describe.each(['PGlite', 'PostgreSQL'])('on %s', (kind) => {
  test('rotating makes the old identity useless, and changes nothing for anybody', async () => {
    const environment: Record<string, string> = { ...small };
    if (kind === 'PostgreSQL') {
      const postgres = await startPostgres();
      onTestFinished(() => postgres.close());
      environment.DATABASE_URL = postgres.url;
    }
    const world = await openWorld(environment);
    const path = join(world.dataDir, 'identity');
    const { admin, service } = world;
    const redId = await fill(admin, 'rotated');
    const [old = ''] = await identitiesIn(path);
    const review = async (owner: string) => {
      const reviewer = await world.as('author', undefined, { owner });
      const body = { verdict: 'approve', comment: `fine by ${owner}` };
      return reviewer('POST', '/suites/rotated/revisions/1/reviews', body);
    };
    await review('bob');
    await admin('POST', '/score', scoreRequest('rotated', right, 'green'));
    const change = { id: 'green', commit: 'c0ffee' };
    const incident = { gate: 'rotated', change, title: 'a bug', details: 'all of it' };
    const { json: recorded, text } = await admin('POST', '/incidents', incident);
    expect(recorded, text).toMatchObject({ title: 'a bug' });
    const before = await opened(service.database, old);
    expect(before).toEqual({ opens: 7, all: 7 });
    const recipient = await recipientOf(world);
    expect(recipient).toBe(await identityToRecipient(old));

    const rotated = await admin('POST', '/identity/rotate');
    const renewed = await recipientOf(world);
    expect(rotated.json, rotated.text).toEqual({ recipient: renewed, ...settled });
    const [current = '', ...others] = await identitiesIn(path);
    expect(others).toEqual([]);
    expect(renewed).toBe(await identityToRecipient(current));
    expect(renewed).not.toBe(recipient);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readdir(world.dataDir)).filter((name) => name.startsWith('identity'))).toEqual([
      'identity',
    ]);
    expect(await opened(service.database, old)).toEqual({ opens: 0, all: 7 });
    expect(await opened(service.database, current)).toEqual({ opens: 7, all: 7 });
    expect((await admin('GET', '/incidents')).json).toEqual({ incidents: [recorded] });
    expect((await review('eve')).json).toMatchObject({
      reviews: expect.arrayContaining([expect.objectContaining({ person: 'bob', comment: 'fine by bob' })]),
    });
    await expectAll(admin, 'rotated', redId);
    const records = await service.database.database.select().from(audit);
    const [record] = records
      .map(({ entry }) => JSON.parse(entry))
      .filter(({ action }) => action === 'identity.rotated');
    expect(record).toMatchObject({ about: { recipient: renewed, previous: recipient } });
    expect(JSON.stringify(records)).not.toContain('AGE-SECRET-KEY');

    // Once more, while something is being scored and pushed.
    const meanwhile = Array.from({ length: 5 }, async (_, index) => {
      const reply = await admin('POST', '/score', scoreRequest('rotated', wrong, `meanwhile-${index}`));
      await sealSuite(world, `meanwhile-${index}`, { cases: [{ name: 'a', expect: { equals: 1 } }] });
      return reply;
    });
    const again = await Promise.all([
      admin('POST', '/identity/rotate'),
      admin('POST', '/identity/rotate'),
      ...meanwhile,
    ]);
    expect(
      again
        .slice(0, 2)
        .map(({ status }) => status)
        .sort(),
    ).toEqual([200, 409]);
    expect(again.map(({ json }) => json)).toContainEqual(
      expect.objectContaining({ code: 'identity_rotating' }),
    );
    for (const { json } of again.slice(2)) expect(json).toMatchObject({ reason: 'red' });
    expect(await untilSettled(admin)).toMatchObject(settled);
    await expectAll(admin, 'rotated', redId);
    expect(await opened(service.database, current)).toMatchObject({ opens: 0 });
    const [newest = ''] = await identitiesIn(path);
    const after = await opened(service.database, newest);
    expect(after.opens).toBe(after.all);
  });
});

describe('a rotation that fails', () => {
  test('half way leaves everything open, and goes on when it is asked for again', async () => {
    const world = await openWorld(small);
    const { admin } = world;
    const path = join(world.dataDir, 'identity');
    const redId = await fill(admin, 'failing');
    const { database } = world.service.database;
    await database.execute(
      sql`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'`,
    );
    await database.execute(
      sql`CREATE TRIGGER failing BEFORE UPDATE ON verdicts FOR EACH ROW EXECUTE FUNCTION fail()`,
    );
    const failed = await admin('POST', '/identity/rotate');
    expect(failed.json, failed.text).toMatchObject({ state: 'stopped' });
    expect(await identitiesIn(path)).toHaveLength(2);
    await expectAll(admin, 'failing', redId);
    await database.execute(sql`DROP TRIGGER failing ON verdicts`);
    expect((await admin('POST', '/identity/rotate')).json).toMatchObject(settled);
    expect(await identitiesIn(path)).toHaveLength(1);
    await expectAll(admin, 'failing', redId);
  });

  test('because its file cannot be written changes nothing', async () => {
    const home = await dataFolder();
    const identityFile = join(home, 'key.txt');
    await writeFile(identityFile, `# mine\n${await generateX25519Identity()}\n`);
    const world = await openWorld({ ...small, HOLDBACK_IDENTITY_FILE: identityFile });
    const redId = await fill(world.admin, 'unwritable');
    const recipient = await recipientOf(world);
    await rm(home, { recursive: true });
    const refused = await world.admin('POST', '/identity/rotate');
    expect(refused.json).toMatchObject({ status: 409, code: 'identity_not_writable' });
    expect(refused.text).not.toContain(home);
    expect((await world.admin('GET', '/identity')).json).toEqual({ recipient, ...settled });
    await expectAll(world.admin, 'unwritable', redId);
  });

  test('because something stored opens with no identity does not keep the rest from being sealed anew', async () => {
    const world = await openWorld(small);
    const redId = await fill(world.admin, 'damaged');
    const { database } = world.service.database;
    await sealSuite(world, 'lost', { cases: [{ name: 'a', expect: { equals: 1 } }] });
    await database
      .update(revisions)
      .set({ sealed: new Uint8Array(100) })
      .where(eq(revisions.suite, 'lost'));
    const rotated = await world.admin('POST', '/identity/rotate');
    expect(rotated.json).toMatchObject({ state: 'settled', unreadable: 1 });
    await expectAll(world.admin, 'damaged', redId);
  });
});

describe('an identity in the environment', () => {
  test('is rotated by whoever gives it: the service says how, and seals everything anew when it starts', async () => {
    const dataDir = await dataFolder();
    const [old, renewed] = [await generateX25519Identity(), await generateX25519Identity()];
    const given = (...secrets: string[]) =>
      openWorld({ ...small, HOLDBACK_DATA_DIR: dataDir, HOLDBACK_IDENTITY: secrets.join(' ') });
    const first = await given(old);
    const redId = await fill(first.admin, 'given');
    const refused = await first.admin('POST', '/identity/rotate');
    expect(refused.json).toMatchObject({ status: 409, code: 'identity_given' });
    expect(refused.text).toMatch(/before the one in HOLDBACK_IDENTITY.*restart.*remove the old one/);
    await first.close();
    const both = await given(renewed, old);
    expect(await untilSettled(both.admin)).toEqual({
      recipient: await identityToRecipient(renewed),
      ...settled,
    });
    expect(await opened(both.service.database, old)).toEqual({ opens: 0, all: 5 });
    await both.close();
    const last = await given(renewed);
    await expectAll(last.admin, 'given', redId);
    expect(await readdir(dataDir)).not.toContain('identity');
  });

  test('or in a file of its owner is never removed when the service starts', async () => {
    const home = await dataFolder();
    const identityFile = join(home, 'key.txt');
    const both = [await generateX25519Identity(), await generateX25519Identity()];
    const text = `# AGE-SECRET-KEY-1COMMENT\n${both.join('\n')}\n`;
    await writeFile(identityFile, text);
    const world = await openWorld({ ...small, HOLDBACK_IDENTITY_FILE: identityFile });
    expect(await untilSettled(world.admin)).toMatchObject(settled);
    expect(await readFile(identityFile, 'utf8')).toBe(text);
  });
});
