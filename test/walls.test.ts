/**
 * What stands around hosts besides Node's permissions. Which walls there are depends on the system: what is promised here is that
 * those which stand hold against native code, that the others are named, and that everything works with all of them and with none.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { findWalls, probeWalls } from '../runners/walls/find-walls.ts';
import { endOf } from '../runners/walls/probe.ts';
import { noMeans, standing, wallSchema } from '../runners/walls/wall.ts';
import { noWalls, type Walls } from '../runners/walls/walls.ts';
import { readConfig } from '../server/config.ts';
import { identityPath } from '../suites/sealing/identity.ts';
import { hostsOf, processesWith } from './processes.ts';
import { startProcess } from './service-process.ts';
import { copyTemplate } from './template-database.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { adminToken, type Client, clientOf, scoreRequest, startWorld, type World } from './world.ts';

type Escaped = { could: string[]; uid: number };

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

async function folderOfItsOwn(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Two scores, of a right build and of a wrong one. */
async function scoreTwo(ask: Client): Promise<unknown[]> {
  await ask('POST', '/suites/walled/revisions?activate=true', {
    cases: [{ name: 'one more', input: 41, expect: { equals: 42 } }],
  });
  await ask('PUT', '/gates/walled', { suites: ['walled'] });
  const sources = ['export const run = (x) => x + 1', 'export const run = (x) => x - 1'];
  const answers = await Promise.all(
    sources.map((source) => ask('POST', '/score', scoreRequest('walled', source))),
  );
  return answers.map(({ json }) => Object(json).verdict);
}

test('a native program behind the walls that stand here cannot do what they are there to stop', async () => {
  const { walls, missing } = await findWalls('auto');
  const stands = standing(walls.means);
  // Whatever does not stand, somebody is told why.
  expect(Object.keys(missing).sort()).toEqual(
    Object.keys(noMeans)
      .filter((wall) => !stands.some((other) => other === wall))
      .sort(),
  );

  const folder = await folderOfItsOwn();
  const [own, writable] = [join(folder, 'own'), join(folder, 'writable')];
  await Promise.all([mkdir(own), mkdir(writable)]);
  await copyFile(new URL('./hosts/escaped.ts', import.meta.url), join(own, 'escaped.mts'));
  // Anybody may, as far as usual permissions go.
  await Promise.all([chmod(folder, 0o755), chmod(own, 0o755), chmod(writable, 0o777)]);
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const secret = identityPath(readConfig({ HOLDBACK_DATA_DIR: world.dataDir })) ?? '';
  expect(await readFile(secret, 'utf8')).toContain('AGE-SECRET-KEY');

  const targets = [join(own, 'escaped.mts'), `${process.pid}`, `${port}`, secret, writable];
  onTestFinished(() => {
    for (const { pid } of processesWith('holdback-escaped')) process.kill(pid, 'SIGKILL');
  });
  const tryFrom = async (behind: Walls, forks: number): Promise<Escaped> => {
    const [program = '', ...args] = behind.around([process.execPath, ...targets, `${forks}`], own);
    const child = spawn(program, args, {
      cwd: '/',
      env: {},
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    const [text] = await once(child.stdout, 'data');
    if (child.pid === undefined) throw new Error('it did not start');
    process.kill(-child.pid, 'SIGKILL');
    return JSON.parse(`${text}`);
  };

  // Without walls all of it can be had, so that what follows means something.
  const without = await tryFrom(noWalls, 1);
  expect(without.uid).toBe(process.getuid?.());
  expect(without.could).toEqual(
    expect.arrayContaining([
      ...['read /etc/passwd', 'read the data directory', 'write a file', 'see the service'],
      ...['signal the service', 'reach the network', 'start processes without end'],
      ...(without.uid === 0 ? ['choose its groups'] : []),
    ]),
  );
  for (const { pid } of processesWith('holdback-escaped')) process.kill(pid, 'SIGKILL');

  const { network, files, processes, user, privileges, limits } = walls.means;
  const forbidden = new Set<string>();
  if (network === 'namespace') forbidden.add('reach the network');
  if (files !== 'permission')
    for (const what of ['read /etc/passwd', 'read the data directory', 'write a file', 'see the service'])
      forbidden.add(what);
  if (processes === 'namespace') forbidden.add('signal the service');
  if (walls.plan.hasOwnProc) forbidden.add('see the service');
  if (user === 'own') forbidden.add('read the data directory').add('signal the service');
  if (privileges === 'dropped') forbidden.add('choose its groups');
  if (walls.plan.sealsUsers) forbidden.add('have capabilities in a namespace of its own');
  if (limits === 'prlimit') forbidden.add('write a file');
  if (walls.countsOwn) forbidden.add('start processes without end');
  const told = await tryFrom(walls, 150);
  expect(told.could.filter((what) => forbidden.has(what))).toEqual([]);
  expect(told.uid === without.uid).toBe(user === 'shared');
  if (processes === 'namespace') {
    // Also those that had left the group.
    await expect.poll(() => processesWith('holdback-escaped'), { timeout: 20_000 }).toEqual([]);
  }
});

test('a service tells which walls stand, starts its hosts behind them, and scores as ever', async () => {
  const { walls } = await findWalls('auto');
  expect((await world.admin('GET', '/readyz')).json).toMatchObject({ status: 'ready', walls: walls.means });
  const ours = await readlink('/proc/self/ns/net');
  const hosts = hostsOf(process.pid);
  expect(hosts.length).toBeGreaterThan(0);
  for (const { pid } of hosts) {
    const theirs = await readlink(`/proc/${pid}/ns/net`);
    expect(theirs === ours).toBe(walls.means.network === 'permission');
  }
  expect(await scoreTwo(world.admin)).toEqual(['merge', 'block']);
});

test('a wall is given up where what tries it ends and leaves another process behind, and nobody waits for that one', async () => {
  const child = spawn('/bin/sh', ['-c', 'setsid sleep 1000 & echo $!'], { detached: true });
  const ended = await endOf(child, 300);
  expect(ended).toMatchObject({ errors: 'it took too long' });
  process.kill(Number(ended.output), 'SIGKILL');
});

/** Whether walls are tried together or each alone, what stands is the same but for those of these programs. */
test.each([
  [
    'unshare',
    'while case $1 in --*) ;; *) false ;; esac; do shift; done; exec "$@"',
    ['network', 'processes'],
  ],
  ['bwrap', 'exit 1', ['files']],
  ['bwrap', 'echo hello; exit 1', ['files']],
  ['prlimit', 'echo hello; while case $1 in --*) ;; *) false ;; esac; do shift; done; exec "$@"', ['limits']],
] as const)(
  'a program %s that builds nothing builds no wall, and the others stand',
  async (name, body, of) => {
    const folder = await folderOfItsOwn();
    const fake = join(folder, name);
    await writeFile(fake, `#!/bin/sh\n${body}\n`);
    await chmod(fake, 0o755);
    const [{ walls: all }, found] = await Promise.all([
      findWalls('auto'),
      probeWalls(`${folder}:${process.env.PATH}`),
    ]);
    const { walls, missing } = found;
    for (const wall of wallSchema.options) {
      if (!of.some((one) => one === wall)) expect(walls.means[wall]).toBe(all.means[wall]);
      else expect(walls.means[wall]).not.toMatch(/namespace|mounts/);
      expect(wall in missing).toBe(walls.means[wall] === noMeans[wall]);
    }
  },
);

test('where the system offers nothing, a service says so and scores as ever', async () => {
  const { walls, missing } = await probeWalls('');
  expect(walls.means).toEqual(noMeans);
  expect(Object.keys(missing).sort()).toEqual(Object.keys(noMeans).sort());

  const dataDir = await folderOfItsOwn();
  await copyTemplate(dataDir);
  const server = startProcess({
    PATH: '/nowhere',
    HOLDBACK_DATA_DIR: dataDir,
    HOLDBACK_ADMIN_TOKEN: adminToken,
    HOLDBACK_SLOT_MS: '0',
    HOLDBACK_POOL: '1',
  });
  onTestFinished(() => server.end());
  const ask = clientOf(await server.listening, adminToken);
  expect((await ask('GET', '/readyz')).json).toMatchObject({ status: 'ready', walls: noMeans });
  expect(await scoreTwo(ask)).toEqual(['merge', 'block']);
});

test('a wall that is demanded and does not stand keeps a service from starting, and is named with the reason', async () => {
  const dataDir = await folderOfItsOwn();
  await copyTemplate(dataDir);
  const server = startProcess({
    PATH: '/nowhere',
    HOLDBACK_DATA_DIR: dataDir,
    HOLDBACK_WALLS: 'network, limits',
  });
  await expect(server.listening).rejects.toThrow(
    /HOLDBACK_WALLS.*network \(there is no unshare\); limits \(there is no prlimit\)/,
  );
  expect(await server.ended).toBe(1);
  expect(() => readConfig({ HOLDBACK_WALLS: 'network,moat' })).toThrow(/HOLDBACK_WALLS/);
});
