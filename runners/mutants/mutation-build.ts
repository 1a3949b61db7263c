/** A build whose mutants are to be run, and the hosts on which that is done. */
import { type CaseRun, frameBytesMax } from '../case-run.ts';
import type { HostPool } from '../pool.ts';
import type { Limits } from '../protocol.ts';
import { type MutantHostUse, onMutantHost } from './mutant-host.ts';

/** Fewer runs than this are not worth a host of their own. */
const runsPerHostMin = 50;

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

/**
 * The time zone of each run. Where any run has one, those without are in UTC, and say so, since hosts go from one zone to another.
 */
export function zonesOf({ runs }: MutationBuild): (string | undefined)[] {
  const isZoned = runs.some(({ fixtures }) => fixtures?.zone !== undefined);
  return runs.map(({ fixtures }) => fixtures?.zone ?? (isZoned ? 'UTC' : undefined));
}

/** How long what is observed of a run may be. */
export function outputBytesOf({ limits, runs }: MutationBuild, run: number): number {
  const of = runs[run];
  return limits.outputBytes + (of === undefined ? 0 : frameBytesMax(of));
}

/** The same work on several hosts at once, until none of them finds anything left to do. The first failure ends all of it. */
export async function inParallel(
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
