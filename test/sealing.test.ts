/** A suite in clear text is in the memory of the service and nowhere else, and nothing but what was sealed is ever opened. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { activations, revisions } from '../migrations/tables.ts';
import { loadIdentity } from '../suites/identity.ts';
import { startProcess } from './service-process.ts';
import { temporaryFolder } from './temporary-folder.ts';
import {
  adminToken,
  type Client,
  clientOf,
  openWorld,
  scoreRequest,
  sealSuite,
  startPostgres,
  startWorld,
  type World,
} from './world.ts';

const right = 'export function run(x) { return x }';
const small = { HOLDBACK_POOL: '1', HOLDBACK_CONCURRENCY: '1', HOLDBACK_HOSTS_PER_SCORE: '1' };
const canary = 'CANARY7f3a';
/** What is not sealed, to see that the search finds what is there. */
const marker = 'MARKER91bc';

const declared = {
  cases: [
    {
      name: `${canary} name`,
      input: { [`${canary} key`]: `${canary} input` },
      expect: { equals: { [`${canary} key`]: `${canary} input` } },
      tags: [`${canary} tag`],
    },
  ],
};
const module = `
  // ${canary} comment
  export default [{
    name: '${canary} predicate',
    input: '${canary}',
    expect(output) {
      if (output !== '${canary}') throw new Error('${canary} message');
      return true;
    },
  }]`;

async function folder(): Promise<string> {
  const path = await temporaryFolder();
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The files under a folder that hold a text, plainly or as hexadecimal digits, UTF-16 or base64. */
async function filesWith(text: string, path: string): Promise<string[]> {
  const bytes = Buffer.from(text);
  const needles = [bytes, Buffer.from(bytes.toString('hex')), Buffer.from(text, 'utf16le')];
  // In base64 the same bytes read in three ways, by where they begin.
  for (const lead of ['', 'x', 'xx']) {
    const encoded = Buffer.from(lead + text)
      .toString('base64')
      .replaceAll('=', '');
    needles.push(Buffer.from(encoded.slice(lead === '' ? 0 : 4, -2)));
  }
  const found: string[] = [];
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const content = await readFile(join(entry.parentPath, entry.name));
    if (needles.some((needle) => content.includes(needle))) found.push(entry.name);
  }
  return found;
}

/** Seals, scores red and green, and makes every kind of mistake with a suite's text in it. */
async function useSuites(address: string): Promise<void> {
  const admin = clientOf(address, adminToken);
  for (const [suite, source] of [
    ['declared', declared],
    ['predicates', { module }],
  ] as const) {
    expect((await admin('POST', `/suites/${suite}/revisions?activate=true`, source)).status).toBe(201);
    await admin('PUT', `/gates/${suite}`, { suites: [suite] });
    const green = await admin('POST', '/score', scoreRequest(suite, `${right} // ${marker}`));
    expect(green.json, green.text).toMatchObject({ verdict: 'merge' });
    const red = await admin('POST', '/score', scoreRequest(suite, 'export const run = () => 42'));
    expect(red.json).toMatchObject({ verdict: 'block', reason: 'red' });
    expect(red.text).toContain(canary);
    expect((await admin('GET', `/suites/${suite}/revisions/1`)).text).toContain(canary);
  }
  const path = '/suites/declared/revisions';
  const mistakes = await Promise.all([
    admin('POST', path, `{"cases":[{"name":"${canary}`),
    admin('POST', path, `name=${canary}`, { 'content-type': 'text/plain' }),
    admin('POST', path, { cases: [{ name: canary, expect: {} }] }),
    admin('POST', path, { cases: [{ name: canary, expect: { throws: { message: `(${canary}` } } }] }),
    admin('POST', path, { module: `throw new Error('${canary}')` }),
    admin('POST', path, { module: `export default [ ${canary} ${canary}` }),
  ]);
  for (const { status } of mistakes) expect([400, 415, 422]).toContain(status);
  await sendRaw(
    address,
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${canary}\r\n\r\n{"name":"${canary}"}`,
  );
}

function sendRaw(address: string, text: string): Promise<void> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on('close', () => resolve()).resume();
  });
}

describe('the clear text of a suite', () => {
  test('is in no file of the embedded database, and in no log, however much is logged', async () => {
    const dataDir = await folder();
    const service = startProcess({
      ...small,
      HOLDBACK_DATA_DIR: dataDir,
      HOLDBACK_ADMIN_TOKEN: adminToken,
      HOLDBACK_LOG_LEVEL: 'trace',
    });
    onTestFinished(() => service.end('SIGKILL'));
    await useSuites(await service.listening);
    expect(await filesWith(canary, dataDir)).toEqual([]);
    await service.end();
    expect(await service.ended).toBe(0);
    expect(await filesWith(marker, dataDir)).not.toEqual([]);
    expect(await filesWith(canary, dataDir)).toEqual([]);
    expect(service.printed()).toContain('/suites/declared/revisions');
    expect(service.printed()).not.toContain(canary);
    expect(service.printed()).not.toContain(adminToken);
    expect(service.printed()).not.toContain('AGE-SECRET-KEY');
  });

  test('is in no file of PostgreSQL', async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.close());
    const world = await openWorld({ ...small, DATABASE_URL: postgres.url });
    await useSuites(world.service.address);
    await world.service.database.database.execute('CHECKPOINT');
    expect(await filesWith(marker, postgres.dataDir)).not.toEqual([]);
    expect(await filesWith(canary, postgres.dataDir)).toEqual([]);
    expect(await filesWith(canary, world.dataDir)).toEqual([]);
  });
});

describe('the identity', () => {
  test("is made once, in a file that is its owner's alone, in a folder that is too", async () => {
    const dataDir = join(await folder(), 'data');
    const made = await Promise.all(Array.from({ length: 8 }, () => loadIdentity({ dataDir })));
    expect(new Set(made.map(({ secrets }) => secrets[0])).size).toBe(1);
    expect(await loadIdentity({ dataDir })).toEqual(made[0]);
    expect(await readdir(dataDir)).toEqual(['identity']);
    expect((await stat(join(dataDir, 'identity'))).mode & 0o777).toBe(0o600);
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
  });

  test('is taken from HOLDBACK_IDENTITY, or from the file that HOLDBACK_IDENTITY_FILE names', async () => {
    const [secret, other] = [await generateX25519Identity(), await generateX25519Identity()];
    const identityFile = join(await folder(), 'key.txt');
    await writeFile(identityFile, `# created: today\n# public key: age1…\n${secret}\n`);
    const dataDir = await folder();
    const recipient = await identityToRecipient(secret);
    expect(await loadIdentity({ dataDir, identityFile })).toEqual({
      secrets: [secret],
      recipient,
      recipients: [],
    });
    expect(await loadIdentity({ dataDir, identityFile, identity: other })).toMatchObject({
      secrets: [other],
    });
    expect(await readdir(dataDir)).toEqual([]);
  });

  test.each([
    ['HOLDBACK_IDENTITY', 'AGE-SECRET-KEY-1GEHEIM'],
    ['HOLDBACK_IDENTITY', 'geheim'],
    ['HOLDBACK_IDENTITY_FILE', '/nowhere/geheim'],
  ])('in %s that cannot be read keeps the service from starting, and is not printed', async (name, value) => {
    const service = startProcess({ ...small, HOLDBACK_DATA_DIR: await folder(), [name]: value });
    onTestFinished(() => service.end('SIGKILL'));
    expect(await service.ended).toBe(1);
    expect(service.printed()).toMatch(/^holdback could not start: .*identity.*\n$/);
    if (name === 'HOLDBACK_IDENTITY') expect(service.printed().toLowerCase()).not.toContain('geheim');
  });
});

describe('what does not open', () => {
  let home: string;
  let world: World;
  let author: Client;

  beforeAll(async () => {
    home = await temporaryFolder();
    await mkdir(join(home, 'data'), { mode: 0o700 });
    const dataDir = join(home, 'data');
    const first = await startWorld({ ...small, HOLDBACK_DATA_DIR: dataDir });
    await sealSuite(first, 'declared', declared);
    await first.admin('POST', '/score', scoreRequest('declared', 'export const run = () => 42', 'red'));
    await first.admin('POST', '/score', scoreRequest('declared', right, 'green'));
    await first.close();
    world = await startWorld({
      ...small,
      HOLDBACK_DATA_DIR: dataDir,
      HOLDBACK_IDENTITY: await generateX25519Identity(),
    });
    author = await world.as('author');
  });
  afterAll(async () => {
    await world.close();
    await rm(home, { recursive: true, force: true });
  });

  test('with the identity that is there is said so to the author', async () => {
    const reply = await author('GET', '/suites/declared/revisions/1');
    expect(reply.json).toMatchObject({ status: 500, code: 'seal_broken' });
    expect(reply.text).toContain('HOLDBACK_IDENTITY');
    expect(reply.text).not.toContain('AGE-SECRET-KEY');
  });

  test('is scored as indeterminate, never green', async () => {
    const ci = await world.as('ci');
    const scored = await ci('POST', '/score', scoreRequest('declared', right, 'again'));
    expect(scored.json).toMatchObject({ verdict: 'block', canMerge: false, reason: 'indeterminate' });
    expect(scored.text).not.toContain('HOLDBACK_IDENTITY');
  });

  test('one flipped bit, wherever it is, is refused', async () => {
    const [row] = await sealedRow('flipped');
    for (const at of [0, 30, 100, row.sealed.length >> 1, row.sealed.length - 1]) {
      const sealed = Uint8Array.from(row.sealed);
      sealed[at] = (sealed[at] ?? 0) ^ 1;
      await refused('flipped', { ...row, sealed });
    }
    await refused('flipped', { ...row, sealed: row.sealed.slice(0, -1) });
    await refused('flipped', { ...row, sealed: new Uint8Array() });
  });

  test('what was sealed for another suite is refused, whatever the row says', async () => {
    const [row] = await sealedRow('easy');
    const [hard] = await sealedRow('hard');
    await refused('hard', { ...row, suite: 'hard' });
    await refused('hard', { ...row, suite: 'hard', digest: hard.digest });
    await refused('hard', { ...hard, digest: row.digest });
    await refused('hard', { ...hard, caseCount: hard.caseCount + 1 });
  });

  type Row = typeof revisions.$inferSelect;

  /** Seals a suite of that name with the identity that is there now, and gives its row. */
  async function sealedRow(suite: string): Promise<[Row]> {
    await sealSuite(world, suite, { cases: [{ name: suite, input: suite, expect: { equals: suite } }] });
    const [row] = await world.service.database.database
      .select()
      .from(revisions)
      .where(eq(revisions.suite, suite));
    if (row === undefined) throw new Error(`${suite} was not stored`);
    return [row];
  }

  /** Puts a forged row in the table as the active revision, and asks for it as an author and as ci. */
  async function refused(suite: string, row: Row): Promise<void> {
    const { database } = world.service.database;
    const stored = await database.select().from(revisions).where(eq(revisions.suite, suite));
    const number = stored.length + 1;
    await database.insert(revisions).values({ ...row, number });
    await database.insert(activations).values({ suite, revision: number, activatedBy: 'a forger' });
    const reply = await author('GET', `/suites/${suite}/revisions/${number}`);
    expect(reply.json).toMatchObject({
      status: 500,
      code: 'seal_broken',
      detail: expect.stringMatching(/\w/),
    });
    const scored = await world.admin('POST', '/score', scoreRequest(suite, right, `forged-${number}`));
    expect(scored.json).toMatchObject({ verdict: 'block', reason: 'indeterminate' });
  }
});
