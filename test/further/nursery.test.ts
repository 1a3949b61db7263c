/** The nursery, from which all that runs or reads foreign code is started: what it starts, hands over and tells. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { bundleHost } from '../../runners/bundle.ts';
import { plainRun } from '../../runners/case-run.ts';
import { killOf } from '../../runners/kill-of.ts';
import { type Started, startProcess } from '../../runners/nursery/nursery.ts';
import { HostPool } from '../../runners/pool.ts';
import { limitsSchema } from '../../runners/protocol.ts';
import { runCandidate } from '../../runners/run-candidate.ts';
import { findWalls } from '../../runners/walls/find-walls.ts';
import { descendantsOf, hostsOf, isBusy, processesWith } from '../processes.ts';

const started: Started[] = [];

async function start(
  ...command: [string, ...string[]]
): Promise<Started & { input: Started['pipes'][0]; output: Started['pipes'][0] }> {
  const child = await startProcess({
    command,
    stdio: ['pipe', 'pipe', 'ignore'],
    environment: { GIVEN: 'this' },
  });
  started.push(child);
  const [input, output] = child.pipes;
  if (input === undefined || output === undefined) throw new Error('it has no pipes');
  return { ...child, input, output };
}

afterEach(() => {
  for (const { pid } of started.splice(0)) killOf(-pid);
});

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

describe('what is started from the nursery', () => {
  test('has the pipes, the environment and the folder that it is given', async () => {
    const { input, output, exited } = await start(
      '/bin/sh',
      '-c',
      'read line; pwd; env | grep -v "^_\\|^PWD"; cat; exit 3',
    );
    input.end('begin\nwhat was sent');
    expect((await output.toArray()).join('')).toBe('/\nGIVEN=this\nwhat was sent');
    expect(await exited).toEqual({ code: 3, isOrphan: false });
  });

  test('is the head of a process group of its own, and tells no code when a signal ends it', async () => {
    const { pid, exited } = await start('/bin/sh', '-c', 'sleep 60 & wait');
    process.kill(-pid, 'SIGKILL');
    expect(await exited).toEqual({ code: null, isOrphan: false });
  });

  test('and cannot be is told with the reason, and what comes after it can', async () => {
    const none = startProcess({
      command: ['/nowhere/at-all'],
      stdio: ['pipe', 'pipe', 'pipe'],
      environment: {},
    });
    await expect(none).rejects.toMatchObject({
      code: 'host_unavailable',
      message: expect.stringContaining('ENOENT'),
    });
    const { input, exited } = await start('/bin/cat');
    input.end();
    expect(await exited).toEqual({ code: 0, isOrphan: false });
  });

  test('is no copy of the process that asks for it', async () => {
    const { pid } = await start('/bin/cat');
    const nursery = parentOf(pid);
    expect(nursery).not.toBe(process.pid);
    expect(parentOf(nursery)).toBe(process.pid);
    expect(readFileSync(`/proc/${nursery}/environ`, 'utf8')).not.toMatch(/HOLDBACK|DATABASE|PATH/);
  });

  test('goes on when the nursery ends, and another nursery starts what comes next', async () => {
    const child = await start('/bin/cat');
    const nursery = parentOf(child.pid);
    process.kill(nursery, 'SIGKILL');
    await expect.poll(() => processesWith('').some(({ pid }) => pid === nursery)).toBe(false);
    child.input.write('still there');
    expect(`${(await once(child.output, 'data'))[0]}`).toBe('still there');
    const next = await start('/bin/cat');
    expect(parentOf(next.pid)).not.toBe(nursery);
    child.input.end();
    // It had time enough to end by itself.
    expect(await child.exited).toMatchObject({ code: null });
  });

  test('is known to have ended when the nursery tells nothing any more, and what comes next is started', async () => {
    const child = await start('/bin/cat');
    const nursery = parentOf(child.pid);
    process.kill(nursery, 'SIGSTOP');
    process.kill(-child.pid, 'SIGKILL');
    expect(await child.exited).toMatchObject({ code: null });
    expect(parentOf((await start('/bin/cat')).pid)).not.toBe(nursery);
  });

  test('keeps no nursery when the service is killed while a pipe is being handed over', async () => {
    const nursery = fileURLToPath(new URL('../../runners/nursery/nursery.ts', import.meta.url));
    const asking = `
      import { startProcess } from ${JSON.stringify(nursery)};
      const start = () => startProcess({ command: ['/bin/cat'], stdio: ['pipe', 'pipe', 'pipe'], environment: {} });
      await start();
      start();
      await new Promise(setImmediate);
      // It has been asked for, and is not answered any more.
      process.kill(process.pid, 'SIGSTOP');`;
    const service = spawn(process.execPath, ['--input-type=module', '-e', asking], { stdio: 'ignore' });
    const pid = service.pid ?? 0;
    onTestFinished(() => killOf(pid));
    const cats = () => descendantsOf(pid).filter(({ command }) => command.includes('/bin/cat'));
    await expect.poll(() => cats().length, { timeout: 20_000 }).toBe(2);
    const startedThere = descendantsOf(pid).map((one) => one.pid);
    service.kill('SIGKILL');
    await expect
      .poll(() => processesWith('').filter((one) => startedThere.includes(one.pid)), { timeout: 20_000 })
      .toEqual([]);
  });

  test('is started from another nursery where this one ends before it could', async () => {
    const nursery = parentOf((await start('/bin/cat')).pid);
    process.kill(nursery, 'SIGSTOP');
    const starting = [start('/bin/cat'), start('/bin/cat')];
    process.kill(nursery, 'SIGKILL');
    for (const { pid } of await Promise.all(starting)) expect(parentOf(pid)).not.toBe(nursery);
  });
});

test('a nursery that ends takes no build with it that walls hold: it is run again, and is not judged by that', async () => {
  const code = await bundleHost(new URL('../../runners/host/candidate-task.ts', import.meta.url), {
    REALM_SOURCE: new URL('../../runners/realm/main.ts', import.meta.url),
  });
  const { walls } = await findWalls('auto');
  const pool = new HostPool({ code, size: 1, isolateMb: 128, walls });
  try {
    await pool.warm();
    const running = runCandidate(pool, {
      script:
        'exports.run = (n) => { let x = 0; for (let i = 0; i < n; i++) x = (x + i * 7) % 1000003; return x; }',
      runs: ['500000000', '1'].map(plainRun),
      seed: 1,
      limits: { ...limitsSchema.parse({}), caseMs: 60_000 },
      hosts: 1,
    });
    const hosts = () => hostsOf(process.pid).filter(({ command }) => command.includes(code.folder));
    await expect.poll(() => hosts().some(({ pid }) => isBusy(pid))).toBe(true);
    const [host] = hosts();
    let nursery = host?.pid ?? 0;
    while (parentOf(nursery) !== process.pid) nursery = parentOf(nursery);
    process.kill(nursery, 'SIGKILL');
    const outcomes = (await running).map(({ observation }) => observation.outcome);
    expect(outcomes).toEqual(['returned', 'returned']);
  } finally {
    await pool.close();
    await code.remove();
  }
});
