/**
 * What the service is measured against, where it is a process that reads one line and answers with one: the bare loop over isolates, and
 * the design's nine lines with no isolation. Their start is not counted, as the service's pool has started its hosts as well.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './bench-service.ts';
import type { BenchCase } from './cases.ts';
import { settleMs } from './time-score.ts';

/** The bare loop over the cases, shared out to one process for each core, in milliseconds. */
export async function timeBareLoop(script: string, cases: BenchCase[], cores: number): Promise<number> {
  const loops = await Promise.all(Array.from({ length: cores }, () => startWorker('bare-loop.ts')));
  await sleep(settleMs);
  const jobs = sharesOf(script, cases, cores);
  const started = performance.now();
  await Promise.all(loops.map((loop, core) => loop.ask(jobs[core] ?? '')));
  const tookMs = performance.now() - started;
  await Promise.all(loops.map((loop) => loop.end()));
  return tookMs;
}

/** The nine lines over the cases in one process, in milliseconds. */
export async function timeNineLines(script: string, cases: BenchCase[]): Promise<number> {
  const worker = await startWorker('nine-lines.ts');
  await sleep(settleMs);
  const started = performance.now();
  await worker.ask(JSON.stringify({ script, cases }));
  const tookMs = performance.now() - started;
  await worker.end();
  return tookMs;
}

/**
 * How many times in a second the bare loop does the cases where each time is a build of its own, in as many fresh processes as a score
 * has hosts: their start is counted, because it is what isolation costs.
 */
export async function bareScoresPerSecond(
  script: string,
  cases: BenchCase[],
  { cores, scores }: { cores: number; scores: number },
): Promise<number> {
  const jobs = Array.from({ length: scores }, () => sharesOf(script, cases, cores)).flat();
  const started = performance.now();
  const next = async () => {
    for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) {
      const loop = await startWorker('bare-loop.ts');
      await loop.ask(job);
      await loop.end();
    }
  };
  await Promise.all(Array.from({ length: cores }, next));
  return scores / ((performance.now() - started) / 1_000);
}

/** What each of so many processes is told. */
function sharesOf(script: string, cases: BenchCase[], count: number): string[] {
  const inputs = cases.map(({ input }) => JSON.stringify(input));
  return Array.from({ length: count }, (_, turn) =>
    JSON.stringify({ script, inputs: inputs.filter((_input, index) => index % count === turn) }),
  );
}

type BenchWorker = { ask(line: string): Promise<void>; end(): Promise<void> };

/** Starts a program of this folder and waits until it says that it is ready. */
async function startWorker(program: string): Promise<BenchWorker> {
  const child = spawn(process.execPath, ['--no-node-snapshot', join(root, 'bench', program)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    if ((await lines.next()).done === true) throw new Error(`${program} ended before it answered`);
  };
  await next();
  return {
    ask: async (line) => {
      child.stdin.write(`${line}\n`);
      await next();
    },
    end: async () => {
      child.stdin.end();
      await exited;
    },
  };
}
