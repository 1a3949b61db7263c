/**
 * A host for one build's mutants, which are one stranger: it is asked again and again, and replaced when a mutant has ended it. What
 * runs here gives way to the hosts of scores.
 */
import type { CaseRun } from '../case-run.ts';
import { RunnerError } from '../errors.ts';
import type { Host } from '../host.ts';
import type { HostPool } from '../pool.ts';
import type { Limits, Observation } from '../protocol.ts';
import { stoppedObservation } from '../run-candidate.ts';
import { type JobEnd, supervise } from '../supervise.ts';
import type { MutantJob } from './mutant.ts';

/** Our own failures are tried again this often in a row. */
const retriesMax = 2;

/** An answer may be longer than an output by this much, in bytes: what a run reaches is told with it. */
const coverageBytesMax = 1 << 20;

/** What is asked of a mutant host: the part of a job that is not the same each time, and what comes of it. */
export type MutantAsk = {
  zone: string | undefined;
  job:
    | Pick<MutantJob & { task: 'cover' }, 'task' | 'cover' | 'ids'>
    | Pick<
        MutantJob & { task: 'mutate' },
        'task' | 'mutants' | 'baseline' | 'stopsAtDifference' | 'stopsMax'
      >;
  /** How many answers are due. */
  count: number;
  /** How long one answer may take of the host's own time, in milliseconds. */
  caseMs: number;
  onAnswer(index: number, durationMs: number, text: string): void;
};

export type MutantHostUse = {
  /** Undefined when everything was answered, and else which answer the host was stopped at, and what that is observed as. */
  ask(ask: MutantAsk): Promise<{ at: number; observation: Observation } | undefined>;
};

export type MutantHostBuild = {
  script: string;
  runs: CaseRun[];
  seed: number;
  limits: Limits;
  stop: AbortSignal;
};

/** Does some work with a host, and ends it when the work is done. Throws RunnerErrors. */
export async function onMutantHost(
  pool: HostPool,
  build: MutantHostBuild,
  work: (use: MutantHostUse) => Promise<void>,
): Promise<void> {
  let host: Host | undefined;
  const endHost = () => {
    if (host !== undefined) pool.end(host);
    host = undefined;
  };
  build.stop.addEventListener('abort', endHost);
  try {
    await work({
      ask: async (ask) => {
        for (let failures = 0; ; failures++) {
          requireGoingOn(pool, build.stop);
          try {
            host ??= await leaseYielding(pool);
            const end = await askHost(host, build, ask);
            if (end.end === 'done') return undefined;
            endHost();
            requireGoingOn(pool, build.stop);
            return { at: end.at, observation: stoppedObservation(end.why) };
          } catch (error) {
            endHost();
            requireGoingOn(pool, build.stop);
            const isLost = error instanceof RunnerError && error.code === 'host_lost';
            if (!isLost || failures >= retriesMax) throw error;
          }
        }
      },
    });
  } finally {
    build.stop.removeEventListener('abort', endHost);
    endHost();
  }
}

async function leaseYielding(pool: HostPool): Promise<Host> {
  const host = await pool.lease();
  host.yieldCores();
  return host;
}

function askHost(
  host: Host,
  build: MutantHostBuild,
  { job, zone, count, caseMs, onAnswer }: MutantAsk,
): Promise<JobEnd> {
  const { script, runs, seed, limits } = build;
  const { isolateMb, outputBytes, hostMb } = limits;
  const whole: MutantJob = {
    script,
    runs,
    seed,
    isolateMb,
    outputBytes,
    ...job,
    ...(zone === undefined ? {} : { zone }),
  };
  return supervise(host, {
    line: JSON.stringify(whole),
    count,
    answerBytesMax: outputBytes * 4 + coverageBytesMax,
    // What instruments a build makes it larger.
    limits: { caseMs, scoreMs: caseMs * (count + 1), hostMb: hostMb * 2 },
    onAnswer,
  });
}

function requireGoingOn(pool: HostPool, stop: AbortSignal): void {
  if (pool.closed || stop.aborted) throw new RunnerError('runners_closed', 'the measurement was stopped');
}
