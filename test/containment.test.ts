/** What holds a candidate: hosts that can do nothing, deadlines that are kept, forged answers that count for nothing. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { bundleHost, type HostCode } from '../runners/bundle.ts';
import { plainRun } from '../runners/case-run.ts';
import { rehearsalRuns, rehearsalScript } from '../runners/host/rehearsal.ts';
import { HostPool } from '../runners/pool.ts';
import { type CandidateJob, limitsSchema } from '../runners/protocol.ts';
import { runCandidate } from '../runners/run-candidate.ts';
import { type JobEnd, supervise } from '../runners/supervise.ts';
import { Transformer } from '../runners/transformer.ts';
import { descendantsOf, hostsOf, isBusy, processesWith } from './processes.ts';
import { startProcess } from './service-process.ts';
import { copyTemplate } from './template-database.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { adminToken, clientOf, openWorld, scoreRequest, sealSuite } from './world.ts';

const limits = limitsSchema.parse({});

async function scriptOf(source: string): Promise<string> {
  const transformed = await new Transformer().transform(source);
  if (!transformed.ok) throw new Error(transformed.detail);
  return transformed.script;
}

async function poolOf(code: HostCode): Promise<HostPool> {
  const pool = new HostPool({ code, size: 1, isolateMb: 128 });
  await pool.warm();
  onTestFinished(() => pool.close());
  return pool;
}

describe('a host', () => {
  test('can read, write, start and reach nothing, and sees an empty environment', async () => {
    process.env.HOLDBACK_TEST_SECRET = 'seen';
    onTestFinished(() => {
      delete process.env.HOLDBACK_TEST_SECRET;
    });
    const code = await bundleHost(new URL('./hosts/curious.ts', import.meta.url), {});
    onTestFinished(code.remove);
    const host = await (await poolOf(code)).lease();
    const answers: unknown[] = [];
    await supervise(host, {
      line: 'null',
      count: 1,
      answerBytesMax: 10_000,
      limits,
      onAnswer: (_index, _durationMs, text) => answers.push(JSON.parse(text)),
    });
    expect(answers).toEqual([{ names: [], environment: ['LC_ALL', 'LIBC', 'TZ'] }]);
  });

  test('that is taken over cannot forge its way to an end: only the due answers in sequence count', async () => {
    const code = await bundleHost(new URL('./hosts/forger.ts', import.meta.url), {});
    onTestFinished(code.remove);
    const pool = await poolOf(code);
    const forge = async (lines: string[], later: string[][] = []): Promise<JobEnd | 'host_lost'> => {
      const host = await pool.lease();
      const batches = later.map((each) => ({ line: JSON.stringify(each), count: 1 }));
      try {
        return await supervise(host, {
          line: JSON.stringify(lines),
          count: 3,
          more: () => batches.shift(),
          answerBytesMax: 1_000,
          limits: { ...limits, caseMs: 300 },
          onAnswer: () => {},
        });
      } catch {
        return 'host_lost';
      } finally {
        pool.end(host);
      }
    };
    const answer = (index: number | string) => `${index} 5 {"outcome":"returned","value":1}\n`;
    const honest = ['loading\n', answer(0), answer(1), answer(2)];
    // The host itself says `done` after its thread, and so after each batch.
    expect(await forge(honest)).toEqual({ end: 'done' });
    expect(await forge(honest, [[answer(3)], [answer(4)]])).toEqual({ end: 'done' });
    const forgeries: [string, string[]][] = [
      ['nothing', []],
      ['no loading', honest.slice(1)],
      ['an answer missing', ['loading\n', answer(0), answer(1)]],
      ['an answer twice', ['loading\n', answer(0), answer(0), answer(1)]],
      ['answers out of order', ['loading\n', answer(1), answer(0), answer(2)]],
      ['an answer too many', [...honest, answer(3)]],
      ['an early done', ['loading\n', answer(0), 'done\n']],
      ['a negative index', ['loading\n', answer('-0')]],
      ['an index that is no number', ['loading\n', answer('NaN')]],
      ['no newline at all', ['loading\n', 'x'.repeat(5_000)]],
      ['something that is no answer', ['loading\n', 'PASS\n']],
      ['a second loading', ['loading\n', 'loading\n']],
    ];
    const isNoEnd = (end: JobEnd | 'host_lost') => end === 'host_lost' || end.end === 'stopped';
    for (const [name, lines] of forgeries) expect(await forge(lines), name).toSatisfy(isNoEnd);
    const laterForgeries: [string, string[], string[]][] = [
      ['the answers of two batches in one', [...honest, answer(3)], []],
      ['an answer missing in a later batch', honest, []],
      ['an answer again in a later batch', honest, [answer(2)]],
      ['a later batch that begins anew', honest, ['loading\n', answer(3)]],
    ];
    for (const [name, lines, later] of laterForgeries)
      expect(await forge(lines, [later]), name).toSatisfy(isNoEnd);
  });
});

describe('a run', () => {
  let code: HostCode;

  beforeAll(async () => {
    code = await bundleHost(new URL('../runners/host/candidate-task.ts', import.meta.url), {
      REALM_SOURCE: new URL('../runners/realm/main.ts', import.meta.url),
    });
  });
  afterAll(() => code.remove());

  test('whose host is still starting when the pool closes is called off, and the host is gone', async () => {
    const pool = new HostPool({ code, size: 1, isolateMb: 128 });
    const leasing = pool.lease();
    await Promise.all([
      expect(leasing).rejects.toMatchObject({ code: 'runners_closed' }),
      // It has been spawned by now, and has not had the time to become ready.
      pool.close(),
    ]);
    expect(processesWith(code.folder)).toEqual([]);
  });

  test('that is told how many hosts to keep ready starts or ends them, and follows none before', async () => {
    const pool = new HostPool({ code, size: 0, isolateMb: 128 });
    onTestFinished(() => pool.close());
    void pool.prestart(1);
    pool.end(await pool.lease());
    await vi.waitFor(() => expect(pool.leasedCount).toBe(0));
    expect(pool.startedCount).toBe(1);
    pool.keep(2);
    await vi.waitFor(() => expect(pool.readyCount).toBe(2), { timeout: 20_000 });
    expect(pool.startedCount).toBe(3);
    // One that is still starting is one too many as well.
    void pool.prestart(3);
    pool.keep(1);
    await vi.waitFor(() => expect(pool.startedCount).toBe(4), { timeout: 20_000 });
    await vi.waitFor(() => expect(pool.pids.length).toBe(1));
  });

  test('whose host is killed after any answer is not done', async () => {
    const pool = await poolOf(code);
    const job: CandidateJob = {
      script: await scriptOf('export const run = (x) => x'),
      runs: ['0', '1', '2', '3'].map(plainRun),
      seed: 1,
      isolateMb: 128,
      outputBytes: 1_000,
    };
    for (const killedAt of [0, 1, 2]) {
      const host = await pool.lease();
      const end = await supervise(host, {
        line: JSON.stringify(job),
        count: 4,
        answerBytesMax: 10_000,
        limits,
        onAnswer: (index) => {
          if (index === killedAt) host.kill();
        },
      });
      pool.end(host);
      // The later answers may have been on their way already; `done` must not be.
      expect(end).toMatchObject(end.end === 'done' ? { end: 'done' } : { end: 'stopped', why: 'died' });
    }
  });

  test('of the build that hosts rehearse with gives values of many kinds, and what it throws', async () => {
    const observed = await runCandidate(await poolOf(code), {
      script: rehearsalScript,
      runs: rehearsalRuns,
      seed: 5,
      limits,
      hosts: 1,
    });
    const returned = { outcome: 'returned', value: expect.stringContaining('_two words') };
    const threw = { outcome: 'threw', error: { message: 'it was asked to' } };
    expect(observed.map(({ observation }) => observation)).toMatchObject([
      returned,
      returned,
      returned,
      threw,
    ]);
  });

  test('of many cases has each run once, whichever host comes round to it and however hosts end', async () => {
    const pool = await poolOf(code);
    const inputs = Array.from({ length: 400 }, (_, index) => (index % 150 === 7 ? -index : index));
    const observed = await runCandidate(pool, {
      script: await scriptOf('export function run(x) { if (x < 0) for (;;); return x; }'),
      runs: inputs.map((input) => plainRun(`${input}`)),
      seed: 4,
      limits: { ...limits, caseMs: 500 },
      hosts: 2,
    });
    const outcomeOf = (input: number) =>
      input < 0 ? { outcome: 'timed_out' } : { outcome: 'returned', value: `${input}` };
    expect(observed.map(({ observation }) => observation)).toMatchObject(inputs.map(outcomeOf));
  });

  test('finds neither what the cases before left behind nor the function of the engine that collects it', async () => {
    const pool = await poolOf(code);
    const script = await scriptOf(`
      const hidden = Object.getOwnPropertyNames(globalThis).filter((name) => /^gc|holdback/i.test(name));
      // Each case leaves a third of all memory behind, and most are run after several others.
      globalThis.kept = Array.from({ length: 400 }, () => new Array(12_500).fill(0.5));
      export function run() {
        const found = [typeof gc, typeof (0, eval)('globalThis').gc, typeof new Function('return this')().gc];
        return [...found, hidden.length, kept.length];
      }`);
    const observed = await runCandidate(pool, {
      script,
      runs: Array.from({ length: 80 }, () => plainRun('0')),
      seed: 3,
      limits,
      hosts: 1,
    });
    const answers = new Set(observed.map(({ observation }) => JSON.stringify(observation)));
    const value = '["undefined","undefined","undefined",0,400]';
    expect([...answers].map((text) => JSON.parse(text))).toEqual([{ outcome: 'returned', value }]);
  });

  test('may take most of its isolate in each case, one after the other, in the smallest host', async () => {
    const pool = await poolOf(code);
    const observed = await runCandidate(pool, {
      script: await scriptOf(`export function run() {
        globalThis.kept = Array.from({ length: 60 * 16 }, () => new Array(8_192).fill(0.5));
        return kept.length;
      }`),
      runs: Array.from({ length: 12 }, () => plainRun('0')),
      seed: 3,
      limits: { ...limits, hostMb: 192 },
      hosts: 1,
    });
    const outcomes = observed.map(({ observation }) => observation.outcome);
    expect(new Set(outcomes)).toEqual(new Set(['returned']));
  });

  test('of a case of many trials that hangs runs all other cases', async () => {
    const pool = await poolOf(code);
    const [others, trials] = [300, 100];
    const inputs = [...Array(others).keys(), ...Array.from({ length: trials }, () => -1)];
    const observed = await runCandidate(pool, {
      script: await scriptOf('export function run(x) { if (x < 0) for (;;); return x; }'),
      runs: inputs.map((input) => plainRun(`${input}`)),
      caseOf: inputs.map((input, index) => (input < 0 ? others : index)),
      seed: 1,
      limits: { ...limits, caseMs: 300 },
      hosts: 2,
    });
    const outcomes = observed.map(({ observation }) => observation.outcome);
    expect(new Set(outcomes.slice(0, others))).toEqual(new Set(['returned']));
    // Both hosts may have been at one of its trials when it first came to grief.
    expect(outcomes.filter((outcome) => outcome === 'timed_out').length).toBeLessThanOrEqual(2);
  });

  test('that kills one host goes on with the later cases in another, and then gives up', async () => {
    const pool = await poolOf(code);
    const observed = await runCandidate(pool, {
      script: await scriptOf('export function run(x) { if (x < 0) for (;;); return x; }'),
      runs: ['1', '-1', '2', '3', '4', '5'].map(plainRun),
      seed: 4,
      limits: { ...limits, caseMs: 300 },
      hosts: 1,
    });
    expect(observed.map(({ observation }) => observation.outcome)).toEqual([
      'returned',
      'timed_out',
      'returned',
      'returned',
      'returned',
      'returned',
    ]);
    const hopeless = await runCandidate(pool, {
      script: await scriptOf('export function run() { for (;;); }'),
      runs: Array.from({ length: 20 }, () => plainRun('1')),
      seed: 1,
      limits: { ...limits, caseMs: 100 },
      hosts: 1,
    });
    const outcomes = hopeless.map(({ observation }) => observation.outcome);
    expect(outcomes.filter((outcome) => outcome === 'timed_out')).toHaveLength(4);
    expect(outcomes.filter((outcome) => outcome === 'not_run')).toHaveLength(16);
  });

  test('on a machine that is far too busy does not become red', async () => {
    const pool = await poolOf(code);
    const burners = Array.from({ length: 12 }, () =>
      // In sessions of their own, because a kernel may share out the cores by session.
      spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore', detached: true }),
    );
    onTestFinished(() => {
      for (const burner of burners) burner.kill('SIGKILL');
    });
    // Less than half of the limit on an idle machine, and far over it by the wall on this one.
    const source =
      'export function run(n) { let x = 0; for (let i = 0; i < n; i++) x = (x + i * 7) % 1000003; return x; }';
    const [observed] = await runCandidate(pool, {
      script: await scriptOf(source),
      runs: [plainRun('40000000')],
      seed: 1,
      limits: { ...limits, caseMs: 600 },
      hosts: 1,
    });
    expect(observed?.observation).toMatchObject({ outcome: 'returned' });
  });
});

describe('the service', () => {
  test('keeps the answer key out of the process that runs the candidate', async () => {
    const world = await openWorld();
    await sealSuite(world, 'keyed', {
      cases: [{ name: 'NAME-zq81', input: 'INPUT-zq81', expect: { equals: 'EXPECTED-zq81' } }],
      limits: { caseMs: 3_000 },
    });
    const scoring = world.admin(
      'POST',
      '/score',
      scoreRequest('keyed', 'export function run() { const mark = "CANDIDATE-zq81"; for (;;) mark.length; }'),
    );
    const seen = { input: false, name: false, expected: false, suite: false };
    await expect
      .poll(
        () => {
          for (const { pid } of hostsOf(process.pid)) {
            if (!isBusy(pid)) continue;
            const memory = readMemory(pid);
            // Graders hold the key, and never the candidate.
            if (!memory.includes('INPUT-zq81') || !memory.includes('CANDIDATE-zq81')) continue;
            seen.input = true;
            seen.name ||= memory.includes('NAME-zq81');
            seen.expected ||= memory.includes('EXPECTED-zq81');
            seen.suite ||= memory.includes('"keyed"');
          }
          return seen.input;
        },
        { timeout: 20_000 },
      )
      .toBe(true);
    expect(seen).toEqual({ input: true, name: false, expected: false, suite: false });
    expect((await scoring).json).toMatchObject({ verdict: 'block' });
  });

  test('leaves no process behind when it is killed while a candidate spins', async () => {
    const dataDir = await temporaryFolder();
    onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
    await copyTemplate(dataDir);
    const server = startProcess({ HOLDBACK_DATA_DIR: dataDir, HOLDBACK_ADMIN_TOKEN: adminToken });
    onTestFinished(() => server.end('SIGKILL'));
    const ask = clientOf(await server.listening, adminToken);
    const { pid: service = 0 } = server.child;
    await ask('POST', '/suites/spin/revisions?activate=true', {
      cases: [{ name: 'one', input: 1, expect: { equals: 1 } }],
      limits: { caseMs: 60_000 },
    });
    await ask('PUT', '/gates/spin', { suites: ['spin'] });
    ask('POST', '/score', scoreRequest('spin', 'export function run() { for (;;); }')).catch(() => {});
    await expect.poll(() => hostsOf(service).some(({ pid }) => isBusy(pid)), { timeout: 20_000 }).toBe(true);
    const before = descendantsOf(service).map(({ pid }) => pid);
    expect(before.length).toBeGreaterThan(0);
    await server.end('SIGKILL');
    await expect
      .poll(() => processesWith('').filter(({ pid }) => before.includes(pid)), { timeout: 20_000 })
      .toEqual([]);
  });
});

/** All readable memory of a process, as Latin-1 text. */
function readMemory(pid: number): string {
  const parts: string[] = [];
  try {
    const memory = openSync(`/proc/${pid}/mem`, 'r');
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from, to, rights, , , , name] =
        /^(\w+)-(\w+) (\S+) (\S+) (\S+) (\S+)\s*(.*)$/.exec(line) ?? [];
      if (from === undefined || to === undefined || !rights?.startsWith('rw') || name === '[vvar]') continue;
      const start = Number.parseInt(from, 16);
      const chunk = Buffer.alloc(Math.min(Number.parseInt(to, 16) - start, 64 << 20));
      try {
        parts.push(chunk.toString('latin1', 0, readSync(memory, chunk, 0, chunk.length, start)));
      } catch {
        // Reserved, but not in use.
      }
    }
    closeSync(memory);
  } catch {
    // It ended while we read.
  }
  return parts.join('');
}
