/**
 * The task of a runner host: one isolate, and a fresh realm for every case.
 *
 * It hears one job and puts one line for each case into the outbox. It keeps no deadline: the parent does.
 */
import ivm from 'isolated-vm';
import { type CaseRun, isPlain } from '../case-run.ts';
import type { CandidateJob, MoreRuns } from '../protocol.ts';
import { Collector } from './collector.ts';
import type { Outbox } from './outbox.ts';
import { rehearsalRuns, rehearsalScript } from './rehearsal.ts';

/** The realm's own code as a JavaScript expression, put in by `bundle.ts`. */
declare const REALM_SOURCE: string;

/** So many realms are made ahead of the job: making one takes as long as what an honest build does in it. */
const readyRealms = 16;

export type Equipped = {
  isolate: ivm.Isolate;
  isolateMb: number;
  /** Makes the realm's own code. */
  prelude: ivm.Script;
  /** Opens the realm for a case, from the text that is the global property `given`; afterwards there is none. */
  open: ivm.Script;
  given: string;
  entry: string;
  /** Realms that are made and not opened yet. */
  ready: ivm.Context[];
  collector: Collector;
};

let equipped: Equipped | undefined;

export function equip(isolateMb: number): Equipped {
  const isolate = new ivm.Isolate({ memoryLimit: isolateMb });
  // A lexical name that the candidate cannot list: what it cannot find it does not call.
  const entry = `holdback_${Math.random().toString(36).slice(2)}`;
  const given = `${entry}_given`;
  // Handed over as a property, because a script that held it would have to be compiled for each case.
  const prelude = isolate.compileScriptSync(`const ${entry} = ${REALM_SOURCE}; undefined`);
  const open = isolate.compileScriptSync(
    `${entry}.open(globalThis.${given}); delete globalThis.${given}; undefined`,
  );
  return { isolate, isolateMb, prelude, open, given, entry, ready: [], collector: new Collector(isolate) };
}

/** Makes an isolate of the usual size ahead of the job, in which all is compiled, and realms in it. */
export function warm(isolateMb: number): void {
  rehearse(isolateMb);
  if (equipped === undefined) throw new Error('the isolate does not work');
  for (let made = 0; made < readyRealms; made++) equipped.ready.push(makeRealm(equipped));
  // Else they would be copied as soon as the job has made something.
  equipped.collector.collect();
}

/** Runs a job of our own, so that all that a job needs is at hand. */
export function rehearse(isolateMb: number): void {
  const nobody = { put() {}, send() {} };
  run({ script: rehearsalScript, runs: rehearsalRuns, seed: 1, isolateMb, outputBytes: 1 << 20 }, nobody);
  running = undefined;
}

function makeRealm({ isolate, prelude }: Equipped): ivm.Context {
  const context = isolate.createContextSync();
  prelude.runSync(context);
  return context;
}

/** A job while runs of it come in: the build as it is loaded, if it is, and how many runs were answered. */
type Running = { job: CandidateJob; candidate: LoadedCandidate | undefined; answered: number };

let running: Running | undefined;

/** Runs every case of a job, or more of them, in a realm of its own, in the order given. */
export function run(told: CandidateJob | MoreRuns, outbox: Pick<Outbox, 'put' | 'send'>): void {
  if ('more' in told) {
    if (running === undefined) throw new Error('more runs came before their job');
    runAll(running, told.more, outbox);
    return;
  }
  // An isolate keeps the time zone that it was made in.
  if (equipped?.isolateMb !== told.isolateMb || told.zone !== undefined) equipped = equip(told.isolateMb);
  // Until this line a failure is ours; from here on it is the candidate's.
  outbox.put('loading');
  outbox.send();
  running = { job: told, candidate: undefined, answered: 0 };
  runAll(running, told.runs, outbox);
}

function runAll(running: Running, runs: CaseRun[], outbox: Pick<Outbox, 'put'>): void {
  const { job } = running;
  const discard = () => {
    if (running.candidate?.isolate.isDisposed === false) running.candidate.isolate.dispose();
    running.candidate = undefined;
    equipped = undefined;
  };
  for (const run of runs) {
    // Realms that are still to be used would be copied for nothing.
    if (running.candidate?.ready.length === 0) running.candidate.collector.leaveOne();
    if (running.candidate?.isolate.isDisposed === true) discard();
    const startedMs = performance.now();
    // What is timed has an isolate to itself: realms of one share compiled code, and a candidate can tell by that what ran before.
    if (run.isTimed === true && running.candidate !== undefined) discard();
    running.candidate ??= load(equipped ?? equip(job.isolateMb), job.script);
    const { observation, cpu } = observeCase(running.candidate, job, run);
    // An isolate in which anything abnormal happened is not used again.
    if (run.isTimed === true || !/^\{"outcome":"(?:returned|threw)"/.test(observation)) discard();
    const endedMs = performance.now();
    const took = Math.round((endedMs - startedMs) * 1_000);
    outbox.put(`${running.answered++} ${took}${cpu === undefined ? '' : `/${cpu}`} ${observation}`);
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
  const { isolate, open, given, script, start, step } = candidate;
  if (script === undefined) return { observation: crashed('the engine could not compile the candidate') };
  try {
    const context = candidate.ready.pop() ?? makeRealm(candidate);
    context.global.setSync(given, givenTo(job, run));
    open.runSync(context);
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
