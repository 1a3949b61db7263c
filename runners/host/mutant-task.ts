/**
 * The task of a host that runs mutants: each run of each mutant is in a fresh realm, as a candidate's cases are. What differs from
 * what the build itself was observed to do is answered; whether that is a failure, the grader says.
 */
import type { CaseRun } from '../case-run.ts';
import { digestOfObservation } from '../mutants/digest.ts';
import { type MutantJob, type PlannedRun, sameAnswer, skippedAnswer } from '../mutants/mutant.ts';
import { openCovering, openMutating, readCovering, readMutating } from '../mutants/switches.ts';
import { type Equipped, equip, type LoadedCandidate, load, observeCase, rehearse } from './candidate-task.ts';
import type { Outbox } from './outbox.ts';

// Each build is loaded in an isolate of its own, which no realms are made for ahead.
export { rehearse as warm };

/**
 * A run that was interrupted while it waited for a core is made again, this often, with as much patience as it seems to need. After
 * that it is not interrupted here: the parent's fair clock decides.
 */
const attemptsMax = 6;

type Loaded = { script: string; zone: string | undefined; equipped: Equipped; candidate: LoadedCandidate };

let loaded: Loaded | undefined;

/** Loads the build, if this host has not got it already, in an isolate that is fresh where the last one was interrupted. */
function candidateOf({ script, isolateMb, zone }: MutantJob): LoadedCandidate {
  loaded?.candidate.collector.leaveOne();
  // An isolate keeps the time zone that it was made in.
  if (loaded?.script !== script || loaded.zone !== zone || loaded.candidate.isolate.isDisposed) {
    const equipped = equip(isolateMb);
    loaded = { script, zone, equipped, candidate: load(equipped, script) };
  }
  return loaded.candidate;
}

export function run(job: MutantJob, outbox: Outbox): void {
  outbox.put('loading');
  outbox.send();
  let index = 0;
  const answer = (tookMs: number, text: string) => {
    outbox.put(`${index++} ${Math.round(tookMs * 1_000)} ${text}`);
  };
  if (job.task === 'cover') {
    const asked = new Set(job.ids);
    for (const position of job.cover) {
      const candidate = candidateOf(job);
      // Told is processor time: how long a mutant may take must not depend on how busy the machine is now.
      const startedCpuMs = threadCpuMs();
      const text = coverRun(job, candidate, position, asked);
      answer(threadCpuMs() - startedCpuMs, text);
    }
    return;
  }
  for (const { id, runs } of job.mutants) {
    let differs = false;
    let stops = 0;
    for (const planned of runs) {
      if ((differs && job.stopsAtDifference) || stops >= job.stopsMax) {
        answer(0, skippedAnswer);
        continue;
      }
      const startedMs = performance.now();
      const observation = mutateRun(job, id, planned);
      const isSame = job.baseline[planned.run] === digestOfObservation(observation);
      if (!isSame) differs = true;
      if (observation.startsWith('{"outcome":"timed_out"')) stops++;
      answer(performance.now() - startedMs, isSame ? sameAnswer : observation);
    }
  }
}

/** Which mutants a run reaches and how often, as `id:times,…`, and what was observed of the build itself. */
function coverRun(job: MutantJob, candidate: LoadedCandidate, position: number, asked: Set<string>): string {
  let covered = '';
  const { observation } = observeCase(candidate, job, runAt(job, position), {
    opened: (context) => context.evalSync(openCovering),
    mayGoOn: () => true,
    ended: (context) => {
      covered = textOf(context.evalSync(readCovering));
    },
  });
  const pairs = covered.split(',').filter((pair) => asked.has(pair.slice(0, pair.indexOf(':'))));
  return `${pairs.join(',')} ${observation}`;
}

/**
 * What is observed of a mutant in one run. A run that was interrupted while it waited for a core is made again, with more
 * patience; what uses the processor's time up is stopped for good.
 */
function mutateRun(job: MutantJob, id: string, planned: PlannedRun): string {
  let wallMs = Math.ceil(planned.msMax * 1.25);
  for (let attempt = 1; ; attempt++) {
    const candidate = candidateOf(job);
    const { isolate } = candidate;
    const [startedMs, startedCpuMs] = [performance.now(), threadCpuMs()];
    const timeout = attempt > attemptsMax ? undefined : wallMs;
    const isOver = () => timeout !== undefined && performance.now() - startedMs >= timeout;
    let isLooping = false;
    const { observation } = observeCase(candidate, job, runAt(job, planned.run), {
      opened: (context) => context.evalSync(openMutating(id, planned.hitsMax)),
      mayGoOn: () => !isOver(),
      ended: (context) => {
        isLooping = context.evalSync(readMutating) === true;
      },
      ...(timeout === undefined ? {} : { timeout }),
    });
    if (isLooping) return timedOut('the mutated place was passed too often');
    if (/^\{"outcome":"(?:returned|threw)"/.test(observation)) return observation;
    if (!isOver()) return observation;
    const usedMs = threadCpuMs() - startedCpuMs;
    // An isolate that was interrupted is not used again.
    if (!isolate.isDisposed) isolate.dispose();
    if (usedMs >= planned.msMax) return timedOut('it takes too long');
    wallMs = Math.ceil(wallMs * Math.min(50, (1.5 * planned.msMax) / Math.max(1, usedMs)));
  }
}

/** Processor time of this thread. An isolate's own `cpuTime` counts waiting for a core as well. */
function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

function runAt({ runs }: MutantJob, position: number): CaseRun {
  const found = runs[position];
  if (found === undefined) throw new Error('a run was planned that the job does not hold');
  return found;
}

function timedOut(detail: string): string {
  return JSON.stringify({ outcome: 'timed_out', detail });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
