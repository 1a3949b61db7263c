/**
 * A fault at every point where a score touches the world: whichever statement is lost, or its answer, whichever process dies, wherever
 * the clock jumps, a wrong candidate never merges, no merge is told that is not kept, and afterwards the service is right again.
 */
import { type FileHandle, open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateX25519Identity } from 'age-encryption';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { textsOf } from '../../migrations/journal/open-journaled.ts';
import { openDatabase } from '../../migrations/open-database.ts';
import { SteadyPool } from '../../migrations/steady-pool.ts';
import { type CuttingProxy, startCuttingProxy } from '../cutting-proxy.ts';
import { contentsOf } from '../database-contents.ts';
import { type PostgresServer, startPostgres } from '../postgres-server.ts';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

/** More than a score needs, with what goes on beside it. */
const statementsMax = 60;

const cases = [{ name: 'one', input: 1, expect: { equals: 2 } }];

let server: PostgresServer;
let proxy: CuttingProxy;
let world: World;
/** What is kept is looked at past the proxy. */
let beside: SteadyPool;
beforeAll(async () => {
  server = await startPostgres();
  const { port } = new URL(server.url);
  proxy = await startCuttingProxy(Number(port));
  beside = new SteadyPool(server.url, 1);
  world = await startWorld({
    HOLDBACK_DATA_DIR: await temporaryFolder(),
    DATABASE_URL: server.url.replace(`:${port}/`, `:${proxy.port}/`),
    HOLDBACK_HOSTS_PER_SCORE: '1',
    HOLDBACK_POOL: '2',
  });
  await sealSuite(world, 'plain', { cases });
});
afterAll(async () => {
  await world.close();
  await beside.close();
  proxy.close();
  await server.close();
});

const keptSchema = z.object({ verdict: z.string().nullable(), reason: z.string().nullable() });
type Kept = z.infer<typeof keptSchema>;

const keptStatement = (change: string) => `
  SELECT v.verdict, v.reason FROM scores AS s LEFT JOIN verdicts AS v ON v.score_id = s.id WHERE s.change_id = '${change}'`;

/** What is kept of the attempts of a change: one row for each verdict, or for an attempt without one. */
async function keptOf(change: string): Promise<Kept[]> {
  return z.array(keptSchema).parse((await beside.query(keptStatement(change))).rows);
}

/** Asks until there is an answer with a verdict, as CI does, and gives all answers. */
async function askUntilDecided(change: string, add: number, admin = world.admin): Promise<string[]> {
  const request = scoreRequest('plain', `export const run = (x) => x + ${add} // ${change}`, change);
  for (const told: string[] = []; ; ) {
    const { status, text } = await admin('POST', '/score', request, {
      'idempotency-key': change,
      // Where the clock was set back, the verdict is of a time that is still to come.
      prefer: 'wait=2',
    });
    told.push(text);
    if (status === 200) return told;
  }
}

const verdictOf = (text: string) => z.looseObject({ verdict: z.string() }).parse(JSON.parse(text)).verdict;

/** Has a right and a wrong candidate scored, and sees that nothing is told but what is kept, and nothing merges that is wrong. */
async function scoreBoth(name: string, reasonOfRight = /^(?:green|indeterminate)$/): Promise<void> {
  const [right, wrong] = await Promise.all([
    askUntilDecided(`${name} right`, 1),
    askUntilDecided(`${name} wrong`, 2),
  ]);
  requireKept(right, await keptOf(`${name} right`), reasonOfRight);
  requireKept(wrong, await keptOf(`${name} wrong`), /^(?:red|indeterminate)$/);
}

/** Sees that there is one attempt with one verdict, with a reason that may be, and that its callers were told no other. */
function requireKept(told: string[], kept: Kept[], reason: RegExp): void {
  expect(kept).toHaveLength(1);
  expect(kept[0]?.reason).toMatch(reason);
  expect(kept[0]?.verdict).toBe(verdictOf(told.at(-1) ?? ''));
  for (const text of told.slice(0, -1)) expect(text).not.toContain('"merge"');
}

/** The service is right again. */
async function expectRight(name: string): Promise<void> {
  await scoreBoth(name);
  expect([await keptOf(`${name} right`), await keptOf(`${name} wrong`)]).toMatchObject([
    [{ reason: 'green' }],
    [{ reason: 'red' }],
  ]);
}

test('whichever statement is lost on its way to the database, or its answer, nothing wrong merges and nothing is told that is not kept', async () => {
  let nth = 1;
  for (let isCut = true; isCut && nth < statementsMax; nth++) {
    isCut = false;
    for (const [turn, add] of [1, 2].entries()) {
      // Every other one is done by the database, and only its answer is lost.
      proxy.cut(nth, (nth + turn) % 2 === 0 ? 'answer' : 'statement');
      const change = `lost ${nth} ${add}`;
      const told = await askUntilDecided(change, add);
      requireKept(
        told,
        await keptOf(change),
        add === 1 ? /^(?:green|indeterminate)$/ : /^(?:red|indeterminate)$/,
      );
      isCut ||= proxy.hasCut;
    }
  }
  proxy.cut(Number.POSITIVE_INFINITY, 'answer');
  expect(nth).toBeGreaterThan(20);
  await expectRight('after what was lost');
});

test('whatever dies of hosts and graders while a score is made, nothing wrong merges', async () => {
  const { graders, runners } = world.service;
  for (const delayMs of [0, 10, 20, 40, 80]) {
    const scoring = scoreBoth(`died ${delayMs}`, /^(?:green|red|indeterminate)$/);
    await sleep(delayMs);
    for (const pid of [...graders.pids, ...runners.pids]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has just ended by itself.
      }
    }
    await scoring;
  }
  await expectRight('after what died');
});

test('wherever the clock jumps to while a score is made, nothing wrong merges', async () => {
  onTestFinished(() => void vi.useRealTimers());
  for (const jumpMs of [3_600_000, -3_600_000, 86_400_000, -86_400_000]) {
    const scoring = scoreBoth(`jumped ${jumpMs}`);
    await sleep(20);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jumpMs, shouldAdvanceTime: true });
    await scoring;
    vi.useRealTimers();
  }
  await expectRight('after the clock was right again');
});

test('whichever write of the journal fails half way, nothing is told that is not on the disk, and nothing is lost', async () => {
  const dataDir = await temporaryFolder();
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  await copyTemplate(dataDir);
  const embedded = await startWorld({ HOLDBACK_DATA_DIR: dataDir, HOLDBACK_HOSTS_PER_SCORE: '1' });
  await sealSuite(embedded, 'plain', { cases });
  // The last bytes never reach the disk, and the system says so when they should.
  const probe = await open(join(dataDir, 'probe'), 'w');
  const handles: FileHandle = Object.getPrototypeOf(probe);
  await probe.close();
  const { datasync } = handles;
  let left = Number.POSITIVE_INFINITY;
  let failed = 0;
  vi.spyOn(handles, 'datasync').mockImplementation(async function (this: FileHandle) {
    if (--left > 0) return datasync.call(this);
    left = Number.POSITIVE_INFINITY;
    failed++;
    await this.truncate((await this.stat()).size - 10);
    throw new Error('ENOSPC: no space left on device, fdatasync');
  });
  onTestFinished(() => void vi.restoreAllMocks());
  const writtenDown = async () => {
    const folder = join(dataDir, 'journal');
    const names = (await readdir(folder)).filter((name) => name.endsWith('.log'));
    return [...textsOf(names.toSorted().map((name) => join(folder, name)))].join();
  };
  let nth = 1;
  for (let before = -1; before < failed && nth < statementsMax; nth++) {
    before = failed;
    for (const add of [1, 2]) {
      left = nth;
      const change = `torn ${nth} ${add}`;
      const told = await askUntilDecided(change, add, embedded.admin);
      const { id } = z.looseObject({ id: z.uuid() }).parse(JSON.parse(told.at(-1) ?? ''));
      expect(await writtenDown()).toMatch(new RegExp(`"table":"verdicts","rows":[^\\n]*${id}`));
      const { rows } = await embedded.service.database.run(keptStatement(change));
      requireKept(told, z.array(keptSchema).parse(rows), add === 1 ? /^green$/ : /^red$/);
    }
  }
  left = Number.POSITIVE_INFINITY;
  expect(failed).toBeGreaterThan(3);
  await embedded.close();
  const contents = async () => {
    const database = await openDatabase({ dataDir });
    return contentsOf(database).finally(() => database.close());
  };
  const kept = await contents();
  await rm(join(dataDir, 'database'), { recursive: true });
  expect(await contents()).toEqual(kept);
});

test('a service whose identity cannot be read, or is not the one that suites are sealed to, does not start', async () => {
  const folder = await temporaryFolder();
  const start = (HOLDBACK_IDENTITY_FILE: string) =>
    startWorld({ HOLDBACK_DATA_DIR: folder, DATABASE_URL: server.url, HOLDBACK_IDENTITY_FILE });
  await expect(start(folder)).rejects.toThrow(/EISDIR|identity/);
  const other = join(folder, 'other');
  await writeFile(other, await generateX25519Identity());
  await expect(start(other)).rejects.toMatchObject({ code: 'seal_broken' });
});
