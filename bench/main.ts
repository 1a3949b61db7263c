/**
 * `npm run bench`: what the service costs over the isolates' own work. All that is compared is measured in this one run, in
 * turns, and printed as ratios; the bounds are those that the project holds itself to.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type BenchCase, makeCases } from './cases.ts';
import { bundleReadably, timeStrength } from './strength.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const token = 'hb_bench_admin_token_0123456789';
const cores = availableParallelism();

async function bundle(format: 'esm' | 'iife'): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'bench/candidate.ts')],
    bundle: true,
    minify: true,
    platform: 'browser',
    format,
    globalName: format === 'iife' ? 'candidate' : undefined,
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}

type Service = { address: string; stop(): Promise<void> };

/** The service as a process of its own, as its users have it. */
async function startService(dataDir: string): Promise<Service> {
  const child = spawn(process.execPath, [join(root, 'server/main.ts')], {
    env: {
      HOLDBACK_PORT: '0',
      HOLDBACK_DATA_DIR: dataDir,
      HOLDBACK_ADMIN_TOKEN: token,
      HOLDBACK_POOL: `${cores}`,
      // One caller stands for many.
      HOLDBACK_RATE_PER_TOKEN: '0',
      HOLDBACK_RATE_PER_ADDRESS: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for await (const line of createInterface({ input: child.stdout })) {
    const [address] = /http:\S+/.exec(line) ?? [];
    if (address === undefined) continue;
    const stop = () => {
      child.kill('SIGTERM');
      return exited;
    };
    return { address, stop };
  }
  throw new Error('the service did not start');
}

async function ask(service: Service, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${service.address}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return response.json();
}

/** Time enough for the pools to be full again and for everything of the last round to be over, in milliseconds. */
const settleMs = 1_500;

/** One score through HTTP with history committed, in milliseconds. */
async function timeService(service: Service, gate: string, source: string, turn: number): Promise<number> {
  await sleep(settleMs);
  const started = performance.now();
  const score = await ask(service, 'POST', '/score', {
    gate,
    change: { id: 'bench', commit: `${turn}` },
    // A candidate that was never seen before.
    candidate: { source: `${source}\n// ${gate} ${turn}` },
  });
  const tookMs = performance.now() - started;
  if (Reflect.get(Object(score), 'verdict') !== 'merge') throw new Error(JSON.stringify(score));
  return tookMs;
}

type Throughput = { perSecond: number; p99Ms: number };

/** So many callers ask at once, and so many times in all, whether the commit of the last score may merge. */
const askersAtOnce = 8;
const questions = 1_000;

async function timeVerdicts(
  service: Service,
  gate: string,
  source: string,
  turn: number,
): Promise<Throughput> {
  const candidate = `sha256:${createHash('sha256').update(`${source}\n// ${gate} ${turn}`).digest('hex')}`;
  const question = new URLSearchParams({ gate, change: 'bench', commit: `${turn}`, candidate });
  const times: number[] = [];
  const askAgain = async () => {
    for (let asked = 0; asked < questions / askersAtOnce; asked++) {
      const started = performance.now();
      const answer = await ask(service, 'GET', `/verdict?${question}`);
      if (Reflect.get(Object(answer), 'verdict') !== 'merge') throw new Error(JSON.stringify(answer));
      times.push(performance.now() - started);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: askersAtOnce }, askAgain));
  const perSecond = questions / ((performance.now() - started) / 1_000);
  return {
    perSecond,
    p99Ms: times.toSorted((one, other) => one - other)[Math.floor(questions * 0.99)] ?? Number.NaN,
  };
}

/** The bare loop over the same cases, one process for each core, start-up excluded, in milliseconds. */
async function timeBareLoop(script: string, cases: BenchCase[]): Promise<number> {
  const inputs = cases.map(({ input }) => JSON.stringify(input));
  const loops = await Promise.all(
    Array.from({ length: cores }, async (_, core) => {
      const child = spawn(process.execPath, ['--no-node-snapshot', join(root, 'bench/bare-loop.ts')], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      await lines.next();
      return { child, lines, share: inputs.filter((_input, index) => index % cores === core) };
    }),
  );
  await sleep(settleMs);
  const started = performance.now();
  await Promise.all(
    loops.map(({ child, lines, share }) => {
      child.stdin.write(`${JSON.stringify({ script, inputs: share })}\n`);
      return lines.next();
    }),
  );
  const tookMs = performance.now() - started;
  for (const { child } of loops) child.stdin.end();
  await Promise.all(loops.map(({ child }) => new Promise((resolve) => child.once('exit', resolve))));
  return tookMs;
}

/** `vitest run` of the same cases, from a cold start as CI runs it, in milliseconds. */
async function timeVitest(cases: BenchCase[]): Promise<number> {
  const folder = await mkdtemp(join(root, 'bench/.vitest-'));
  try {
    await writeFile(
      join(folder, 'cases.test.ts'),
      `import { expect, test } from 'vitest';
import { run } from '../candidate.ts';
test.each(${JSON.stringify(cases)})('$name', ({ input, expect: { equals } }) => expect(run(input)).toEqual(equals));
`,
    );
    const started = performance.now();
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    const child = spawn(process.execPath, [vitest, 'run', '--root', folder], { stdio: 'ignore' });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    if (code !== 0) throw new Error(`vitest ended with ${code}`);
    return performance.now() - started;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

type Bound = { most: number } | { least: number };

function bounded(what: string, measured: number, bound: Bound) {
  const holds = 'most' in bound ? measured <= bound.most : measured >= bound.least;
  const told = 'most' in bound ? `≤ ${bound.most}` : `≥ ${bound.least}`;
  return { what, measured: measured.toFixed(1), bound: told, holds: holds ? 'yes' : 'NO' };
}

type Row = {
  what: string;
  'ours, ms': string;
  'theirs, ms': string;
  ratio: string;
  bound: string;
  holds: string;
};

function compare(what: string, ours: number[], theirs: number[], bound: Bound): Row {
  const [our, their] = [median(ours), median(theirs)];
  const ratio = 'most' in bound ? our / their : their / our;
  const holds = 'most' in bound ? ratio <= bound.most : ratio >= bound.least;
  return {
    what,
    'ours, ms': our.toFixed(1),
    'theirs, ms': their.toFixed(1),
    ratio: `${ratio.toFixed(2)} ×`,
    bound: 'most' in bound ? `≤ ${bound.most} ×` : `≥ ${bound.least} ×`,
    holds: holds ? 'yes' : 'NO',
  };
}

const strengthRoundsMax = 3;
const mutants = 500;

/** Measurements of strength, and the bare loop over as many realms as they needed, in milliseconds. */
async function timeStrengths(service: Service, script: string, rounds: number): Promise<Row[]> {
  const cases = makeCases(100);
  await ask(service, 'POST', '/suites/strength/revisions', { cases });
  const build = await bundleReadably(root);
  const rows: Row[] = [];
  for (const full of [true, false]) {
    const times = { ours: [] as number[], bare: [] as number[] };
    let what = '';
    for (let turn = 0; turn < Math.min(rounds, strengthRoundsMax); turn++) {
      await sleep(settleMs);
      const asking = (method: string, path: string, body?: unknown) => ask(service, method, path, body);
      const { tookMs, report } = await timeStrength(asking, 'strength', { build, mutants, full });
      const realms = Array.from({ length: report.runs }, (_, index) => cases[index % cases.length]);
      times.ours.push(tookMs);
      times.bare.push(
        await timeBareLoop(
          script,
          realms.filter((one) => one !== undefined),
        ),
      );
      what = `${mutants} mutants × ${cases.length} cases${full ? ', full' : ''}: ${report.runs} realms, ${report.killed} killed`;
    }
    rows.push(compare(what, times.ours, times.bare, { most: 3 }));
  }
  return rows;
}

const dataDir = await mkdtemp(join(tmpdir(), 'holdback-bench-'));
let service = await startService(dataDir);
try {
  const [source, script] = await Promise.all([bundle('esm'), bundle('iife')]);
  console.log(
    `${cores} cores, Node ${process.version}, candidate of ${(source.length / 1024).toFixed(1)} KiB\n`,
  );
  const suites = { large: makeCases(1_000), small: makeCases(20) };
  for (const [name, cases] of Object.entries(suites)) {
    await ask(service, 'POST', `/suites/${name}/revisions?activate=true`, { cases });
    await ask(service, 'PUT', `/gates/${name}`, { suites: [name] });
  }
  const times = {
    large: [] as number[],
    largeBare: [] as number[],
    small: [] as number[],
    smallBare: [] as number[],
    vitest: [] as number[],
  };
  const rounds = Number(process.env.BENCH_ROUNDS ?? 9);
  // The first round warms caches on all sides and is not counted.
  for (let turn = 0; turn <= rounds; turn++) {
    const measured = {
      large: await timeService(service, 'large', source, turn),
      largeBare: await timeBareLoop(script, suites.large),
      small: await timeService(service, 'small', source, turn),
      smallBare: await timeBareLoop(script, suites.small),
      vitest: turn <= 3 ? await timeVitest(suites.small) : Number.NaN,
    };
    if (turn === 0) continue;
    times.large.push(measured.large);
    times.largeBare.push(measured.largeBare);
    times.small.push(measured.small);
    times.smallBare.push(measured.smallBare);
    if (!Number.isNaN(measured.vitest)) times.vitest.push(measured.vitest);
  }
  const strengths = await timeStrengths(service, script, rounds);
  console.table([
    compare('1,000 cases, against the bare loop', times.large, times.largeBare, { most: 1.25 }),
    compare('20 cases, against the bare loop', times.small, times.smallBare, { most: 3 }),
    compare('20 cases, against vitest run', times.small, times.vitest, { least: 10 }),
    ...strengths,
  ]);
  const { perSecond, p99Ms } = await timeVerdicts(service, 'small', source, rounds);
  const starts: number[] = [];
  for (let turn = 0; turn < 5; turn++) {
    await service.stop();
    const started = performance.now();
    service = await startService(dataDir);
    starts.push(performance.now() - started);
  }
  const readyMs = median(starts);
  console.table([
    bounded('GET /verdict, requests a second', perSecond, { least: 3_000 }),
    bounded('GET /verdict, p99 in ms', p99Ms, { most: 10 }),
    bounded('start to ready on an existing embedded database, in ms', readyMs, { most: 1_500 }),
  ]);
} finally {
  await service.stop();
  await rm(dataDir, { recursive: true, force: true });
}
