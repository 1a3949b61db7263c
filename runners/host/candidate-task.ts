/**
 * The task of a runner host: one isolate, and a fresh realm for every case.
 *
 * It hears one job and puts one line for each case into the outbox. It keeps no deadline: the parent does.
 */
import ivm from 'isolated-vm';
import { type CaseRun, isPlain, plainRun } from '../case-run.ts';
import type { CandidateJob } from '../protocol.ts';
import type { Outbox } from './outbox.ts';

/** The realm's own code as a JavaScript expression, put in by `bundle.ts`. */
declare const REALM_SOURCE: string;

const warmCases = 8;

export type Equipped = {
  isolate: ivm.Isolate;
  isolateMb: number;
  /** Makes and opens the realm's own code, from the text that is the global property `given`; afterwards there is none. */
  prelude: ivm.Script;
  given: string;
  entry: string;
};

let equipped: Equipped | undefined;

export function equip(isolateMb: number): Equipped {
  const isolate = new ivm.Isolate({ memoryLimit: isolateMb });
  // A lexical name that the candidate cannot list: what it cannot find it does not call.
  const entry = `holdback_${Math.random().toString(36).slice(2)}`;
  const given = `${entry}_given`;
  // Handed over as a property, because a script that held it would have to be compiled for each case.
  const prelude = isolate.compileScriptSync(
    `const ${entry} = ${REALM_SOURCE}; ${entry}.open(globalThis.${given}); delete globalThis.${given}; undefined`,
  );
  return { isolate, isolateMb, prelude, given, entry };
}

/** Makes an isolate of the usual size ahead of the job, and runs a few cases of our own in it, so that all is compiled. */
export function warm(isolateMb: number): void {
  equipped = equip(isolateMb);
  const candidate = load(equipped, 'exports.run = (input) => input');
  for (let turn = 0; turn < warmCases; turn++)
    observeCase(candidate, { seed: 1, outputBytes: 1_024 }, plainRun('{"warm":[1,"up"]}'));
}

/** Runs every case of a job in a realm of its own, in the order given. */
export function run(job: CandidateJob, outbox: Outbox): void {
  // An isolate keeps the time zone that it was made in.
  if (equipped?.isolateMb !== job.isolateMb || job.zone !== undefined) equipped = equip(job.isolateMb);
  // Until this line a failure is ours; from here on it is the candidate's.
  outbox.put('loading');
  outbox.send();
  let candidate: LoadedCandidate | undefined;
  const discard = () => {
    if (candidate?.isolate.isDisposed === false) candidate.isolate.dispose();
    candidate = undefined;
    equipped = undefined;
  };
  for (const [index, run] of job.runs.entries()) {
    const startedMs = performance.now();
    // What is timed has an isolate to itself: realms of one share compiled code, and a candidate can tell by that what ran before.
    if (run.isTimed === true && candidate !== undefined) discard();
    candidate ??= load(equipped ?? equip(job.isolateMb), job.script);
    const { observation, cpu } = observeCase(candidate, job, run);
    // An isolate in which anything abnormal happened is not used again.
    if (run.isTimed === true || !/^\{"outcome":"(?:returned|threw)"/.test(observation)) discard();
    const endedMs = performance.now();
    const took = Math.round((endedMs - startedMs) * 1_000);
    outbox.put(`${index} ${took}${cpu === undefined ? '' : `/${cpu}`} ${observation}`);
  }
}

export type LoadedCandidate = Equipped & {
  script: ivm.Script | undefined;
  start: ivm.Script;
  step: ivm.Script;
};

export function load(fresh: Equipped, script: string): LoadedCandidate {
  const { isolate, entry } = fresh;
  return {
    ...fresh,
    script: compileCandidate(isolate, entry, script),
    start: isolate.compileScriptSync(`${entry}.start()`),
    step: isolate.compileScriptSync(`${entry}.step()`),
  };
}

function compileCandidate(isolate: ivm.Isolate, entry: string, script: string): ivm.Script | undefined {
  try {
    return isolate.compileScriptSync(`${entry}.load((function (exports, module, require) {${script}\n}))`);
  } catch {
    return undefined;
  }
}

/** What happens in a realm besides the case itself, and how long one turn in it may take by the wall, in milliseconds. */
export type Around = {
  /** The globals are there, and the candidate is about to load. */
  opened(context: ivm.Context): void;
  /** Whether another turn may follow. */
  mayGoOn(): boolean;
  /** The candidate has answered. */
  ended(context: ivm.Context): void;
  timeout?: number;
};

/** An observation as JSON text; of a case that is timed, the processor time of its realm in microseconds. */
type Observed = { observation: string; cpu?: number };

export function observeCase(
  candidate: LoadedCandidate,
  job: Pick<CandidateJob, 'seed' | 'outputBytes'>,
  run: CaseRun,
  around?: Around,
): Observed {
  const { isolate, prelude, given, script, start, step } = candidate;
  if (script === undefined) return { observation: crashed('the engine could not compile the candidate') };
  try {
    const context = isolate.createContextSync();
    context.global.setSync(given, givenTo(job, run));
    prelude.runSync(context);
    const turn = around?.timeout === undefined ? {} : { timeout: around.timeout };
    around?.opened(context);
    // All that the candidate does counts, from its first line on, in whatever turn; what the realm itself needed before does not.
    const startedCpu = run.isTimed === true ? threadCpu() : 0;
    script.runSync(context, turn);
    start.runSync(context, turn);
    let observation: unknown = '';
    while (observation === '' && around?.mayGoOn() !== false) observation = step.runSync(context, turn);
    const cpu = run.isTimed === true ? { cpu: threadCpu() - startedCpu } : {};
    around?.ended(context);
    context.release();
    if (typeof observation !== 'string') return { observation: crashed('the realm answered with no text') };
    return { observation, ...cpu };
  } catch {
    // No field of the exception is read: a candidate may have made it.
    const ended = 'an exception that nothing caught, or a rejection that nothing handled, ended the realm';
    return { observation: isolate.isDisposed ? '{"outcome":"out_of_memory"}' : crashed(ended) };
  }
}

/** What a realm is opened with, as one text: `i` is followed by the input of a plain case, `r` by any other run as JSON. */
function givenTo({ seed, outputBytes }: Pick<CandidateJob, 'seed' | 'outputBytes'>, run: CaseRun): string {
  const numbers = `${seed} ${outputBytes}`;
  return isPlain(run) ? `${numbers} i${run.calls[0].input}` : `${numbers} r${JSON.stringify(run)}`;
}

/** The kernel brings a thread's time up to date when the thread leaves its core; else it lags by some milliseconds. */
const leaveCoreMs = 0.1;
const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

/**
 * The processor time of this thread so far, in microseconds: all that an isolate does, it does here. isolated-vm's own `cpuTime` is the
 * wall's time in its published binaries, which a busy machine stretches.
 */
function threadCpu(): number {
  Atomics.wait(nobodyWakes, 0, 0, leaveCoreMs);
  const { user, system } = process.threadCpuUsage();
  return Math.round(user + system);
}

function crashed(detail: string): string {
  return `{"outcome":"crashed","detail":${JSON.stringify(detail)}}`;
}
