/**
 * `npm run soak`: breaks a real fleet in every way that we know, counts what became of each score, and writes the figures into
 * `docs/reliability.md`. `SOAK=kill-runners,half-open` picks parts; `SOAK_SCALE=0.02` makes a short run. What each part came to is
 * kept in the file that `SOAK_RESULTS` names, so that a run in several sittings, or one that was interrupted, leaves out what is there
 * already; the page tells which are missing.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { deliverTwice } from './deliver-twice.ts';
import { fillDisk } from './fill-disk.ts';
import { Fleet } from './fleet.ts';
import { halfOpen } from './half-open.ts';
import { hourOfScores } from './hour-of-scores.ts';
import { jumpClocks } from './jump-clocks.ts';
import { KeptResults } from './kept-results.ts';
import { killApiNodes } from './kill-api-nodes.ts';
import { killHosts } from './kill-hosts.ts';
import { killRunners } from './kill-runners.ts';
import type { Part } from './part.ts';
import { holds, type Result, rowOf, withMeasured } from './report.ts';
import { stopPostgres } from './stop-postgres.ts';
import { stopWedged } from './stop-wedged.ts';
import { submitAtOnce } from './submit-at-once.ts';

const parts: Part[] = [
  killRunners,
  killHosts,
  killApiNodes,
  stopPostgres,
  halfOpen,
  fillDisk,
  jumpClocks,
  deliverTwice,
  submitAtOnce,
  stopWedged,
  hourOfScores,
];

const page = new URL('../../docs/reliability.md', import.meta.url);

const scale = Number(process.env.SOAK_SCALE ?? 1);
const picked = process.env.SOAK?.split(',');
const unknown = picked?.filter((name) => !parts.some((part) => part.name === name)) ?? [];
if (unknown.length > 0)
  throw new Error(`there is no part ${unknown.join()}: ${parts.map(({ name }) => name).join()}`);

const git = (...asked: string[]) =>
  execFileSync('git', asked, { cwd: new URL('.', import.meta.url), encoding: 'utf8' });
const commit = git('rev-parse', '--short', 'HEAD').trim();

async function runPart(part: Part): Promise<Result> {
  const fleet = await Fleet.start();
  try {
    const started = performance.now();
    const outcome = await part.run(fleet, Math.max(1, Math.round(part.count * scale)));
    const processesLeft = await fleet.stopNodes();
    return { ...outcome, part, commit, processesLeft, seconds: (performance.now() - started) / 1_000 };
  } finally {
    await fleet.close();
  }
}

const kept = new KeptResults(process.env.SOAK_RESULTS);
for (const part of parts.filter(({ name }) => (picked?.includes(name) ?? true) && !kept.has(name))) {
  const result = await runPart(part);
  kept.add(result);
  const { tally, notes, broken, seconds } = result;
  console.log(part.name, `${seconds.toFixed(0)} s`, JSON.stringify(tally), ...notes, ...broken);
}
const results = kept.of(parts);
console.table(results.map(rowOf));
if (picked === undefined || process.env.SOAK_RESULTS !== undefined) {
  const machine = `${availableParallelism()} cores (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.version}`;
  const missing = parts.filter(({ name }) => !kept.has(name)).map(({ name }) => name);
  const run = { date: new Date().toISOString().slice(0, 10), machine, missing };
  writeFileSync(page, withMeasured(readFileSync(page, 'utf8'), run, results));
}
// A part that hung would have left something that waits.
process.exit(results.every(holds) ? 0 : 1);
