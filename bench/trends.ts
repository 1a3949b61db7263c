/**
 * `npm run bench:trends`: what a trend costs on a year of history: a million scores and twenty million results of cases in a
 * PostgreSQL of its own with the settings that it comes with, asked through HTTP. With BENCH_TRENDS_DIR the database is kept there, and
 * used again. BENCH_SCORES makes it smaller.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { BenchService } from './bench-service.ts';
import { timePages } from './pages.ts';
import { startPostgres } from './postgres.ts';
import { quantile } from './row.ts';
import { type SeededGate, type SeededSuite, seedHistory } from './seed-history.ts';

const scores = Number(process.env.BENCH_SCORES ?? 1_000_000);

/** Every trend answers in so many milliseconds, and every page. */
const p95MsMax = 150;
const pageP95MsMax = 50;

const revisions = 3;
const own = (name: string, cases: number): SeededSuite => ({ suite: name, cases, revisions });
const names = [
  'checkout',
  'search',
  'billing',
  'login',
  'cart',
  'stock',
  'mail',
  'admin',
  'export',
  'import',
  'media',
  'docs',
];
/** Some gates are busier than others, twice as busy as the least, and the two least share a suite. */
const gates: SeededGate[] = names.map((gate, index) => ({
  gate,
  share: 22 - index,
  suites: [own(gate, 12), index >= 10 ? own('security', 8) : own(`${gate}-edges`, 8)],
}));
const suites = [
  ...new Map(gates.flatMap((gate) => gate.suites).map((suite) => [suite.suite, suite])).values(),
];

/** The suites and gates as their authors make them, then a year of what came to them. */
async function seed(service: BenchService, databaseUrl: string): Promise<void> {
  for (const { suite, cases } of suites) {
    for (let revision = 1; revision <= revisions; revision++) {
      const written = Array.from({ length: cases }, (_, position) => ({
        name: `case ${position}`,
        // The first case is another in each revision.
        input: position === 0 ? { position, revision } : { position },
        expect: { equals: position },
      }));
      await service.ask('POST', `/suites/${suite}/revisions?activate=true`, { cases: written });
    }
  }
  for (const { gate, suites: required } of gates)
    await service.ask('PUT', `/gates/${gate}`, { suites: required.map(({ suite }) => suite) });
  const client = postgres(databaseUrl, { max: 2, onnotice: () => {} });
  await seedHistory(client, { gates, scores }, (what) => console.log(`  ${what}`));
  await client.end();
}

/** What is asked of each gate or suite, and how long a bucket is over a year. */
const kinds: Record<string, (index: number) => string> = {
  gate: (index) => `/trends?gate=${names[index]}`,
  'gate, by day': (index) => `/trends?gate=${names[index]}&bucket=day`,
  'gate by agent': (index) => `/trends?gate=${names[index]}&by=agent`,
  'gate by model': (index) => `/trends?gate=${names[index]}&by=model`,
  'gate by author': (index) => `/trends?gate=${names[index]}&by=author`,
  'gate, one agent': (index) => `/trends?gate=${names[index]}&agent=agent-1`,
  'gate, one author, by model': (index) => `/trends?gate=${names[index]}&author=person-3&by=model`,
  'gate as CSV': (index) => `/trends?gate=${names[index]}&format=csv`,
  suite: (index) => `/trends?suite=${suites[index]?.suite}`,
  'suite by agent': (index) => `/trends?suite=${suites[index]?.suite}&by=agent`,
  'suite by author': (index) => `/trends?suite=${suites[index]?.suite}&by=author`,
  'cases of a suite': (index) => `/trends/cases?suite=${suites[index]?.suite}`,
};

const monthMs = (365 / 12) * 86_400_000;
const periods = [1, 3, 6, 12];

async function timeKind(
  service: BenchService,
  pathOf: (index: number) => string,
  months: number,
  rounds: number,
) {
  const times: number[] = [];
  const from = new Date(Date.now() - months * monthMs).toISOString();
  // A period is shown in days up to four months, and then in weeks, unless the kind says.
  for (let round = 0; round < rounds; round++) {
    for (const index of names.keys()) {
      const started = performance.now();
      await service.ask('GET', `${pathOf(index)}&from=${from}`);
      times.push(performance.now() - started);
    }
  }
  return times;
}

async function measure(service: BenchService): Promise<boolean> {
  const everything: number[] = [];
  const rows: Record<string, Record<string, string>> = {};
  let isWithin = true;
  for (const [kind, pathOf] of Object.entries(kinds)) {
    // What is read from disk is read once.
    await timeKind(service, pathOf, 12, 1);
    const byPeriod: number[][] = [];
    for (const months of periods)
      byPeriod.push(await timeKind(service, pathOf, months, months === 12 ? 3 : 1));
    const year = byPeriod.at(-1) ?? [];
    const [least, most] = [quantile(byPeriod[0] ?? [], 0.5), quantile(year, 0.5)];
    const p95 = quantile(year, 0.95);
    isWithin &&= p95 <= p95MsMax && most / least <= 12;
    everything.push(...byPeriod.flat());
    rows[kind] = {
      ...Object.fromEntries(
        periods.map((months, index) => [`p50 ${months} mo`, quantile(byPeriod[index] ?? [], 0.5).toFixed(1)]),
      ),
      'p95 12 mo': p95.toFixed(1),
      slowest: Math.max(...year).toFixed(1),
      bound: `${p95MsMax}`,
      '12 mo / 1 mo': (most / least).toFixed(2),
      linear: '12',
    };
  }
  console.log('\nMilliseconds from the request to the whole answer, over 12 gates or suites:');
  console.table(rows);
  console.log(
    `all ${everything.length} answers: p50 ${quantile(everything, 0.5).toFixed(1)} ms, p95 ${quantile(everything, 0.95).toFixed(1)} ms`,
  );
  return isWithin;
}

async function measurePages({ address }: BenchService): Promise<boolean> {
  const times = await timePages(
    {
      address,
      token: BenchService.token,
      gates: names,
      suites: suites.map(({ suite }) => suite).slice(0, names.length),
    },
    5,
  );
  const rows = [...times].map(([page, ofPage]) => {
    const p95 = quantile(ofPage, 0.95);
    return {
      page,
      p50: quantile(ofPage, 0.5).toFixed(1),
      p95: p95.toFixed(1),
      bound: pageP95MsMax,
      holds: p95 <= pageP95MsMax ? 'yes' : 'NO',
    };
  });
  console.log('\nMilliseconds from the request to the whole page:');
  console.table(rows);
  return rows.every(({ holds }) => holds === 'yes');
}

const kept = process.env.BENCH_TRENDS_DIR;
const folder = kept ?? (await mkdtemp(join(tmpdir(), 'holdback-trends-')));
const isNew = !existsSync(join(folder, 'seeded'));
if (isNew) await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true, mode: 0o755 });
const database = await startPostgres(join(folder, 'postgres'), isNew);
try {
  const service = await BenchService.start(join(folder, 'service'), {
    DATABASE_URL: database.url,
    HOLDBACK_POOL: '1',
  });
  try {
    if (isNew) {
      const started = performance.now();
      console.log(`${scores.toLocaleString('en')} scores at ${gates.length} gates`);
      await seed(service, database.url);
      await mkdir(join(folder, 'seeded'));
      console.log(`seeded in ${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
    }
    if (process.env.BENCH_SEED_ONLY === undefined) {
      console.log(`${availableParallelism()} cores, Node ${process.version}`);
      const areWithin = [await measurePages(service), await measure(service)];
      process.exitCode = areWithin.every(Boolean) ? 0 : 1;
    }
  } finally {
    await service.stop();
  }
} finally {
  await database.stop();
  if (kept === undefined) await rm(folder, { recursive: true, force: true });
}
