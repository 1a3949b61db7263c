/**
 * The probe: at every start programs of our own, one that is right and some that are hostile, go the way that candidates go, through
 * host, thread, isolate, realm and grader. A machine on which the right one is not seen to be right, or a hostile one is not
 * contained, runs no candidates.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { plainRun } from '../runners/case-run.ts';
import type { HostPool } from '../runners/pool.ts';
import { type Limits, limitsSchema, type ObservedCase } from '../runners/protocol.ts';
import { runCandidate } from '../runners/run-candidate.ts';
import { noInput } from '../suites/case.ts';
import type { Grader } from './scoring/grader.ts';
import type { Trial } from './scoring/trials.ts';

/** One sentence for each thing that did not hold; none if everything did. For the log, never for a caller. */
export type ProbeReport = { faults: string[] };

/**
 * A program that never ends is let run so long of its own time, in milliseconds, and one that takes too much until its host has so much
 * resident memory, in MiB: hardly, because whoever starts the service waits for both, and the second time what a suite can ask for.
 */
const hardly = { caseMs: 50, hostMb: 112 };
const defaults = limitsSchema.parse({});
const usual = { caseMs: defaults.caseMs, hostMb: 192 };
/** The isolate of the program that takes too much does not stop it. */
const ampleIsolateMb = 512;
/** What it takes, in MiB, and no more: a machine on which nothing stops it must survive it. */
const takenMb = 160;
/** However busy the machine is, the probe has an answer after this long, in milliseconds. */
const answerMsMax = 60_000;

/** The right program adds one to it. */
const question = 41;

/**
 * A candidate, as its text is once it is read. What it is asked decides what it does. `escape` looks for a way to the process it is in
 * (the ways that have led out of other sandboxes), and answers what it could do there.
 */
const program = `
const ways = {
  'the global process': () => process,
  'the function constructor': () => Function('return process')(),
  'the constructor of a global': () => globalThis.constructor.constructor('return process')(),
  'the constructor of a given function': () => exports.constructor.constructor('return process')(),
  'the constructor of console': () => console.log.constructor('return process')(),
  'the constructor of what require throws': () => {
    try { return require('node:process') } catch (error) { return error.constructor.constructor('return process')() }
  },
  'a caller on the stack': () => {
    const { prepareStackTrace } = Error;
    Error.prepareStackTrace = (_, sites) => sites;
    const sites = new Error().stack;
    Error.prepareStackTrace = prepareStackTrace;
    for (const site of sites) {
      const met = site.getThis?.() ?? site.getFunction?.();
      const found = met?.constructor?.constructor?.('return process')();
      if (found !== undefined) return found;
    }
  },
  'a host of isolates': () => globalThis.ivm ?? globalThis.isolatedVm ?? globalThis.$isolate,
};
const acts = {
  'read a file': (found) => found.getBuiltinModule('fs').readFileSync('/etc/hostname'),
  'read the environment': (found) => found.env.PATH.length,
  'start a process': (found) => found.getBuiltinModule('child_process').execFileSync('/bin/true'),
  'open a connection': (found) => found.getBuiltinModule('net').connect(9, '127.0.0.1').on('error', () => {}),
};
function escape() {
  const could = [];
  for (const [way, take] of Object.entries(ways)) {
    let found;
    try { found = take() } catch { continue }
    if (found === undefined || found === null) continue;
    could.push('find ' + way);
    for (const [act, attempt] of Object.entries(acts)) {
      try { attempt(found); could.push(act + ' by ' + way) } catch {}
    }
  }
  for (const name of ['fetch', 'XMLHttpRequest', 'WebSocket', 'Worker', 'importScripts'])
    if (typeof globalThis[name] === 'function') could.push('find ' + name);
  return could;
}
function take() {
  const taken = [];
  while (taken.length < ${takenMb}) taken.push(new Uint8Array(1 << 20).fill(1));
  for (;;) taken.reverse();
}
exports.run = (what) => {
  if (what === 'escape') return escape();
  if (what === 'take') return take();
  if (what === 'spin') for (;;);
  return what + 1;
};
`;

/** The order of the runs comes from this: with it the first of two or three, which ends its host, is run last, so that one host does for all. */
const seed = 1;

/**
 * Probes these runners and this grader. The programs that never end are let run for a moment only; what is then not as it should be is
 * tried once more with the usual patience, so that a machine that is merely busy is not found broken. Throws nothing.
 */
export async function probeContainment(runners: HostPool, grader: Grader): Promise<ProbeReport> {
  const timeout = new AbortController();
  try {
    return await Promise.race([
      probeUntilHeld(runners, grader),
      sleep(answerMsMax, { faults: ['the probe did not come to an end'] }, { signal: timeout.signal }),
    ]);
  } catch (error) {
    return { faults: [`the programs could not be run: ${error instanceof Error ? error.message : error}`] };
  } finally {
    timeout.abort();
  }
}

async function probeUntilHeld(runners: HostPool, grader: Grader): Promise<ProbeReport> {
  const report = await probeOnce(runners, grader, hardly);
  return report.faults.length === 0 || runners.closed ? report : probeOnce(runners, grader, usual);
}

async function probeOnce(
  runners: HostPool,
  grader: Grader,
  { caseMs, hostMb }: Pick<Limits, 'caseMs' | 'hostMb'>,
): Promise<ProbeReport> {
  const run = (inputs: unknown[], limits: Partial<Limits>) =>
    runCandidate(runners, {
      script: program,
      runs: inputs.map((input) => plainRun(JSON.stringify(input))),
      seed,
      limits: { ...defaults, ...limits },
      hosts: 1,
    });
  const [[spinning, right, seeking], [taking, frugal]] = await Promise.all([
    run(['spin', question, 'escape'], { caseMs }),
    run(['take', question], { hostMb, isolateMb: ampleIsolateMb }),
  ]);
  const asked: Asked[] = [
    { observed: right, equals: question + 1, passes: true, fault: 'a right program is not found right' },
    { observed: right, equals: question, passes: false, fault: 'a wrong program is not found wrong' },
    // Else it would not be the taking that is stopped.
    {
      observed: frugal,
      equals: question + 1,
      passes: true,
      fault: 'a right program is not found right in little memory',
    },
    { observed: seeking, equals: [], passes: true, fault: 'a program that looks for a way out found one' },
    {
      observed: spinning,
      equals: undefined,
      passes: false,
      fault: 'a program that never ends was found right',
    },
  ];
  const results = await grader.grade(
    {},
    asked.map(trialOf),
    asked.map(({ observed = notRun }) => ({ observed, related: undefined })),
  );
  const graded = asked.flatMap(({ observed = notRun, passes, fault }, index) =>
    results[index]?.passed === passes ? [] : [`${fault}: it ${wordsOf(observed)}`],
  );
  const ended = [
    { observed: spinning, outcome: 'timed_out', fault: 'a program that never ends was not stopped' },
    {
      observed: taking,
      outcome: 'out_of_memory',
      fault: 'a program that takes too much memory was not stopped',
    },
  ].flatMap(({ observed = notRun, outcome, fault }) =>
    observed.observation.outcome === outcome ? [] : [`${fault}: it ${wordsOf(observed)}`],
  );
  return { faults: [...graded, ...ended] };
}

type Asked = { observed: ObservedCase | undefined; equals: unknown; passes: boolean; fault: string };

const notRun: ObservedCase = { observation: { outcome: 'not_run' }, durationMs: 0 };

function trialOf({ equals, fault }: Asked, position: number): Trial {
  const expect = equals === undefined ? { schema: true } : { equals };
  return {
    position,
    run: 0,
    testCase: { name: fault, input: noInput, expect, tags: [] },
    related: undefined,
  };
}

function wordsOf({ observation }: ObservedCase): string {
  const { outcome } = observation;
  return outcome === 'returned' ? `returned ${observation.value.slice(0, 500)}` : `ended as ${outcome}`;
}
