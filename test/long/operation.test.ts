/** Whoever operates the service: what it says of itself, and that it does not run foreign code where it cannot hold it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { probeContainment } from '../../gate/probe-containment.ts';
import { requireContainment } from '../../gate/require-containment.ts';
import { Grader } from '../../gate/scoring/grader.ts';
import { bundleHost } from '../../runners/bundle.ts';
import { isNoexec } from '../../runners/is-noexec.ts';
import { HostPool } from '../../runners/pool.ts';
import { Transformer } from '../../runners/transformer.ts';
import { findUnknown, readConfig } from '../../server/config.ts';
import { startProcess } from '../service-process.ts';
import { copyTemplate } from '../template-database.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { adminToken, clientOf, scoreRequest, startWorld, type World } from '../world.ts';

describe('a service that is ready', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  test('says of each part that it is, to anybody', async () => {
    const ready = await world.client(undefined)('GET', '/readyz');
    expect(ready.status).toBe(200);
    expect(ready.json).toEqual({
      status: 'ready',
      stopping: false,
      database: true,
      journal: true,
      runners: true,
      graders: true,
      containment: 'holds',
      // As many as the system offers; test/walls.test.ts holds each to what it says.
      walls: expect.any(Object),
    });
  });

  test('probes containment by hosts and a grader that hold', async () => {
    const { runners, graders } = world.service;
    const grader = new Grader(graders, new Transformer(), async () => '');
    expect(await probeContainment(runners, grader)).toEqual({ faults: [] });
  });

  test('says nothing of containment when it is stopped before it knows', async () => {
    const { hostCode, graderCode } = world.service;
    const pool = new HostPool({ code: hostCode, size: 0, isolateMb: 128 });
    await pool.close();
    const grader = new Grader(pool, new Transformer(), async () => '');
    const stopped = requireContainment(
      { code: { ...hostCode, version: 'never probed' }, pool },
      { code: graderCode, grader },
      { unsafeRunners: true },
    );
    await expect(stopped).rejects.toMatchObject({ code: 'runners_closed' });
  });
});

test('a folder for temporary files from which hosts could load nothing is known by its mount', () => {
  const mounts = ['/ rw', '/tmp rw,noexec', '/tmp/a rw', '/x\\040y rw,noexec', '/srv rw,noexec', '/srv rw']
    .map((mount) => `36 35 98:0 / ${mount} - ext4 /dev/x rw`)
    .join('\n');
  expect(isNoexec('/tmp', mounts)).toBe(true);
  expect(isNoexec('/tmp/b', mounts)).toBe(true);
  expect(isNoexec('/x y/z', mounts)).toBe(true);
  for (const path of ['/tmp/a', '/tmp/a/b', '/tmpfs', '/srv/x', '/'])
    expect(isNoexec(path, mounts), path).toBe(false);
  expect(isNoexec('/tmp', '')).toBe(false);
});

test('a folder for temporary files that is not there is one clear line', async () => {
  const missing = join(await temporaryFolder(), 'missing');
  const refused = startProcess({ HOLDBACK_DATA_DIR: await temporaryFolder(), TMPDIR: missing });
  expect(await refused.ended).toBe(1);
  expect(refused.printed()).toMatch(
    /^holdback could not start: runner hosts load their code from .*missing, where it cannot be put \(ENOENT.* TMPDIR/,
  );
});

test('a start that is told to stop ends well without having listened, and leaves nothing behind', async () => {
  const [dataDir, TMPDIR] = [await temporaryFolder(), await temporaryFolder()];
  await copyTemplate(dataDir);
  const starting = startProcess({ HOLDBACK_DATA_DIR: dataDir, TMPDIR });
  // It has begun.
  await expect.poll(() => readdir(TMPDIR), { interval: 10, timeout: 20_000 }).not.toEqual([]);
  await starting.end('SIGTERM');
  expect([await starting.ended, starting.printed()]).toEqual([0, '']);
  expect(await readdir(TMPDIR)).toEqual([]);
});

test('npm start ends when npm is told to, and leaves no service behind', async () => {
  const dataDir = await temporaryFolder();
  await copyTemplate(dataDir);
  const npm = spawn('npm', ['start'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { PATH: process.env.PATH, HOLDBACK_PORT: '0', HOLDBACK_DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(npm, 'exit');
  let address = '';
  for await (const line of createInterface({ input: npm.stdout })) {
    [, address = ''] = /listens on (http:\S+)/.exec(line) ?? [];
    if (address !== '') break;
  }
  const answers = () =>
    fetch(`${address}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  expect(await answers()).toBe(true);
  npm.kill('SIGTERM');
  await ended;
  await expect.poll(answers).toBe(false);
});

test('callers who connect and ask nothing leave a service what it needs to score', async () => {
  const dataDir = await temporaryFolder();
  await copyTemplate(dataDir);
  const descriptorsMax = 300;
  const server = startProcess(
    {
      HOLDBACK_DATA_DIR: dataDir,
      HOLDBACK_ADMIN_TOKEN: adminToken,
      HOLDBACK_SLOT_MS: '0',
      HOLDBACK_POOL: '1',
    },
    { descriptorsMax },
  );
  onTestFinished(() => server.end());
  const address = new URL(await server.listening);
  const ask = clientOf(address.origin, adminToken);
  await ask('POST', '/suites/held/revisions?activate=true', {
    cases: [{ name: 'one more', input: 41, expect: { equals: 42 } }],
  });
  await ask('PUT', '/gates/held', { suites: ['held'] });

  const idle = Array.from({ length: 2 * descriptorsMax }, () =>
    connect(Number(address.port), address.hostname).on('error', () => {}),
  );
  onTestFinished(() => {
    for (const socket of idle) socket.destroy();
  });
  await expect.poll(() => server.printed()).toContain('callers are hung up on');
  // Large enough that its database has to make another file.
  const filler = `\n// ${'x'.repeat(50_000)}`;
  const right = await ask('POST', '/score', scoreRequest('held', `export const run = (x) => x + 1${filler}`));
  expect(right.json).toMatchObject({ verdict: 'merge' });
  const wrong = await ask('POST', '/score', scoreRequest('held', `export const run = (x) => x - 1${filler}`));
  expect(wrong.json).toMatchObject({ verdict: 'block', reason: 'red' });
});

describe('settings', () => {
  test.each([
    ['HOLDBACK_PORT', 'many', 'is a whole number from 0 to 65535'],
    ['HOLDBACK_PORT', '0x10', 'is a whole number from 0 to 65535'],
    ['HOLDBACK_PORT', 'tcp://10.96.0.7:80', 'was set by Kubernetes for the Service holdback'],
    ['HOLDBACK_DRAIN_MS', '5s', 'is a whole number from 0 to 3600000'],
    ['HOLDBACK_WALLS', 'network,fils', 'is auto, none, or some of network, files'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4317', 'starts with http:// or https://'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization', 'is key=value'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=a%0d%0ab', 'is key=value'],
  ])('%s=%s is refused, and what it should be is said', (name, text, told) => {
    const read = () => readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318', [name]: text });
    expect(read).toThrow(`${name}: `);
    expect(read).toThrow(told);
  });

  test('of two identities none is taken', () => {
    const both = { HOLDBACK_IDENTITY: 'AGE-SECRET-KEY-1', HOLDBACK_IDENTITY_FILE: '/run/identity' };
    expect(() => readConfig(both)).toThrow('HOLDBACK_IDENTITY and HOLDBACK_IDENTITY_FILE are both set');
  });

  test('one that is misspelt is named, because nothing comes of it', () => {
    const others = { HOLDBACK_TOKEN: 'x', HOLDBACK_URL: 'x', HOLDBACK_PORT_80_TCP: 'x', PATH: 'x' };
    expect(findUnknown({ ...others, HOLDBACK_POOL: '1', HOLDBACK_WALL: 'network' })).toEqual([
      expect.stringMatching(/^HOLDBACK_WALL is no setting/),
    ]);
  });
});

describe('a service whose runners do not hold what they run', () => {
  let dataDir: string;

  /** A data directory in which the code of hosts, as it is kept from the last start, was swapped for a leaky one. */
  beforeAll(async () => {
    dataDir = await temporaryFolder();
    await copyTemplate(dataDir);
    const sound = start();
    await sound.listening;
    await sound.end();
    const code = await bundleHost(new URL('../hosts/leaky.ts', import.meta.url), {});
    const leaky = await readFile(join(code.folder, 'thread.cjs'), 'utf8');
    await code.remove();
    const compiled = join(dataDir, 'compiled');
    for (const name of await readdir(compiled, { recursive: true })) {
      if (!/bundle-\w+\.json$/.test(name)) continue;
      const kept = JSON.parse(await readFile(join(compiled, name), 'utf8'));
      if (kept.text.includes('the engine could not compile the candidate'))
        await writeFile(join(compiled, name), JSON.stringify({ ...kept, text: leaky }));
    }
  });

  const start = (environment = {}) =>
    startProcess({
      HOLDBACK_DATA_DIR: dataDir,
      HOLDBACK_ADMIN_TOKEN: adminToken,
      NODE_COMPILE_CACHE: join(dataDir, 'compiled'),
      ...environment,
    });

  test('does not start, and says why and what would make it', async () => {
    const refused = start();
    expect(await refused.ended).toBe(1);
    expect(refused.printed()).toMatch(
      /^holdback could not start: candidates are not contained here: a program that looks for a way out found one: .*HOLDBACK_UNSAFE_RUNNERS=1/m,
    );
  });

  test('starts if it is told to in spite of that, warns, and says so wherever it is asked', async () => {
    const unsafe = start({ HOLDBACK_UNSAFE_RUNNERS: '1' });
    const address = await unsafe.listening;
    onTestFinished(() => unsafe.end());
    const ready = await fetch(`${address}/readyz`);
    expect(await ready.json()).toMatchObject({ status: 'ready', containment: 'broken' });
    expect(unsafe.printed()).toMatch(/UNSAFE: candidates are not contained here/);
  });
});
