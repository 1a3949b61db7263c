/**
 * How a build is run on the cases of a suite, whosever it is: a candidate and a reference are run in the same way, so that what a
 * reference shows holds for a candidate. Of the suite, what is to be called with what is all that the runners are told.
 */
import { createHash } from 'node:crypto';
import { inSpan } from '../../runners/in-span.ts';
import type { HostPool } from '../../runners/pool.ts';
import type { ObservedCase } from '../../runners/protocol.ts';
import { type CandidateRun, runCandidate } from '../../runners/run-candidate.ts';
import type { Transformed } from '../../runners/transformer.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import { runOfCase } from './run-of-case.ts';

/** On what builds are run, and over how many hosts one of them spreads at most. */
export type Observing = { runners: HostPool; hostsPerScore: number };

/** What is run: cases, and, where several are trials of one, which case of the suite each of them is. */
type Observed = Pick<SuiteContents, 'cases' | 'limits'> & { caseOf?: number[] } & Pick<CandidateRun, 'tally'>;

/** One observation for each case, in their order. `seed` decides the order in which they run, and all chance in the realms. */
export async function observe(
  { runners, hostsPerScore }: Observing,
  build: Transformed,
  { cases, limits, caseOf, tally }: Observed,
  seed: number,
): Promise<ObservedCase[]> {
  if (!build.ok) {
    return cases.map(() => ({
      observation: { outcome: 'crashed', detail: `the candidate does not compile: ${build.detail}` },
      durationMs: 0,
    }));
  }
  const traced = { 'holdback.runs': cases.length };
  return inSpan('cases', traced, () =>
    runCandidate(runners, {
      script: build.script,
      runs: cases.map(runOfCase),
      ...(caseOf === undefined ? {} : { caseOf }),
      seed,
      limits,
      hosts: hostsPerScore,
      tally,
    }),
  );
}

/**
 * The same revision always has the same seed, so that trying again is no lottery. Of a preflight each round has its own; the first is
 * the one that scores have.
 */
export function seedOf({ suite, revision }: RevisionName, round = 0): number {
  const what = `${suite}@${revision}${round === 0 ? '' : `#${round}`}`;
  return createHash('sha256').update(what).digest().readUInt32LE();
}

/** What generated cases make their inputs from in a round of a preflight: fresh in each, and the same whenever it is run. */
export function inputsSeedOf({ suite, revision }: RevisionName, round: number): string {
  return createHash('sha256').update(`inputs of ${suite}@${revision}#${round}`).digest('hex');
}
