/**
 * How many mutants of a good build a revision kills, from top to bottom: mutants are made of the build, the build itself is run and
 * must pass, each mutant is run on the cases that reach it, and what differs goes to the grader, whose no is a kill.
 */

import { coverRuns } from '../../runners/mutants/cover-runs.ts';
import { instrument } from '../../runners/mutants/instrumenter.ts';
import type { Mutant } from '../../runners/mutants/mutant.ts';
import type { MutationBuild } from '../../runners/mutants/mutation-build.ts';
import { fileOfLine } from '../../runners/mutants/own-ranges.ts';
import { type MutantRuns, runMutants } from '../../runners/mutants/run-mutants.ts';
import type { HostPool } from '../../runners/pool.ts';
import { inForce } from '../../suites/expiry.ts';
import type { OpenedSuites } from '../../suites/opened-suites.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import { digestOf } from '../../suites/sealing/sealing.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import { GateError } from '../errors.ts';
import { runOfCase } from '../scoring/run-of-case.ts';
import type { Trial } from '../scoring/trials.ts';
import { type GradingParts, gradingOf } from './grading.ts';
import { worthOfCases } from './kills.ts';
import { mutantDiff } from './mutant-diff.ts';
import {
  type Measurement,
  mutantsDefault,
  type StrengthReport,
  type StrengthRequest,
  type Survivor,
} from './strength.ts';
import { strengthTrials } from './strength-trials.ts';

/** All pairs of a mutant and a case that may be asked about. Of a larger suite, fewer mutants are run. */
const pairsMax = 4_000_000;
/** So many survivors are told with their diffs. */
const survivorsMax = 500;
/** A build that fails names so many of the cases. */
const failuresNamedMax = 5;
/** Every realm's chance is the same, in the build and in its mutants. */
const seed = 1;

export type Measuring = GradingParts & {
  suites: OpenedSuites;
  /** The hosts that mutants run in, and how many of them at once. */
  mutantHosts: HostPool;
};

export type Progress = Omit<Measurement & { state: 'running' }, 'state' | 'id'>;

/** What is known of a strength when it has been measured, and is not recorded yet. */
export type Measured = Omit<StrengthReport, 'id' | 'measuredAt'>;

/**
 * Measures. Throws RunnerErrors, `reference_not_found` where there is no build to take, `build_not_mutable`, and `build_not_good`,
 * whose words are for the suite's author.
 */
export async function measureStrength(
  parts: Measuring,
  name: RevisionName,
  request: StrengthRequest,
  { onProgress, stop }: { onProgress(progress: Progress): void; stop: AbortSignal },
): Promise<Measured> {
  const { transformer, mutantHosts, hosts } = parts;
  const contents = await parts.suites.open(name);
  const { positions } = inForce(contents, new Date());
  const { text, reference } = buildOf(request, contents);
  const trials = await strengthTrials(parts.grader, contents, positions);
  onProgress({ doing: 'making_mutants', done: 0, mutants: 0 });
  const { instrumented, mutants } = await makeMutants(text, stop);
  const most = Math.min(request.mutants, Math.max(1, Math.floor(pairsMax / Math.max(1, trials.length))));
  const chosen = chosenEvenly(mutants, most);
  const script = await transformer.transform(instrumented);
  if (!script.ok) throw new GateError('build_not_mutable', `the build does not compile: ${script.detail}`);
  onProgress({ doing: 'running_build', done: 0, mutants: chosen.length });
  const build: MutationBuild = {
    script: script.script,
    runs: trials.map(({ testCase }) => runOfCase(testCase)),
    ids: chosen.map(({ id }) => id),
    seed,
    limits: contents.limits,
    hosts,
    stop,
  };
  const grade = await gradingOf(parts, contents, trials, seed);
  const coverage = await coverRuns(mutantHosts, build);
  requireGood(await grade(coverage.observed.map((observed, run) => ({ run, observed }))));
  const runs = await runMutants(mutantHosts, build, coverage, {
    isFull: request.full,
    areFailures: async (observed) => (await grade(observed)).map(({ passed }) => passed !== true),
    onProgress: (done) => onProgress({ doing: 'running_mutants', done, mutants: chosen.length }),
  });
  const nameOf = (position: number) => contents.cases[position]?.name ?? '';
  const asked = [...new Set(trials.map(({ position }) => position))];
  return {
    ...name,
    reference,
    build: digestOf(text),
    full: request.full,
    counts: reference !== null && chosen.length >= Math.min(mutants.length, mutantsDefault),
    made: mutants.length,
    cases: positions.length,
    ...reportOf(text, chosen, killsOfCases(runs, trials, asked), (index) => nameOf(asked[index] ?? -1), {
      caseCount: asked.length,
      isFull: request.full,
    }),
  };
}

/** The build that mutants are made of, and the name of the reference that it is, if it is one of the revision's. */
export function buildOf(
  { build, reference }: Pick<StrengthRequest, 'build' | 'reference'>,
  { references }: Pick<SuiteContents, 'references'>,
): { text: string; reference: string | null } {
  if (build !== undefined) return { text: build, reference: null };
  const good = references.filter(({ verdict }) => verdict === 'merge');
  const found = reference === undefined ? good[0] : good.find((one) => one.name === reference);
  if (found !== undefined) return { text: found.build, reference: found.name };
  throw new GateError(
    'reference_not_found',
    reference === undefined
      ? 'the revision holds no good reference: give a build to make mutants of, or push a revision with a reference whose verdict is merge'
      : `the revision holds no reference ${JSON.stringify(reference)} whose verdict is merge`,
  );
}

async function makeMutants(
  text: string,
  stop: AbortSignal,
): Promise<{ instrumented: string; mutants: Mutant[] }> {
  const instrumented = await instrument(text, stop);
  if (!instrumented.ok) {
    throw new GateError('build_not_mutable', `no mutants can be made of the build: ${instrumented.detail}`);
  }
  if (instrumented.mutants.length > 0)
    return { instrumented: instrumented.text, mutants: instrumented.mutants };
  throw new GateError(
    'build_not_mutable',
    'there is nothing to change in the build: what is bundled from node_modules is not mutated',
  );
}

/** So many at most, at even distances. The same of the same build each time. */
function chosenEvenly<Item>(items: Item[], most: number): Item[] {
  const length = Math.min(items.length, most);
  return Array.from({ length }, (_, index) => items[Math.floor((index * items.length) / length)]).filter(
    (item) => item !== undefined,
  );
}

/** What became of each mutant by cases, as indices of `asked`, where it was by trials. */
function killsOfCases(runs: MutantRuns[], trials: Trial[], asked: number[]): MutantRuns[] {
  const indices = new Map(asked.map((position, index) => [position, index]));
  const casesOf = (ofMutant: number[]) => [
    ...new Set(ofMutant.map((run) => indices.get(trials[run]?.position ?? -1) ?? -1)),
  ];
  return runs.map((run) => ({ ...run, covered: casesOf(run.covered), killedBy: casesOf(run.killedBy) }));
}

function requireGood(results: { name: string; passed: boolean; message: string }[]): void {
  // A case is named once, however many of its inputs it failed on.
  const byCase = Map.groupBy(
    results.filter(({ passed }) => passed !== true),
    ({ name }) => name,
  );
  const failed = [...byCase.values()].flatMap(([first]) => first ?? []);
  if (failed.length === 0) return;
  const named = failed
    .slice(0, failuresNamedMax)
    .map(({ name, message }) => `${JSON.stringify(name)}: ${message}`);
  const more = failed.length > named.length ? `, and ${failed.length - named.length} more` : '';
  throw new GateError(
    'build_not_good',
    `mutants of a build say something only where the build itself passes, and this one fails ${named.join('; ')}${more}`,
  );
}

function reportOf(
  text: string,
  chosen: Mutant[],
  runs: MutantRuns[],
  nameOf: (run: number) => string,
  { caseCount, isFull }: { caseCount: number; isFull: boolean },
) {
  const killed = runs.filter(({ killedBy }) => killedBy.length > 0);
  const survived = chosen.flatMap((mutant, index) => {
    const run = runs[index];
    return run === undefined || run.killedBy.length > 0 ? [] : [{ mutant, reachedBy: run.covered.length }];
  });
  const inexact = killed.filter(({ isComplete }) => !isComplete).length;
  const worth = worthOfCases(
    caseCount,
    killed.map(({ killedBy }) => killedBy),
  );
  const lines = text.split('\n');
  const survivors = survived.slice(0, survivorsMax).map(
    ({ mutant, reachedBy }): Survivor => ({
      mutator: mutant.mutator,
      file: fileOfLine(lines, mutant.start.line),
      line: mutant.start.line + 1,
      reachedBy,
      diff: mutantDiff(lines, mutant),
    }),
  );
  return {
    mutants: chosen.length,
    killed: killed.length,
    score: killed.length / chosen.length,
    runs: runs.reduce((sum, { made }) => sum + made, 0),
    timedOut: killed.filter(({ stops }) => stops > 0).length,
    notReached: survived.filter(({ reachedBy }) => reachedBy === 0).length,
    survivors,
    survivorsLeftOut: survived.length - survivors.length,
    idle: worth.idle.map(nameOf),
    redundant: isFull ? worth.redundant.map(nameOf) : null,
    smallest: worth.smallest.map(nameOf),
    inexact,
  };
}
