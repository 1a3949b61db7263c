/** The database keeps what happened, for several processes at once, through kills and against whoever would change it. */
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdir, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity } from 'age-encryption';
import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { lockDirectory } from '../../migrations/lock-directory.ts';
import { openDatabase } from '../../migrations/open-database.ts';
import { rowsOf } from '../../migrations/rows-of.ts';
import { startPoolingProxy } from '../pooling-proxy.ts';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';
import { hostsOf, processesWith } from '../processes.ts';
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
const looping = 'export function run(x) { while (true); }';
const cases = [{ name: 'one', input: 1, expect: { equals: 1 } }];
const small = { HOLDBACK_POOL: '1', HOLDBACK_CONCURRENCY: '1', HOLDBACK_HOSTS_PER_SCORE: '1' };

let home: string;
beforeAll(async () => {
  home = await temporaryFolder();
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** A process of the service that is killed, at the latest, when its test ends. */
function start(environment: Record<string, string>): ServiceProcess {
  const service = startProcess({ ...small, ...environment });
  onTestFinished(() => service.end('SIGKILL'));
  return service;
}

/** Seals a suite and puts a gate in front of it, through HTTP alone. */
async function setGate(admin: Client, suite: string, limits = {}): Promise<void> {
  await admin('POST', `/suites/${suite}/revisions?activate=true`, { cases, limits });
  expect((await admin('PUT', `/gates/${suite}`, { suites: [suite] })).status).toBe(200);
}

describe('one PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());

  /** Where it is found through a pooler. */
  async function pooled(lentFor: 'session' | 'transaction'): Promise<string> {
    const url = new URL(server.url);
    const proxy = await startPoolingProxy(Number(url.port), lentFor);
    onTestFinished(proxy.close);
    url.port = `${proxy.port}`;
    return url.href;
  }

  test('for several processes that start at once is set up once, and they share everything', async () => {
    const shared = { DATABASE_URL: server.emptyUrl, HOLDBACK_IDENTITY: await generateX25519Identity() };
    const services = [1, 2, 3].map((number) =>
      start({ ...shared, HOLDBACK_DATA_DIR: join(home, `shared-${number}`) }),
    );
    const addresses = await Promise.all(services.map(({ listening }) => listening));
    const shown = services.flatMap((service) => service.printed().match(/hb_[0-9A-Za-z]{38}/g) ?? []);
    expect(shown).toHaveLength(1);

    const database = postgres(server.emptyUrl, { max: 1 });
    onTestFinished(() => database.end());
    const applied =
      await database`SELECT hash, count(*)::int AS times FROM drizzle.__drizzle_migrations GROUP BY hash`;
    expect(applied.length).toBeGreaterThan(0);
    expect(applied.every(({ times }) => times === 1)).toBe(true);
    expect(await database`SELECT role FROM tokens`).toEqual([{ role: 'admin' }]);

    const [first, ...others] = addresses.map((address) => clientOf(address, shown[0]));
    if (first === undefined) throw new Error('no process listens');
    await setGate(first, 'shared');
    const scored = await first('POST', '/score', scoreRequest('shared', right));
    expect(scored.json).toMatchObject({ verdict: 'merge' });
    for (const other of others) {
      expect((await other('GET', '/readyz')).status).toBe(200);
      expect((await other('GET', `/scores/${Reflect.get(Object(scored.json), 'id')}`)).json).toEqual(
        scored.json,
      );
      expect((await other('POST', '/score', scoreRequest('shared', right))).json).toMatchObject({
        verdict: 'merge',
      });
    }
    for (const service of services) expect(service.printed()).not.toContain('holdback:holdback');
  });

  test('that may lose what it has acknowledged is refused, unless that is wanted', async () => {
    const url = server.url.replace('?', '&').concat('?options=-csynchronous_commit%3Doff');
    const settings = { DATABASE_URL: url, HOLDBACK_DATA_DIR: join(home, 'careless') };
    const refused = start(settings);
    expect(await refused.ended).toBe(1);
    expect(refused.printed()).toMatch(
      /^holdback could not start: .*synchronous_commit is off.*HOLDBACK_UNSAFE_DATABASE=1.*\n$/,
    );
    await start({ ...settings, HOLDBACK_UNSAFE_DATABASE: '1' }).listening;
  });

  test('that a newer version has migrated is refused, and says which to start', async () => {
    const database = postgres(server.url, { max: 1 });
    onTestFinished(() => database.end());
    const add = database`INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('newer', 9e15) RETURNING id`;
    const [added] = await add;
    const opening = openDatabase({ dataDir: home, databaseUrl: server.url });
    await expect(opening).rejects.toThrow(/was written by a newer version of Holdback: start that one/);
    await database`DELETE FROM drizzle.__drizzle_migrations WHERE id = ${added?.id}`;
  });

  test('a wrong password is one clear line, and is not printed', async () => {
    for (const url of [
      server.url.replace('holdback:holdback', 'holdback:geheim'),
      server.url.replace(/holdback$/, 'missing'),
    ]) {
      const service = start({ DATABASE_URL: url, HOLDBACK_DATA_DIR: join(home, 'unused') });
      expect(await service.ended).toBe(1);
      expect(service.printed()).toMatch(/^holdback could not start: .*DATABASE_URL.*\n$/);
      expect(service.printed()).not.toMatch(/geheim|holdback:holdback/);
    }
  });

  test('behind a pooler that lends its connections for a transaction is refused, because locks and news are of a session', async () => {
    const opening = openDatabase({ dataDir: home, databaseUrl: await pooled('transaction') });
    await expect(opening).rejects.toThrow(/a pooler.*: let it pool sessions, or name PostgreSQL itself/);
  });

  test('behind a pooler of sessions or not, ends a transaction that its process does not go on with, so that nobody waits for it for ever', async () => {
    const { database, close } = await openDatabase({ dataDir: home, databaseUrl: await pooled('session') });
    onTestFinished(close);
    const goesOn = new EventEmitter();
    let hasBegun = () => {};
    const begun = new Promise<void>((resolve) => {
      hasBegun = resolve;
    });
    // As a process does that is stopped, or whose machine is cut off.
    const stopped = database.transaction(async (transaction) => {
      await transaction.execute(sql`SELECT pg_advisory_xact_lock(1)`);
      hasBegun();
      await once(goesOn, 'now');
      await transaction.execute(sql`SELECT 1`);
    });
    stopped.catch(() => {});
    await begun;
    await database.execute(sql`SELECT pg_advisory_xact_lock(1)`);
    goesOn.emit('now');
    await expect(stopped).rejects.toThrow();
  });

  test('is at no moment again where it was before a process of it was killed, though it counts transactions again', async () => {
    const { database, moments, close } = await openDatabase({ dataDir: home, databaseUrl: server.url });
    onTestFinished(close);
    const seen: string[] = [];
    const pidSchema = z.array(z.object({ pid: z.int() }));
    const count = async () => {
      await database.execute(sql`SELECT pg_current_xact_id()`);
      seen.push(await moments.now());
    };
    // Nothing of these is on the disk yet: after a crash their numbers are given to others.
    for (let turn = 0; turn < 3; turn++) await count();
    const [victim] = pidSchema.parse(rowsOf(await database.execute(sql`SELECT pg_backend_pid() AS pid`)));
    if (victim === undefined) throw new Error('nobody answers');
    process.kill(victim.pid, 'SIGKILL');
    await expect.poll(() => count().then(() => 'answers', String)).toBe('answers');
    for (let turn = 0; turn < 6; turn++) await count();
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe('one data directory', () => {
  let environment: Record<string, string>;
  beforeAll(async () => {
    const dataDir = join(home, 'directory');
    await mkdir(dataDir);
    await copyTemplate(dataDir);
    const TMPDIR = join(home, 'temporary');
    await mkdir(TMPDIR);
    environment = { HOLDBACK_DATA_DIR: dataDir, HOLDBACK_ADMIN_TOKEN: adminToken, TMPDIR };
  });

  test.each(['/proc/none/data', '/dev/null/data', '/etc/passwd'])(
    'that cannot be made, as %s, is refused at once, and it is said what to set',
    async (dataDir) => {
      await expect(openDatabase({ dataDir })).rejects.toMatchObject({
        code: 'data_directory_unusable',
        message: expect.stringMatching(/^the data directory .* \(E.*\): set HOLDBACK_DATA_DIR to a folder/),
      });
    },
  );

  test('is for one user and one process: a second is told so, and the first is unharmed', async () => {
    const first = start(environment);
    const admin = clientOf(await first.listening, adminToken);
    // Whoever made the folder may have let others look into it.
    for (const name of ['database', 'journal', 'identity', 'lock'])
      expect((await stat(join(home, 'directory', name))).mode & 0o077, name).toBe(0);
    await setGate(admin, 'contended');
    const second = start(environment);
    expect(await second.ended).toBe(1);
    expect(second.printed()).toMatch(
      /^holdback could not start: another holdback process uses .*HOLDBACK_DATA_DIR.*\n$/,
    );
    expect((await admin('POST', '/score', scoreRequest('contended', right))).json).toMatchObject({
      verdict: 'merge',
    });
    await first.end();
    const third = start(environment);
    const again = clientOf(await third.listening, adminToken);
    expect((await again('GET', '/gates/contended')).json).toMatchObject({ version: 1 });
  });

  test('opens again after a kill: history is whole, and what was under way is taken up again; after a second kill it is indeterminate, never green', async () => {
    const first = start(environment);
    const admin = clientOf(await first.listening, adminToken);
    await setGate(admin, 'kept', { caseMs: 60_000 });
    const green = await admin('POST', '/score', scoreRequest('kept', right, 'green'));
    const red = await admin('POST', '/score', scoreRequest('kept', 'export const run = () => 0', 'red'));
    const asked = await admin('POST', '/score', scoreRequest('kept', looping, 'cut'), {
      prefer: 'respond-async',
    });
    expect([green.status, red.status, asked.status]).toEqual([200, 200, 202]);
    const { id, candidate } = Object(asked.json);
    const hosts = hostsOf(first.child.pid ?? 0);
    await first.end('SIGKILL');

    const second = start(environment);
    const between = clientOf(await second.listening, adminToken);
    await expect.poll(() => hostsOf(second.child.pid ?? 0).length).toBeGreaterThan(0);
    expect((await between('GET', `/scores/${id}`)).json).toMatchObject({ state: 'running' });
    await second.end('SIGKILL');
    const stays = await leaveFolders(`${environment.TMPDIR}`);

    const third = start(environment);
    const again = clientOf(await third.listening, adminToken);
    // Of its own folders it has two; those of the two that were killed are gone.
    await expect.poll(() => readdir(`${environment.TMPDIR}`)).toHaveLength(stays.length + 2);
    expect(await readdir(`${environment.TMPDIR}`)).toEqual(expect.arrayContaining(stays));
    for (const before of [green, red]) {
      expect((await again('GET', `/scores/${Reflect.get(Object(before.json), 'id')}`)).json).toEqual(
        before.json,
      );
    }
    await expect
      .poll(async () => (await again('GET', `/scores/${id}`)).json)
      .toMatchObject({ state: 'finished', verdict: 'block', canMerge: false, reason: 'indeterminate' });
    const question = { gate: 'kept', change: 'cut', commit: 'c0ffee', candidate: `${candidate.digest}` };
    const verdict = await again('GET', `/verdict?${new URLSearchParams(question)}`);
    expect(verdict.json).toMatchObject({ verdict: 'block', canMerge: false, reason: 'indeterminate' });
    const retried = await again('POST', '/score', scoreRequest('kept', right, 'cut'));
    expect(retried.json).toMatchObject({ verdict: 'merge' });
    expect(hosts.length).toBeGreaterThan(0);
    // What it had started ends by itself.
    const left = () =>
      processesWith('holdback-host-').filter(({ pid }) => hosts.some((host) => host.pid === pid));
    await expect.poll(left, { timeout: 10_000 }).toEqual([]);
  });
});

/**
 * Has all folders of hosts look as if they were made long ago, and adds three that are nobody's to remove: one that this process holds,
 * one that was never held, and a link. Answers their names.
 */
async function leaveFolders(place: string): Promise<string[]> {
  const names = ['holdback-host-held', 'holdback-host-never-held', 'holdback-host-link'];
  const [held = '', neverHeld = '', link = ''] = names.map((name) => join(place, name));
  await Promise.all([mkdir(held), mkdir(neverHeld)]);
  const linked = await temporaryFolder();
  onTestFinished(() => rm(linked, { recursive: true, force: true }));
  await writeFile(join(linked, 'lock'), '');
  await symlink(linked, link);
  onTestFinished(lockDirectory(held));
  for (const name of await readdir(place)) await utimes(join(place, name, 'lock'), 0, 0).catch(() => {});
  return names;
}

/** A verdict written by hand. */
function forgedVerdict(row: {
  score: string;
  verdict: string;
  reason: string;
  passed: number;
  total: number;
}) {
  return sql`
    INSERT INTO verdicts (
      score_id, verdict, reason, revisions, passed, total, duration_ms,
      gate, requested_at, change_id, attempt, first_requested_at, is_first_green, bits
    ) VALUES (
      ${row.score}::uuid, ${row.verdict}, ${row.reason}, '[]', ${row.passed}, ${row.total}, 1, 'g', now(), 'c', 1, now(), false, 0
    )`;
}

describe('verdicts', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(small);
  });
  afterAll(() => world.close());

  test('no row can say merge unless every case of at least one passed', async () => {
    await sealSuite(world, 'checked', { cases });
    const scored = await world.admin('POST', '/score', scoreRequest('checked', right));
    const { id } = Object(scored.json);
    const { database } = world.service.database;
    for (const [verdict, reason, passed, total] of [
      ['merge', 'green', 0, 0],
      ['merge', 'green', 1, 2],
      ['merge', 'green', 2, 1],
      ['merge', 'red', 1, 1],
      ['merge', 'indeterminate', 1, 1],
      ['block', 'green', 1, 1],
      ['yes', 'green', 1, 1],
      ['', '', 1, 1],
    ] as const) {
      const forged = randomUUID();
      await database.execute(sql`
        INSERT INTO scores (
          id, gate, policy_version, change_id, commit, candidate, requested_by, deadline_at, request_digest, attempt, first_requested_at
        )
        SELECT ${forged}::uuid, gate, policy_version, change_id, commit, candidate, requested_by, deadline_at, request_digest, 2, requested_at
        FROM scores WHERE id = ${id}::uuid`);
      const inserted = database.execute(forgedVerdict({ score: forged, verdict, reason, passed, total }));
      await expect(inserted, `${verdict} ${reason} ${passed} of ${total}`).rejects.toMatchObject({
        cause: { message: expect.stringContaining('verdicts_merge_is_green') },
      });
    }
  });

  test('a score has one verdict, and no verdict and no result is without its score', async () => {
    await sealSuite(world, 'once', { cases });
    const scored = await world.admin('POST', '/score', scoreRequest('once', 'export const run = () => 0'));
    const verdictOf = (score: unknown) =>
      world.service.database.database.execute(
        forgedVerdict({ score: `${score}`, verdict: 'merge', reason: 'green', passed: 1, total: 1 }),
      );
    await expect(verdictOf(Reflect.get(Object(scored.json), 'id'))).rejects.toMatchObject({
      cause: { message: expect.stringContaining('verdicts_pkey') },
    });
    await expect(verdictOf(randomUUID())).rejects.toMatchObject({
      cause: { message: expect.stringContaining('verdicts_of_a_score') },
    });
    const results = world.service.database.database.execute(sql`
      INSERT INTO case_results (score_id, suite, revision, position, outcome, passed, duration_ms, at)
      SELECT unnest(${`{${Reflect.get(Object(scored.json), 'id')},${randomUUID()}}`}::uuid[]), 'once', 1, 77, 'returned', true, 1,
        (SELECT requested_at FROM scores WHERE id = ${Reflect.get(Object(scored.json), 'id')}::uuid)`);
    await expect(results).rejects.toMatchObject({
      cause: { message: expect.stringContaining('case_results_of_a_score') },
    });
  });
});

test.each([
  ['leads nowhere', 'postgres://user:geheim@127.0.0.1:1/holdback', 'ECONNREFUSED'],
  [
    'is of another database',
    'mysql://user:geheim@127.0.0.1/holdback',
    'DATABASE_URL: starts with postgres://',
  ],
  ['is not percent-encoded', 'postgres://user:gehe%zzim@127.0.0.1/holdback', 'DATABASE_URL'],
  ['has an impossible port', 'postgres://user:geheim@127.0.0.1:99999/holdback', 'DATABASE_URL'],
  ['is no address at all', 'postgres://user:geheim@[::1/holdback', 'DATABASE_URL'],
])(
  'a DATABASE_URL that %s is one clear line, without the password, and exit code 1',
  async (_what, url, told) => {
    const service = start({
      DATABASE_URL: url,
      HOLDBACK_DATA_DIR: join(home, 'unused'),
      HOLDBACK_LOG_LEVEL: 'trace',
    });
    expect(await service.ended).toBe(1);
    expect(service.printed()).toMatch(/^holdback could not start: .*\n$/);
    expect(service.printed()).toContain(told);
    expect(service.printed()).not.toMatch(/gehe/);
  },
);
