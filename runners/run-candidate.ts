/**
 * Runs one candidate on every case and answers with one observation for each, whatever the candidate does.
 * The cases are shuffled and spread over several hosts, so that an escape sees only a part of the inputs, and the cores end together.
 */
import { type CaseRun, frameBytesMax } from './case-run.ts';
import { RunnerError } from './errors.ts';
import { inSpan } from './in-span.ts';
import type { HostPool } from './pool.ts';
import {
  type CandidateJob,
  type Limits,
  type MoreRuns,
  type Observation,
  type ObservedCase,
  observationSchema,
} from './protocol.ts';
import { type Batch, type JobEnd, supervise } from './supervise.ts';

/** A candidate that ends its host goes on with its later cases in a fresh one, this often in one score. */
const continuationsMax = 3;

/** Our own failures are tried again this often. A candidate's never are. */
const retriesMax = 2;

/** All outputs of one score together, in characters: the service holds them until they are graded. */
const outputCharsMax = 64 << 20;

/** Fewer cases than this are not worth a host of their own. */
const casesPerHostMin = 4;

/**
 * Where hosts have more cases than this each, a third of all goes to whichever host comes round to it, a few at a time: cores are not
 * equally fast, nor cases equally long. So of two hosts none sees more than two thirds, however fast it pretends to be.
 */
const casesAtOnceMax = 64;

/** So few cases are dealt at least, as long as there are. */
const casesDealtMin = 8;

/** A case that is timed runs this often, and its least time counts, because each may meet a machine that is at its slowest. */
const timedRuns = 3;

export type CandidateRun = {
  /** The candidate as the body of a CommonJS function (see `transform.ts`). */
  script: string;
  runs: CaseRun[];
  /**
   * Which case each run is of, where a case has several: after one that ended its host, those of the same case that are left are not
   * run, so that a case takes the time of one failure, and the others have theirs.
   */
  caseOf?: number[];
  seed: number;
  limits: Limits;
  /** The most hosts at once. */
  hosts: number;
  /** Counts the runs that have ended, for whoever looks meanwhile. */
  tally?: { observed: number } | undefined;
};

/** What the hosts of one score may use up between them, the cases that have ended one, and whether all is in vain. */
type Allowance = { continuations: number; outputChars: number; endedBy: Set<number>; isOver: boolean };

/** One observation for each run, in the order of the runs. Throws `RunnerError`s, which are never the candidate's. */
export async function runCandidate(pool: HostPool, run: CandidateRun): Promise<ObservedCase[]> {
  const observed: ObservedCase[] = run.runs.map(() => ({
    observation: { outcome: 'not_run' },
    durationMs: 0,
  }));
  const allowance: Allowance = {
    continuations: continuationsMax,
    outputChars: outputCharsMax,
    endedBy: new Set(),
    isOver: false,
  };
  const shares = sharesOf(run);
  const next = async (): Promise<void> => {
    for (let share = shares.shift(); share !== undefined && !allowance.isOver; share = shares.shift()) {
      try {
        await runShare(pool, run, share, observed, allowance);
      } catch (error) {
        // Nobody waits for the others any more.
        allowance.isOver = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, run.hosts) }, next));
  return observed;
}

/** What a host has from the start, as positions of runs, and what it takes more from, as the other hosts of its time zone do. */
type Share = { positions: number[]; left: number[]; hosts: number; casesEvenly: number };

/** The positions of the runs, shuffled, and shared out to hosts: a host is in one time zone alone. */
function sharesOf({ runs, seed, hosts }: CandidateRun): Share[] {
  const zones = new Map<string | undefined, number[]>();
  for (const position of shuffled(runs.length, seed)) {
    const zone = runs[position]?.fixtures?.zone;
    const positions = zones.get(zone);
    if (positions === undefined) zones.set(zone, [position]);
    else positions.push(position);
  }
  return [...zones.values()].flatMap((positions) => {
    const count = Math.max(1, Math.min(hosts, Math.floor(positions.length / casesPerHostMin)));
    const casesEvenly = Math.ceil(positions.length / count);
    const isDealt = count > 1 && casesEvenly > casesAtOnceMax;
    const left = isDealt ? positions.splice(Math.ceil((positions.length * 2) / 3)) : [];
    const share = (of: number) => positions.filter((_, turn) => turn % count === of);
    return Array.from({ length: count }, (_, of) => ({
      positions: share(of).flatMap((position) => timesOf(runs, position)),
      left,
      hosts: count,
      casesEvenly,
    }));
  });
}

/** Takes some of what is left, of so many cases at most: none of a case that came to grief, and nothing if there is nothing else. */
function takeMore({ left, hosts }: Share, run: CandidateRun, allowance: Allowance, casesMost = left.length) {
  while (left.length > 0 && !allowance.isOver) {
    const some = left.splice(0, Math.min(casesMost, Math.max(casesDealtMin, left.length / (2 * hosts))));
    const taken = some.filter((position) => !isGivenUp(run, position, allowance));
    if (taken.length > 0) return taken.flatMap((position) => timesOf(run.runs, position));
  }
  return [];
}

/** Whether a run is of a case that has ended a host. */
function isGivenUp({ caseOf }: CandidateRun, position: number, { endedBy }: Allowance): boolean {
  return endedBy.has(caseOf?.[position] ?? -1);
}

/** A position as often as its run is run, one time after the other. */
function timesOf(runs: CaseRun[], position: number): number[] {
  return Array.from({ length: runs[position]?.isTimed === true ? timedRuns : 1 }, () => position);
}

async function runShare(
  pool: HostPool,
  run: CandidateRun,
  share: Share,
  observed: ObservedCase[],
  allowance: Allowance,
): Promise<void> {
  let rest = share.positions;
  let retries = 0;
  while (rest.length > 0) {
    let end: JobEnd;
    try {
      end = await inSpan('host', { 'holdback.runs': rest.length }, () =>
        runOnHost(pool, run, { ...share, positions: rest }, observed, allowance),
      );
    } catch (error) {
      const lost = error instanceof RunnerError && error.code === 'host_lost';
      if (!lost || pool.closed || ++retries > retriesMax) throw error;
      continue;
    }
    if (end.end === 'done') return;
    pool.throwIfClosed();
    const position = rest[end.at];
    if (position !== undefined) {
      observed[position] = { observation: stoppedObservation(end.why), durationMs: run.limits.caseMs };
    }
    // What came to grief once is not run again.
    const ofCase = position === undefined ? undefined : run.caseOf?.[position];
    if (ofCase !== undefined) allowance.endedBy.add(ofCase);
    rest = rest.slice(end.at + 1).filter((one) => one !== position && !isGivenUp(run, one, allowance));
    if (end.why === 'score_time' || allowance.continuations === 0) return;
    if (rest.length === 0) rest = takeMore(share, run, allowance);
    allowance.continuations--;
  }
}

/** Runs a share on one host. What the host takes besides is appended to its positions. */
async function runOnHost(
  pool: HostPool,
  run: CandidateRun,
  share: Share,
  observed: ObservedCase[],
  allowance: Allowance,
): Promise<JobEnd> {
  const { limits } = run;
  const { positions, casesEvenly } = share;
  const runsAt = (some: number[]) => some.flatMap((position) => run.runs[position] ?? []);
  const runs = runsAt(positions);
  const zone = runs[0]?.fixtures?.zone;
  const frameBytesMost = run.runs.reduce((most, each) => Math.max(most, frameBytesMax(each)), 0);
  const job: CandidateJob = {
    script: run.script,
    runs,
    ...(zone === undefined ? {} : { zone }),
    seed: run.seed,
    isolateMb: limits.isolateMb,
    outputBytes: limits.outputBytes,
  };
  const host = await pool.lease();
  try {
    return await supervise(host, {
      line: JSON.stringify(job),
      count: positions.length,
      more: (ownMs): Batch | undefined => {
        // It is asked at every answer, and mostly nothing is left.
        if (share.left.length === 0) return undefined;
        const room = casesEvenly - new Set(positions).size;
        // More than an even share only where there is time for it, however long another host keeps us waiting.
        if (room <= 0 && ownMs > limits.scoreMs / 2) return undefined;
        const taken = takeMore(share, run, allowance, room > 0 ? room : undefined);
        if (taken.length === 0) return undefined;
        positions.push(...taken);
        return { line: JSON.stringify({ more: runsAt(taken) } satisfies MoreRuns), count: taken.length };
      },
      // Every character may take four bytes, and the observation around it some more.
      answerBytesMax: limits.outputBytes * 4 + frameBytesMost + 4_096,
      limits,
      onAnswer: (index, durationMs, text, cpuMs) => {
        const position = positions[index];
        const asked = position === undefined ? undefined : run.runs[position];
        if (position === undefined || asked === undefined) return;
        allowance.outputChars -= text.length;
        const observation: Observation =
          allowance.outputChars < 0
            ? { outcome: 'output_rejected', detail: 'the outputs of all cases together are too long' }
            : parseObservation(text, limits.outputBytes + frameBytesMax(asked));
        if (run.tally !== undefined && observed[position]?.observation.outcome === 'not_run')
          run.tally.observed++;
        const one = { observation, durationMs, ...(cpuMs === undefined ? {} : { cpuMs }) };
        observed[position] = together(observed[position], one);
      },
    });
  } finally {
    pool.end(host);
  }
}

/**
 * What several runs of one case come to: what came of the first, unless a later one came to grief, and the least time. Of a run that
 * gave something else the time counts for nothing: a candidate that can tell its runs apart would do the work in the first alone.
 */
export function together(earlier: ObservedCase | undefined, next: ObservedCase): ObservedCase {
  if (earlier === undefined || earlier.observation.outcome === 'not_run') return next;
  if (!hasEnded(earlier)) return earlier;
  if (!hasEnded(next)) return next;
  if (JSON.stringify(next.observation) !== JSON.stringify(earlier.observation)) return earlier;
  const cpuMs = Math.min(earlier.cpuMs ?? Number.NaN, next.cpuMs ?? Number.NaN);
  return { ...earlier, cpuMs };
}

function hasEnded({ observation: { outcome } }: ObservedCase): boolean {
  return outcome === 'returned' || outcome === 'threw';
}

const returnedFrame = '{"outcome":"returned","value":';
const threwFrame = '{"outcome":"threw","error":';

/** Reads what a host answered about one run. The value of what returned stays text. */
export function parseObservation(text: string, outputBytes: number): Observation {
  const frame = [returnedFrame, threwFrame].find((words) => text.startsWith(words) && text.endsWith('}'));
  // What we put around the candidate's own words is not counted.
  const bytes = frame === undefined ? 0 : Buffer.byteLength(text) - frame.length - '}'.length;
  if (bytes > outputBytes) {
    return { outcome: 'output_rejected', detail: `longer than ${outputBytes} bytes` };
  }
  // The value stays text: read here, it would take many times its size of our own memory.
  if (frame === returnedFrame) return { outcome: 'returned', value: text.slice(frame.length, -1) };
  try {
    const observation = observationSchema.parse(JSON.parse(text));
    if (observation.outcome !== 'returned') return observation;
  } catch {
    // It is no observation, as the last line says.
  }
  return { outcome: 'crashed', detail: 'the host answered with something that is no observation' };
}

/** What is observed of a case in which its host was stopped. */
export function stoppedObservation(why: Extract<JobEnd, { end: 'stopped' }>['why']): Observation {
  switch (why) {
    case 'case_time':
    case 'standstill':
      return { outcome: 'timed_out', detail: 'it did not finish within the time of a case' };
    case 'score_time':
      return { outcome: 'timed_out', detail: 'the time of the score was used up' };
    case 'memory':
      return { outcome: 'out_of_memory', detail: 'its process used more memory than allowed' };
    case 'died':
      return { outcome: 'crashed', detail: 'its process ended' };
    case 'protocol':
      return { outcome: 'crashed', detail: 'its process broke the protocol' };
  }
}

/** The positions 0 … n-1 in an order that the seed decides (Fisher–Yates). */
function shuffled(length: number, seed: number): number[] {
  const positions = Array.from({ length }, (_, index) => index);
  let state = seed >>> 0;
  for (let last = length - 1; last > 0; last--) {
    // Numerical Recipes' linear congruential generator: enough to vary an order.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (last + 1));
    const held = positions[last] ?? 0;
    positions[last] = positions[other] ?? 0;
    positions[other] = held;
  }
  return positions;
}
