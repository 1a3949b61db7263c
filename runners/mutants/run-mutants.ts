/**
 * Runs the mutants of a build through its runs, on several hosts at once, and answers which run kills which mutant. What a run
 * does not reach it cannot kill, so only the pairs are made that a run of the build itself has shown to be possible.
 */
import type { HostPool } from '../pool.ts';
import type { Limits, ObservedCase } from '../protocol.ts';
import { parseObservation } from '../run-candidate.ts';
import type { Coverage } from './cover-runs.ts';
import { digestOfObservation } from './digest.ts';
import { type PlannedRun, sameAnswer, skippedAnswer } from './mutant.ts';
import type { MutantHostUse } from './mutant-host.ts';
import { inParallel, type MutationBuild, outputBytesOf, zonesOf } from './mutation-build.ts';
import { mutatingScript } from './switches.ts';

/** A mutated place may be passed this many times as often as in the build itself: more is a loop without end. */
const hitsFactor = 100;
/** A run of a mutant may take this many times as long as one of the build itself, and this long besides, in milliseconds. */
const msFactor = 20;
const msBesides = 100;
/** As many runs of a mutant are asked for at first, where the first that kills it is enough. */
const runsAtFirst = 12;
/** How much is asked of a host at once. What was learned meanwhile decides in which order the next are made. */
const mutantsPerJob = 16;
const runsPerJob = 2_000;
/** A mutant that had to be stopped this often is not run any further: each time costs as much as thousands of runs. */
const stopsMax = 3;
/** Of this many observations it is remembered what the grader said. */
const gradesMax = 100_000;

/** What became of one mutant. */
export type MutantRuns = {
  id: string;
  /** The runs that kill it, as far as it was run. */
  killedBy: number[];
  /** The runs that reach it. */
  covered: number[];
  /** How many runs of it were made. */
  made: number;
  /** How many runs of it had to be stopped. */
  stops: number;
  /** Whether every run that reaches it was made. */
  isComplete: boolean;
};

export type MutationOptions = {
  /** Whether the runs of a mutant go on after one has killed it. */
  isFull: boolean;
  /** Which of these observations are failures of their cases. */
  areFailures(observed: { run: number; observed: ObservedCase }[]): Promise<boolean[]>;
  onProgress(done: number): void;
};

/** Runs every mutant through the runs that reach it. Throws RunnerErrors, and what `areFailures` throws. */
export async function runMutants(
  pool: HostPool,
  build: MutationBuild,
  coverage: Coverage,
  options: MutationOptions,
): Promise<MutantRuns[]> {
  const kills = build.runs.map(() => 0);
  const zones = zonesOf(build);
  const mutants = build.ids.map((id) => waitingMutant(id, coverage, build.limits));
  const queue = mutants.filter(({ pending }) => pending.length > 0);
  const grades = new Map<string, boolean>();
  const done = () => options.onProgress(mutants.filter(isSettled).length);
  const isSettled = ({ pending }: Waiting) => pending.length === 0;
  done();
  await inParallel(
    pool,
    build,
    {
      script: mutatingScript(build.script),
      runs: queue.reduce((sum, { pending }) => sum + pending.length, 0),
    },
    async (host) => {
      for (;;) {
        const batch = nextBatch(queue, { kills, zones, hosts: build.hosts }, options);
        if (batch.length === 0) return;
        const seen = await runBatch(host, batch, { build, coverage, zones }, options);
        const failed = await failuresAmong(seen, grades, options);
        for (const { mutant, run, wasStopped } of failed) {
          mutant.result.killedBy.push(run);
          kills[run] = (kills[run] ?? 0) + 1;
          if (wasStopped) mutant.result.stops++;
        }
        for (const { mutant } of batch) {
          const { killedBy, stops } = mutant.result;
          const isEnough = killedBy.length > 0 && (!options.isFull || stops >= stopsMax);
          if (isEnough && mutant.pending.length > 0) {
            mutant.pending = [];
            mutant.result.isComplete = false;
          }
          if (mutant.pending.length > 0) queue.unshift(mutant);
        }
        done();
      }
    },
  );
  return mutants.map(({ result }) => result);
}

/** A mutant with the runs that it is yet to be put through. */
type Waiting = { result: MutantRuns; pending: PlannedRun[]; visits: number };

function waitingMutant(id: string, { hits, observed }: Coverage, { caseMs }: Limits): Waiting {
  const reached = hits.get(id) ?? [];
  const pending = reached.map(({ run, hits: times }) => ({
    run,
    hitsMax: times * hitsFactor,
    msMax: Math.min(caseMs, Math.ceil(msBesides + (observed[run]?.durationMs ?? 0) * msFactor)),
  }));
  const covered = reached.map(({ run }) => run);
  return { result: { id, killedBy: [], covered, made: 0, stops: 0, isComplete: true }, pending, visits: 0 };
}

type Planned = { mutant: Waiting; runs: PlannedRun[] };

/**
 * Takes mutants out of the queue, each with the runs that it is to be put through next: those first that have killed most. A batch
 * is in one time zone, so a mutant whose runs are in others waits for the next.
 */
function nextBatch(
  queue: Waiting[],
  { kills, zones, hosts }: { kills: number[]; zones: (string | undefined)[]; hosts: number },
  { isFull }: MutationOptions,
): Planned[] {
  const batch: Planned[] = [];
  const others: Waiting[] = [];
  let room = runsPerJob;
  let zone: string | undefined;
  // Towards the end fewer at once, so that no host waits long for another.
  const most = Math.min(mutantsPerJob, Math.ceil(queue.length / (2 * hosts)));
  while (batch.length < most && room > 0) {
    const mutant = queue.shift();
    if (mutant === undefined) break;
    mutant.pending.sort(
      (one, other) => (kills[other.run] ?? 0) - (kills[one.run] ?? 0) || one.run - other.run,
    );
    if (batch.length === 0) zone = zones[mutant.pending[0]?.run ?? 0];
    const here = mutant.pending.filter(({ run }) => zones[run] === zone);
    if (here.length === 0) {
      others.push(mutant);
      continue;
    }
    const runs = here.slice(0, isFull || mutant.visits > 0 ? room : Math.min(room, runsAtFirst));
    mutant.visits++;
    room -= runs.length;
    batch.push({ mutant, runs });
  }
  queue.unshift(...others);
  return batch;
}

/** A run of a mutant that showed a difference. */
type Seen = {
  mutant: Waiting;
  run: number;
  observed: ObservedCase;
  text: string;
  wasStopped: boolean;
};

/** Makes a batch's runs, takes what was made out of what is pending, and answers what differed from the build itself. */
async function runBatch(
  host: MutantHostUse,
  batch: Planned[],
  { build, coverage, zones }: { build: MutationBuild; coverage: Coverage; zones: (string | undefined)[] },
  { isFull }: MutationOptions,
): Promise<Seen[]> {
  const zone = zones[batch[0]?.runs[0]?.run ?? 0];
  const pairs = batch.flatMap(({ mutant, runs }) => runs.map((planned) => ({ mutant, planned })));
  const seen: Seen[] = [];
  const made = new Set<PlannedRun>();
  const stopped = await host.ask({
    job: {
      task: 'mutate',
      mutants: batch.map(({ mutant, runs }) => ({ id: mutant.result.id, runs })),
      baseline: coverage.digests,
      stopsAtDifference: !isFull,
      stopsMax,
    },
    zone,
    count: pairs.length,
    // The host itself interrupts what loops; this is for what cannot be interrupted.
    caseMs: deadlineMs(pairs.map(({ planned }) => planned)),
    onAnswer: (index, durationMs, text) => {
      const pair = pairs[index];
      if (pair === undefined || text === skippedAnswer) return;
      made.add(pair.planned);
      if (text === sameAnswer) return;
      const observation = parseObservation(text, outputBytesOf(build, pair.planned.run));
      const wasStopped = observation.outcome === 'timed_out' || observation.outcome === 'out_of_memory';
      const { mutant, planned } = pair;
      seen.push({ mutant, run: planned.run, observed: { observation, durationMs }, text, wasStopped });
    },
  });
  const pair = stopped && pairs[stopped.at];
  if (stopped !== undefined && pair !== undefined) {
    made.add(pair.planned);
    const observed = { observation: stopped.observation, durationMs: 0 };
    seen.push({ mutant: pair.mutant, run: pair.planned.run, observed, text: '', wasStopped: true });
  }
  for (const { mutant } of batch) {
    const left = mutant.pending.filter((planned) => !made.has(planned));
    mutant.result.made += mutant.pending.length - left.length;
    mutant.pending = left;
  }
  return seen;
}

function deadlineMs(planned: PlannedRun[]): number {
  return 1_000 + 4 * Math.max(0, ...planned.map(({ msMax }) => msMax));
}

/** Those that the grader calls failures. It is asked once about the same observation of the same run. */
async function failuresAmong(
  seen: Seen[],
  grades: Map<string, boolean>,
  options: MutationOptions,
): Promise<Seen[]> {
  const keyOf = ({ run, text }: Seen) => `${run} ${digestOfObservation(text)}`;
  const ends = (one: Seen) => !['returned', 'threw'].includes(one.observed.observation.outcome);
  const unknown = new Map(seen.filter((one) => !ends(one)).map((one) => [keyOf(one), one]));
  for (const key of unknown.keys()) if (grades.has(key)) unknown.delete(key);
  if (grades.size > gradesMax) grades.clear();
  const asked = [...unknown];
  if (asked.length > 0) {
    const answers = await options.areFailures(asked.map(([, { run, observed }]) => ({ run, observed })));
    for (const [index, [key]] of asked.entries()) grades.set(key, answers[index] !== false);
  }
  return seen.filter((one) => ends(one) || grades.get(keyOf(one)) === true);
}
