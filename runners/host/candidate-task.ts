/**
 * The task of a runner host: one isolate, and a fresh realm for every case.
 *
 * It hears one job and writes one line for each case straight to the channel, so that what has been observed
 * is with the parent even if the next case ends this process. It keeps no deadline: the parent does.
 */
import { writeSync } from 'node:fs';
import ivm from 'isolated-vm';
import type { CandidateJob } from '../protocol.ts';

/** The realm's own code as a JavaScript expression, put in by `bundle.ts`. */
declare const REALM_SOURCE: string;

const channelFd = 3;

type Equipped = { isolate: ivm.Isolate; isolateMb: number; prelude: ivm.Script; entry: string };

let equipped: Equipped | undefined;

function equip(isolateMb: number): Equipped {
  const isolate = new ivm.Isolate({ memoryLimit: isolateMb });
  // A lexical name that the candidate cannot list: what it cannot find it does not call.
  const entry = `holdback_${Math.random().toString(36).slice(2)}`;
  const prelude = isolate.compileScriptSync(`const ${entry} = ${REALM_SOURCE}; undefined`);
  return { isolate, isolateMb, prelude, entry };
}

/** Makes an isolate of the usual size ahead of the job, off the critical path. */
export function warm(isolateMb: number): void {
  equipped = equip(isolateMb);
}

/** Runs every input of a job in a realm of its own, in the order given. */
export function run(job: CandidateJob): void {
  let candidate: LoadedCandidate | undefined;
  if (equipped?.isolateMb !== job.isolateMb) equipped = equip(job.isolateMb);
  // Until this line a failure is ours; from here on it is the candidate's.
  writeSync(channelFd, 'loading\n');
  for (const [index, input] of job.inputs.entries()) {
    const started = process.hrtime.bigint();
    candidate ??= loadCandidate(job);
    const observation = observeCase(candidate, job, input);
    // An isolate in which anything abnormal happened is not used again.
    if (!/^\{"outcome":"(?:returned|threw)"/.test(observation)) {
      if (!candidate.isolate.isDisposed) candidate.isolate.dispose();
      candidate = undefined;
    }
    const microseconds = (process.hrtime.bigint() - started) / 1000n;
    writeSync(channelFd, `${index} ${microseconds} ${observation}\n`);
  }
}

type LoadedCandidate = Equipped & { script: ivm.Script | undefined; start: ivm.Script; step: ivm.Script };

function loadCandidate(job: CandidateJob): LoadedCandidate {
  const fresh = equipped ?? equip(job.isolateMb);
  equipped = undefined;
  const { isolate, entry } = fresh;
  return {
    ...fresh,
    script: compileCandidate(isolate, entry, job.script),
    start: isolate.compileScriptSync(`${entry}.start()`),
    step: isolate.compileScriptSync(`${entry}.step()`),
  };
}

function compileCandidate(isolate: ivm.Isolate, entry: string, script: string): ivm.Script | undefined {
  try {
    return isolate.compileScriptSync(`${entry}.load(function (exports, module, require) {${script}\n})`);
  } catch {
    return undefined;
  }
}

function observeCase(candidate: LoadedCandidate, job: CandidateJob, input: string): string {
  const { isolate, prelude, entry, script, start, step } = candidate;
  if (script === undefined) return crashed('the engine could not compile the candidate');
  try {
    const context = isolate.createContextSync();
    prelude.runSync(context);
    context.evalSync(`${entry}.open(${job.seed}, ${JSON.stringify(input)}, ${job.outputBytes})`);
    script.runSync(context);
    start.runSync(context);
    let observation: unknown = '';
    while (observation === '') observation = step.runSync(context);
    context.release();
    return typeof observation === 'string' ? observation : crashed('the realm answered with no text');
  } catch {
    // No field of the exception is read: a candidate may have made it.
    return isolate.isDisposed
      ? '{"outcome":"out_of_memory"}'
      : crashed('an exception that nothing caught, or a rejection that nothing handled, ended the realm');
  }
}

function crashed(detail: string): string {
  return `{"outcome":"crashed","detail":${JSON.stringify(detail)}}`;
}
