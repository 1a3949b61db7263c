/**
 * Runs the mutants of a build through its runs, on several hosts at once, and answers which run kills which mutant. What a run
 * does not reach it cannot kill, so first the build itself is run, and only the pairs that it shows to be possible are made.
 */
import { type CaseRun, frameBytesMax } from '../case-run.ts';
import type { HostPool } from '../pool.ts';
import type { Limits, ObservedCase } from '../protocol.ts';
import { parseObservation } from '../run-candidate.ts';
import { digestOfObservation } from './digest.ts';
import { type PlannedRun, sameAnswer, skippedAnswer } from './mutant.ts';
import { type MutantHostUse, onMutantHost } from './mutant-host.ts';
import { coveringScript, mutatingScript } from './switches.ts';

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
/** Fewer runs than this are not worth a host of their own. */
const runsPerHostMin = 50;
/** A mutant that had to be stopped this often is not run any further: each time costs as much as thousands of runs. */
const stopsMax = 3;
/** Of this many observations it is remembered what the grader said. */
const gradesMax = 100_000;

/** A build and all that is to be asked of its mutants. */
export type MutationBuild = {
  /** The instrumented build as the body of a CommonJS function, without the switches. */
  script: string;
  runs: CaseRun[];
  /** The mutants that are asked about. */
  ids: string[];
  seed: number;
  limits: Limits;
  /** The most hosts at once. */
  hosts: number;
  stop: AbortSignal;
};

/** What the build itself was observed to do, and how often each run passes which mutated place. */
export type Coverage = {
  observed: ObservedCase[];
  digests: string[];
  /** By the mutant's id, the runs that reach it. */
  hits: Map<string, { run: number; hits: number }[]>;
};

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

/** Runs the build itself, no mutant being active. Throws RunnerErrors; a build that breaks is in the observations. */
export async function coverRuns(pool: HostPool, build: MutationBuild): Promise<Coverage> {
  const observed: ObservedCase[] = build.runs.map(() => ({
    observation: { outcome: 'not_run' },
    durationMs: 0,
  }));
  const digests = build.runs.map(() => '');
  const hits: Coverage['hits'] = new Map(build.ids.map((id) => [id, []]));
  const waiting = build.runs.map((_, run) => run);
  await inParallel(
    pool,
    build,
    { script: coveringScript(build.script), runs: build.runs.length },
    async (host) => {
      while (waiting.length > 0) {
        const most = Math.max(1, Math.ceil(waiting.length / (2 * build.hosts)));
        const zone = zoneOf(build, waiting[0]);
        const cover = waiting.filter((run) => zoneOf(build, run) === zone).slice(0, most);
        for (const run of cover) waiting.splice(waiting.indexOf(run), 1);
        const { limits } = build;
        const stopped = await host.ask({
          job: { task: 'cover', cover, ids: build.ids },
          zone,
          count: cover.length,
          caseMs: limits.caseMs,
          onAnswer: (index, durationMs, text) => {
            const run = cover[index] ?? 0;
            const end = text.indexOf(' ');
            const observation = text.slice(end + 1);
            digests[run] = digestOfObservation(observation);
            observed[run] = {
              observation: parseObservation(observation, outputBytesOf(build, run)),
              durationMs,
            };
            for (const [, id = '', times] of text.slice(0, end).matchAll(/(\d+):(\d+)/g)) {
              hits.get(id)?.push({ run, hits: Number(times) });
            }
          },
        });
        if (stopped === undefined) continue;
        const run = cover[stopped.at];
        if (run !== undefined)
          observed[run] = { observation: stopped.observation, durationMs: limits.caseMs };
        // A build that ends its host is no good one: nothing more need be known of it.
        waiting.length = 0;
      }
    },
  );
  return { observed, digests, hits };
}

/** Runs every mutant through the runs that reach it. Throws RunnerErrors, and what `areFailures` throws. */
export async function runMutants(
  pool: HostPool,
  build: MutationBuild,
  coverage: Coverage,
  options: MutationOptions,
): Promise<MutantRuns[]> {
  const kills = build.runs.map(() => 0);
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
        const batch = nextBatch(queue, kills, build, options);
        if (batch.length === 0) return;
        const seen = await runBatch(host, batch, build, coverage, options);
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
  kills: number[],
  build: MutationBuild,
  { isFull }: MutationOptions,
): Planned[] {
  const batch: Planned[] = [];
  const others: Waiting[] = [];
  let room = runsPerJob;
  let zone: string | undefined;
  // Towards the end fewer at once, so that no host waits long for another.
  const most = Math.min(mutantsPerJob, Math.ceil(queue.length / (2 * build.hosts)));
  while (batch.length < most && room > 0) {
    const mutant = queue.shift();
    if (mutant === undefined) break;
    mutant.pending.sort(
      (one, other) => (kills[other.run] ?? 0) - (kills[one.run] ?? 0) || one.run - other.run,
    );
    if (batch.length === 0) zone = zoneOf(build, mutant.pending[0]?.run);
    const here = mutant.pending.filter(({ run }) => zoneOf(build, run) === zone);
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

/** The zone of a run. Where any run has one, those without are in UTC, and say so, since hosts go from one zone to another. */
function zoneOf({ runs }: MutationBuild, run: number | undefined): string | undefined {
  if (run === undefined) return undefined;
  const isZoned = runs.some(({ fixtures }) => fixtures?.zone !== undefined);
  return runs[run]?.fixtures?.zone ?? (isZoned ? 'UTC' : undefined);
}

type Seen = { mutant: Waiting; run: number; observed: ObservedCase; text: string; wasStopped: boolean };

/** Makes a batch's runs, takes what was made out of what is pending, and answers what differed from the build itself. */
async function runBatch(
  host: MutantHostUse,
  batch: Planned[],
  build: MutationBuild,
  { digests }: Coverage,
  { isFull }: MutationOptions,
): Promise<Seen[]> {
  const zone = zoneOf(build, batch[0]?.runs[0]?.run);
  const pairs = batch.flatMap(({ mutant, runs }) => runs.map((planned) => ({ mutant, planned })));
  const seen: Seen[] = [];
  const made = new Set<PlannedRun>();
  const stopped = await host.ask({
    job: {
      task: 'mutate',
      mutants: batch.map(({ mutant, runs }) => ({ id: mutant.result.id, runs })),
      baseline: digests,
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

/** How long what is observed of a run may be. */
function outputBytesOf({ limits, runs }: MutationBuild, run: number): number {
  const of = runs[run];
  return limits.outputBytes + (of === undefined ? 0 : frameBytesMax(of));
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

/** The same work on several hosts at once, until none of them finds anything left to do. The first failure ends all of it. */
async function inParallel(
  pool: HostPool,
  build: MutationBuild,
  { script, runs }: { script: string; runs: number },
  work: (host: MutantHostUse) => Promise<void>,
): Promise<void> {
  const hosts = Math.max(1, Math.min(build.hosts, Math.ceil(runs / runsPerHostMin)));
  const failure = new AbortController();
  const stop = AbortSignal.any([build.stop, failure.signal]);
  const works = Array.from({ length: hosts }, () =>
    onMutantHost(pool, { ...build, script, stop }, work).catch((error: unknown) => {
      failure.abort();
      throw error;
    }),
  );
  // Nobody is told of the end before all of it has ended.
  await Promise.allSettled(works);
  await Promise.all(works);
}
