/** A suite in clear text is in the memory of the service and nowhere else, and nothing but what was sealed is ever opened. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { and, asc, eq, type SQL, sql } from 'drizzle-orm';
import postgresClient from 'postgres';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { withoutStatement } from '../../migrations/errors.ts';
import { openDatabase } from '../../migrations/open-database.ts';
import { revisionCases, revisions, secrets } from '../../migrations/tables.ts';
import { loadIdentity } from '../../suites/sealing/identity.ts';
import { loadKeys } from '../../suites/sealing/keys.ts';
import { sealFile } from '../../suites/sealing/sealed-file.ts';
import { Seals, seal } from '../../suites/sealing/sealing.ts';
import { startPostgres } from '../postgres-server.ts';
import { hostsOf } from '../processes.ts';
import { type ServiceProcess, startProcess } from '../service-process.ts';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import {
  adminToken,
  type Client,
  clientOf,
  scoreRequest,
  sealSuite,
  startWorld,
  type World,
} from '../world.ts';

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
  const hex = bytes.toString('hex');
  const needles = [bytes, Buffer.from(hex), Buffer.from(hex.toUpperCase()), Buffer.from(text, 'utf16le')];
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
  const { recipient } = Object((await admin('GET', '/recipient')).json);
  const sealed = await sealFile('elsewhere', JSON.stringify(declared), `${recipient}`);
  expect((await admin('POST', '/suites/elsewhere/revisions', { sealed })).status).toBe(201);
  const wrong = await sealFile('elsewhere', JSON.stringify({ cases: [{ name: canary }] }), `${recipient}`);
  const mistakes = await Promise.all([
    admin('POST', path, { sealed }),
    admin('POST', '/suites/elsewhere/revisions', { sealed: wrong }),
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
  const rotated = await admin('POST', '/identity/rotate');
  expect(rotated.json, rotated.text).toMatchObject({ state: 'settled', unreadable: 0 });
  expect((await admin('GET', '/suites/declared/revisions/1')).text).toContain(canary);
}

/** Everything is logged, and nothing of a suite or a secret with it. */
function expectSilence(service: ServiceProcess): void {
  expect(service.printed()).toContain('/suites/declared/revisions');
  expect(service.printed()).not.toContain(canary);
  expect(service.printed()).not.toContain(adminToken);
  expect(service.printed()).not.toContain('AGE-SECRET-KEY');
}

function sendRaw(address: string, text: string): Promise<void> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.on('close', () => resolve()).resume();
  });
}

describe('the clear text of a suite', () => {
  const loud = { ...small, HOLDBACK_ADMIN_TOKEN: adminToken, HOLDBACK_LOG_LEVEL: 'trace' };

  test('is in no file of the embedded database, and in no log, however much is logged', async () => {
    const dataDir = await folder();
    await copyTemplate(dataDir);
    const service = startProcess({ ...loud, HOLDBACK_DATA_DIR: dataDir });
    onTestFinished(() => service.end('SIGKILL'));
    await useSuites(await service.listening);
    expect(await filesWith(canary, dataDir)).toEqual([]);
    await service.end();
    expect(await service.ended).toBe(0);
    expect(await filesWith(marker, dataDir)).not.toEqual([]);
    expect(await filesWith(canary, dataDir)).toEqual([]);
    expectSilence(service);
  });

  test('is in no file of PostgreSQL, in no log, and in no core of the service', async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.close());
    const cwd = await folder();
    const service = startProcess({ ...loud, DATABASE_URL: postgres.url }, { cwd, mayDumpCore: true });
    onTestFinished(() => service.end('SIGKILL'));
    await useSuites(await service.listening);
    const client = postgresClient(postgres.url, { max: 1 });
    await client`CHECKPOINT`;
    await client.end();
    expect(await filesWith(marker, postgres.dataDir)).not.toEqual([]);
    expect(await filesWith(canary, postgres.dataDir)).toEqual([]);
    expect(await filesWith(canary, cwd)).toEqual([]);
    const { pid = 0 } = service.child;
    const hosts = hostsOf(pid).map((host) => host.pid);
    expect(hosts.length).toBeGreaterThan(1);
    for (const process_ of [pid, ...hosts]) {
      const filter = await readFile(`/proc/${process_}/coredump_filter`, 'utf8');
      expect(Number.parseInt(filter, 16)).toBe(0);
      expect(await readFile(`/proc/${process_}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
    }
    // The kernel leaves a core here if it leaves one at all.
    await service.end('SIGABRT');
    expect(await service.ended).toBe('SIGABRT');
    expect(await filesWith(canary, cwd)).toEqual([]);
    expectSilence(service);
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
    const { mode, mtimeNs } = await stat(dataDir, { bigint: true });
    expect(mode & 0o777n).toBe(0o700n);
    // A start needs no room for it, once it is there.
    await loadIdentity({ dataDir });
    expect((await stat(dataDir, { bigint: true })).mtimeNs).toBe(mtimeNs);
  });

  test('that there is no room for keeps the service from starting, and leaves nothing of it', async () => {
    const dataDir = await folder();
    const service = startProcess({ ...small, HOLDBACK_DATA_DIR: dataDir }, { fileBytesMax: 0 });
    onTestFinished(() => service.end('SIGKILL'));
    expect(await service.ended).toBe(1);
    expect(service.printed()).toMatch(/^holdback could not start: the identity cannot be written to .*\n$/);
    expect((await readdir(dataDir)).filter((name) => name.startsWith('identity'))).toEqual([]);
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
      earlier: [],
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
    ['HOLDBACK_RECIPIENTS', 'AGE-SECRET-KEY-1GEHEIM'],
    ['HOLDBACK_RECIPIENTS', 'age1geheim'],
  ])('in %s that cannot be read keeps the service from starting, and is not printed', async (name, value) => {
    const service = startProcess({ ...small, HOLDBACK_DATA_DIR: await folder(), [name]: value });
    onTestFinished(() => service.end('SIGKILL'));
    expect(await service.ended).toBe(1);
    expect(service.printed()).toMatch(
      /^holdback could not start: .*(?:identity|number 1 in HOLDBACK_RECIPIENTS).*\n$/,
    );
    if (name !== 'HOLDBACK_IDENTITY_FILE') expect(service.printed().toLowerCase()).not.toContain('geheim');
  });
});

describe('what is stored', () => {
  let world: World;
  let author: Client;
  let inSafe: string;

  beforeAll(async () => {
    inSafe = await generateX25519Identity();
    const others = [
      await identityToRecipient(inSafe),
      await identityToRecipient(await generateX25519Identity()),
    ];
    world = await startWorld({ ...small, HOLDBACK_RECIPIENTS: others.join(', ') });
    author = await world.as('author');
  });
  afterAll(() => world.close());

  test('opens with the identity of each recipient, and with no other', async () => {
    const { sealed } = await stored('escrow', 1);
    expect(await openWith(inSafe, sealed)).toContain('"escrow case"');
    await expect(openWith(await generateX25519Identity(), sealed)).rejects.toThrow();
  });

  test('is named by its contents, and nobody can try a guess against the name', async () => {
    const { digest, sealed } = await stored('named', 1);
    expect((await stored('named', 2)).digest).toBe(digest);
    expect((await stored('named-otherwise', 1)).digest).not.toBe(digest);
    const [, contents = ''] = (await openWith(inSafe, sealed)).split('\n');
    expect(contents).toContain('"named case"');
    for (const guess of [contents, await openWith(inSafe, sealed)]) {
      expect(digest).not.toContain(createHash('sha256').update(guess).digest('hex'));
    }
  });

  test('keeps the identities of cases, whatever they are called and whichever suite they are in', async () => {
    const asked = { input: { a: 1, b: [2] }, expect: { equals: { c: 3, d: 4 } } };
    const turned = { input: { b: [2], a: 1 }, expect: { equals: { d: 4, c: 3 } } };
    await sealSuite(world, 'cases', {
      cases: [
        { name: 'one', ...asked },
        { name: 'two', ...turned, tags: ['t'] },
      ],
    });
    await sealSuite(world, 'cases-copied', {
      cases: [
        { name: 'three', ...asked },
        { name: 'x', ...asked, input: 1 },
      ],
    });
    const predicate = (name: string, body: string) =>
      `export default [{ name: '${name}', input: 1, expect: (output) => ${body} }]`;
    await sealSuite(world, 'predicates', { module: predicate('p', 'output > 1') });
    await sealSuite(world, 'predicates', { module: predicate('q', 'output >= 2') });
    const [one = '', two, ...more] = await caseDigests('cases', 1);
    expect([two, more]).toEqual([one, []]);
    const [three, four] = await caseDigests('cases-copied', 1);
    expect(three).toBe(one);
    expect(four).not.toBe(one);
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(await caseDigests('predicates', 1)).toEqual(await caseDigests('predicates', 2));
  });

  test('may be a suite of 20,000 cases', async () => {
    const cases = Array.from({ length: 20_000 }, (_, index) => ({
      name: `${index}`,
      input: index,
      expect: { equals: index },
    }));
    await sealSuite(world, 'large', { cases });
    expect(new Set(await caseDigests('large', 1)).size).toBe(20_000);
  });

  test('is refused with one flipped bit, wherever it is', async () => {
    const { sealed } = await stored('flipped', 1);
    for (const at of [0, 30, 100, sealed.length >> 1, sealed.length - 1]) {
      const altered = Uint8Array.from(sealed);
      altered[at] = (altered[at] ?? 0) ^ 1;
      await refused('flipped', { sealed: altered }, 'altered');
    }
    await refused('flipped', { sealed: sealed.slice(0, -1) }, 'altered');
    await refused('flipped', { sealed: new Uint8Array() }, 'altered');
  });

  test('is refused in the place of another suite, whatever the row says', async () => {
    const { sealed, digest } = await stored('easy', 1);
    await refused('hard', { sealed }, 'revision 1 of easy');
    await refused('hard', { sealed, digest }, 'revision 1 of easy');
    await refused('hard', { digest }, 'digest');
    await refused('hard', { caseCount: 2 }, 'number of cases');
  });

  test('is refused as another revision of its own suite: nothing can be rolled back', async () => {
    const { sealed, digest } = await stored('rolled', 1);
    await refused('rolled', { sealed, digest }, 'revision 1 of rolled');
  });

  test('is refused when somebody else has sealed it, even to the right recipient', async () => {
    const { sealed, digest } = await stored('forged', 1);
    const [binding = '', contents = ''] = (await openWith(inSafe, sealed)).split('\n');
    const { recipient } = Object((await world.client(undefined)('GET', '/recipient')).json);
    const easier = contents.replace('"forged case"', '"easier case"');
    for (const text of [
      `${binding.replace('"revision":1', '"revision":2')}\n${contents}`,
      `${binding}\n${easier}`,
      `${binding.replace(/"tag":"[^"]*"/, '"tag":""')}\n${easier}`,
      `{}\n${easier}`,
      easier,
      '',
    ]) {
      await refused(
        'forged',
        { sealed: await seal(text, [`${recipient}`]), digest },
        /not sealed by this service/,
      );
    }
  });

  test('is refused when what is counted outside its seal was changed: its tripwires, the identities of its cases', async () => {
    await refused('counted', { tripwires: 1 }, 'tripwires');
    await refused(
      'counted',
      {},
      'identities of its cases',
      sql`DELETE FROM revision_cases WHERE suite = 'counted'`,
    );
    await refused(
      'counted',
      {},
      'identities of its cases',
      sql`UPDATE revision_cases SET case_digest = reverse(case_digest) WHERE suite = 'counted'`,
    );
    await refused(
      'counted',
      {},
      'identities of its cases',
      sql`UPDATE revision_cases SET position = position + 1 WHERE suite = 'counted'`,
    );
  });

  type Row = typeof revisions.$inferSelect;

  /** Pushes a suite of one case as the next revision, which must be the given one, and gives its row. */
  async function stored(suite: string, revision: number): Promise<Row> {
    await sealSuite(world, suite, {
      cases: [{ name: `${suite} case`, input: suite, expect: { equals: suite } }],
    });
    const [row] = await world.service.database.database
      .select()
      .from(revisions)
      .where(and(eq(revisions.suite, suite), eq(revisions.number, revision)));
    if (row === undefined) throw new Error(`${suite} was not stored`);
    return row;
  }

  async function caseDigests(suite: string, revision: number): Promise<string[]> {
    const rows = await world.service.database.database
      .select()
      .from(revisionCases)
      .where(and(eq(revisionCases.suite, suite), eq(revisionCases.revision, revision)))
      .orderBy(asc(revisionCases.position));
    expect(rows.map(({ position }) => position)).toEqual(rows.map((_, index) => index));
    return rows.map(({ caseDigest }) => caseDigest);
  }

  /** Seals a fresh revision, changes its row as only the owner of the database can, and asks for it as an author and to score. */
  async function refused(
    suite: string,
    change: Partial<Row>,
    told: string | RegExp,
    besides?: SQL,
  ): Promise<void> {
    const { database } = world.service.database;
    const number = (await database.$count(revisions, eq(revisions.suite, suite))) + 1;
    await stored(suite, number);
    for (const table of [revisions, revisionCases])
      await database.execute(sql`ALTER TABLE ${table} DISABLE TRIGGER ALL`);
    if (Object.keys(change).length > 0) {
      await database
        .update(revisions)
        .set(change)
        .where(and(eq(revisions.suite, suite), eq(revisions.number, number)));
    }
    if (besides !== undefined) await database.execute(besides);
    for (const table of [revisions, revisionCases])
      await database.execute(sql`ALTER TABLE ${table} ENABLE TRIGGER ALL`);
    const reply = await author('GET', `/suites/${suite}/revisions/${number}`);
    const detail = expect.stringMatching(told);
    expect(reply.json).toMatchObject({ status: 500, code: 'seal_broken', detail });
    expect(reply.text).not.toContain('AGE-SECRET-KEY');
    const ci = await world.as('ci');
    const scored = await ci('POST', '/score', scoreRequest(suite, right, `forged-${number}`));
    expect(scored.json).toMatchObject({ verdict: 'block', canMerge: false, reason: 'indeterminate' });
    expect(scored.text).not.toMatch(/altered|sealed|HOLDBACK_IDENTITY/);
  }
});

test("the service's own secret is refused when somebody else has sealed one to the right recipient in its place", async () => {
  const dataDir = await folder();
  await copyTemplate(dataDir);
  const { database, close } = await openDatabase({ dataDir });
  onTestFinished(close);
  const identity = await loadIdentity({ dataDir });
  const seals = new Seals(identity);
  const keys = await loadKeys(database, seals);
  expect(await loadKeys(database, seals)).toEqual(keys);
  const secret = Buffer.alloc(32).toString('base64');
  const theirs = new Seals({ ...identity, secrets: [await generateX25519Identity()] });
  for (const { sealed } of [
    await seals.seal(secret),
    await seals.seal(`\n${secret}`),
    await theirs.sealOwn(secret),
  ]) {
    await database.update(secrets).set({ sealed });
    await expect(loadKeys(database, seals)).rejects.toMatchObject({ code: 'seal_broken' });
  }
});

test('what the database refuses is logged without what it was given', async () => {
  const dataDir = await folder();
  await copyTemplate(dataDir);
  const { database, close } = await openDatabase({ dataDir });
  onTestFinished(close);
  const row = { suite: canary, revision: 1, position: 0, caseDigest: canary };
  const error: unknown = await database
    .insert(revisionCases)
    .values(row)
    .catch((refusal: unknown) => refusal);
  expect(inspect(error)).toContain(canary);
  const told = inspect(withoutStatement(error));
  expect(told).toContain('violates foreign key constraint');
  expect(told).not.toContain(canary);
});

test('with another identity than the one that was sealed to, the service does not start, and says why', async () => {
  const dataDir = await folder();
  const secret = await generateX25519Identity();
  await copyTemplate(dataDir);
  const first = startProcess({ ...small, HOLDBACK_DATA_DIR: dataDir, HOLDBACK_IDENTITY: secret });
  onTestFinished(() => first.end('SIGKILL'));
  await first.listening;
  await first.end();
  const second = startProcess({
    ...small,
    HOLDBACK_DATA_DIR: dataDir,
    HOLDBACK_IDENTITY: await generateX25519Identity(),
  });
  onTestFinished(() => second.end('SIGKILL'));
  expect(await second.ended).toBe(1);
  expect(second.printed()).toMatch(/^holdback could not start: [^\n]*HOLDBACK_IDENTITY[^\n]*\n$/);
  expect(second.printed()).toContain(await identityToRecipient(secret));
  expect(second.printed()).not.toContain('AGE-SECRET-KEY');
});

function openWith(secret: string, sealed: Uint8Array): Promise<string> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(secret);
  return decrypter.decrypt(sealed, 'text');
}
