/**
 * How long a score waits in an empty queue, by the database's own clock: from when its attempt is appended until a node has claimed it.
 * On the embedded database and on PostgreSQL, where one node does all, and where one answers and another runs.
 * `node bench/queue-latency.ts`; the bound is 20 ms in the middle.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { engineOptions } from '../cli/service.ts';
import { rowsOf } from '../migrations/rows-of.ts';
import { readConfig } from '../server/config.ts';
import { type Service, startService } from '../server/service.ts';
import { startPostgres } from './postgres.ts';

const rounds = 30;
const token = 'hb_bench_admin_token_0123456789';
const main = fileURLToPath(new URL('../server/main.ts', import.meta.url));

type Settings = Record<string, string>;

async function ask({ address }: Service, method: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${address}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
}

/** Scores one candidate after the other, and answers how long each waited, in milliseconds, the shortest first. */
async function timeWaits(service: Service): Promise<number[]> {
  const cases = [{ name: 'one', input: 1, expect: { equals: 1 } }];
  await ask(service, 'POST', '/suites/one/revisions?activate=true', { cases });
  await ask(service, 'PUT', '/gates/one', { suites: ['one'], attemptsPerChange: 1_000 });
  for (let round = 0; round < rounds; round++) {
    const source = `export const run = (x) => x // ${round}`;
    const change = { id: `${round}`, commit: 'c' };
    await ask(service, 'POST', '/score', { gate: 'one', change, candidate: { source } });
    await sleep(100);
  }
  const waits = await service.database.database.execute(sql`
    SELECT extract(epoch FROM started_on - created_on)::double precision * 1000 AS ms
    FROM pgboss.job WHERE name = 'scores' AND state = 'completed' ORDER BY ms`);
  return z
    .array(z.object({ ms: z.number() }))
    .length(rounds)
    .parse(rowsOf(waits))
    .map(({ ms }) => ms);
}

async function report(name: string, settings: Settings): Promise<void> {
  const service = await startService(readConfig(settings));
  try {
    const waits = await timeWaits(service);
    const at = (share: number) => (waits[Math.floor(share * (waits.length - 1))] ?? Number.NaN).toFixed(1);
    console.log(`${name.padEnd(32)} p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms`);
  } finally {
    await service.close();
  }
}

const folder = await mkdtemp(join(tmpdir(), 'holdback-bench-'));
// PostgreSQL may run as another user, who has to get to its folder.
await chmod(folder, 0o755);
const common = {
  HOLDBACK_PORT: '0',
  HOLDBACK_ADMIN_TOKEN: token,
  HOLDBACK_LOG_LEVEL: 'silent',
  HOLDBACK_SLOT_MS: '0',
};
await report('embedded, all', { ...common, HOLDBACK_DATA_DIR: join(folder, 'embedded') });
for (const roles of ['all', 'api and runner']) {
  const postgres = await startPostgres(join(folder, roles), true);
  const shared = {
    ...common,
    DATABASE_URL: postgres.url,
    HOLDBACK_DATA_DIR: join(folder, `data of ${roles}`),
  };
  if (roles === 'all') {
    await report('PostgreSQL, all', shared);
  } else {
    // It waits until there is an identity, which the first node makes.
    await (await startService(readConfig({ ...shared, HOLDBACK_ROLE: 'api' }))).close();
    const runner = spawn(process.execPath, [...engineOptions, main], {
      env: { ...shared, HOLDBACK_ROLE: 'runner' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(runner.stdout, 'data');
    await report('PostgreSQL, api and runner', { ...shared, HOLDBACK_ROLE: 'api' });
    runner.kill('SIGTERM');
    await once(runner, 'exit');
  }
  await postgres.stop();
}
await rm(folder, { recursive: true, force: true });
