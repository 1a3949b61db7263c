/**
 * `npm run bench`: what the service costs over the isolates' own work. All that is compared is measured in this one run, in
 * turns, and printed as one table; the bounds are those that the project holds itself to. BENCH_ROWS chooses comparisons by name, with
 * commas between them; BENCH_ROUNDS says how often each is measured.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleCandidate } from './bench-candidate.ts';
import { BenchService } from './bench-service.ts';
import { makeCases } from './cases.ts';
import { compare, figure, median, type Row, share } from './row.ts';
import { scoresPerSecond } from './scores-per-second.ts';
import { compareStrengths } from './strength.ts';
import { bareScoresPerSecond, timeBareLoop, timeNineLines } from './time-processes.ts';
import { timeScore } from './time-score.ts';
import { timeNodeTest, timeProcessPerCase, timeVitest } from './time-test-runners.ts';
import { timeVerdicts } from './time-verdicts.ts';

const cores = availableParallelism();
const rounds = Number(process.env.BENCH_ROUNDS ?? 9);
/** What takes a second or more is measured so often at most. */
const slowRounds = Math.min(rounds, 3);
const startRounds = Math.min(rounds, 5);
const sustainedScores = 60;
/** Of 10,000 cases each, to see whether memory grows. */
const memoryScores = 10;

const { source, script } = await bundleCandidate();
const suites = { small: makeCases(20), large: makeCases(1_000), huge: makeCases(10_000) };
const start = () => BenchService.start(dataDir, { HOLDBACK_POOL: `${cores}` });

const dataDir = await mkdtemp(join(tmpdir(), 'holdback-bench-'));
let service = await start();

/** Measures several ways in turns, so that how busy the machine is matters to all alike. The first turn warms caches and is not counted. */
async function inTurns<Way extends string>(
  ways: Record<Way, (turn: number) => Promise<number>>,
  count: number,
): Promise<(way: Way) => number[]> {
  const names = Object.keys(ways).filter((name): name is Way => name in ways);
  const times = new Map<Way, number[]>(names.map((name) => [name, []]));
  for (let turn = 0; turn <= count; turn++) {
    for (const name of names) {
      const tookMs = await ways[name](turn);
      if (turn > 0) times.get(name)?.push(tookMs);
    }
  }
  return (way) => times.get(way) ?? [];
}

const comparisons: Record<string, () => Promise<Row[]>> = {
  large: async () => {
    const times = await inTurns(
      {
        ours: (turn) => timeScore(service, 'large', source, turn),
        bare: () => timeBareLoop(script, suites.large, cores),
      },
      rounds,
    );
    return [compare('1,000 cases, against the bare loop', times('ours'), times('bare'), { most: 1.15 })];
  },
  small: async () => {
    const times = await inTurns(
      {
        ours: (turn) => timeScore(service, 'small', source, turn),
        bare: () => timeBareLoop(script, suites.small, cores),
        nine: () => timeNineLines(script, suites.small),
      },
      rounds,
    );
    const slow = await inTurns(
      {
        ours: (turn) => timeScore(service, 'small', source, rounds + 1 + turn),
        vitest: () => timeVitest(suites.small),
        node: () => timeNodeTest(suites.small),
        alone: () => timeProcessPerCase(script, suites.small, cores),
      },
      slowRounds,
    );
    return [
      compare('20 cases, against the bare loop', times('ours'), times('bare'), { most: 2 }),
      compare('20 cases, against nine lines without isolation', times('ours'), times('nine'), undefined),
      compare('20 cases, times faster than vitest run', slow('ours'), slow('vitest'), { least: 20 }),
      compare('20 cases, against node --test', slow('ours'), slow('node'), undefined),
      compare('20 cases, against a process for each', slow('ours'), slow('alone'), undefined),
    ];
  },
  sustained: async () => {
    const load = { callers: cores * 2, scores: sustainedScores };
    const ours = await scoresPerSecond(service, 'small', source, load);
    const bare = await bareScoresPerSecond(script, suites.small, { cores, scores: sustainedScores });
    return [
      share('20-case scores a second, of what bare loops in fresh processes do', ours, bare, '/s', {
        least: 0.6,
      }),
    ];
  },
  huge: async () => {
    const before = await service.residentMb();
    const residents: number[] = [];
    const times = await inTurns(
      {
        huge: async (turn) => {
          const tookMs = await timeScore(service, 'huge', source, turn);
          residents.push(await service.residentMb());
          return tookMs;
        },
        large: (turn) => timeScore(service, 'large', source, 1_000 + turn),
      },
      slowRounds,
    );
    while (residents.length < memoryScores) {
      await timeScore(service, 'huge', source, residents.length);
      residents.push(await service.residentMb());
    }
    const told = [before, ...residents].map((mb) => mb.toFixed(0)).join(', ');
    // It goes up and down as garbage is collected: the most of each half is compared.
    const half = memoryScores / 2;
    const [first, last] = [Math.max(...residents.slice(0, half)), Math.max(...residents.slice(half))];
    return [
      compare('10,000 cases, against 1,000', times('huge'), times('large'), { most: 10.5 }),
      share(
        `most memory in the second half of ${memoryScores} such scores, against the first (${told} MiB)`,
        last,
        first,
        ' MiB',
        {
          most: 1.1,
        },
      ),
    ];
  },
  strength: () => compareStrengths(service, script, { rounds: slowRounds, cores }),
  verdict: async () => {
    const { perSecond, p99Ms } = await timeVerdicts(service, 'small', source);
    return [
      figure('GET /verdict, requests a second', perSecond, '/s', { least: 3_000 }),
      figure('GET /verdict, p99', p99Ms, ' ms', { most: 10 }),
    ];
  },
  start: async () => {
    const starts: number[] = [];
    for (let turn = 0; turn < startRounds; turn++) {
      await service.stop();
      const started = performance.now();
      service = await start();
      starts.push(performance.now() - started);
    }
    return [
      figure('start to ready on an existing embedded database', median(starts), ' ms', { most: 1_500 }),
    ];
  },
};

try {
  const chosen = process.env.BENCH_ROWS?.split(',') ?? Object.keys(comparisons);
  const kib = (source.length / 1024).toFixed(1);
  console.log(`${cores} cores, Node ${process.version}, candidate of ${kib} KiB`);
  for (const [name, cases] of Object.entries(suites)) {
    await service.ask('POST', `/suites/${name}/revisions?activate=true`, { cases });
    await service.ask('PUT', `/gates/${name}`, { suites: [name] });
  }
  const rows: Row[] = [];
  for (const name of chosen) {
    const measured = await comparisons[name]?.();
    if (measured === undefined)
      throw new Error(`BENCH_ROWS names ${name}: choose among ${Object.keys(comparisons).join()}`);
    rows.push(...measured);
    console.log(`measured: ${name}`);
  }
  console.table(rows);
} finally {
  await service.stop();
  await rm(dataDir, { recursive: true, force: true });
}
