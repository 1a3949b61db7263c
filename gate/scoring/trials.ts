/**
 * From the cases of a suite to trials, and from how trials ended to how cases did. A trial is one run of a case on one input: a written
 * case has one, a generated case as many as it asks for, on inputs that are made from the seed of the score. A case of which one trial
 * fails has failed.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { ObservedCase } from '../../runners/protocol.ts';
import { noInput, type SealedCase } from '../../suites/case.ts';
import { type Drawn, readState } from '../../suites/generation.ts';
import type { Chance, DrawItem } from '../../suites/grader/protocol.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import type { CaseResult } from '../decide.ts';
import { type Compared, contrasts } from './contrast.ts';

/** A seed of a score is so long, in bytes: nobody guesses what a score will ask. */
const seedBytes = 32;

/** Of an input, so many characters are told with a failure. */
const shownCharsMax = 4_000;

/** One run of a case on one input. */
export type Trial = {
  /** The position of the case in the suite. */
  position: number;
  /** Which of the case's inputs it is about, from 0. */
  run: number;
  /** The case with the input of this trial as its own, as if it had been written so. */
  testCase: SealedCase;
  /** Where outputs must be related, the same with the input that was made from it. */
  related: SealedCase | undefined;
};

/** How one trial ended, and where it failed, what was compared. */
export type TrialResult = Pick<CaseResult, 'outcome' | 'passed' | 'message' | 'durationMs'> & {
  compared?: Compared | undefined;
};

/** All trials of a suite in one score, by case, and what is wrong with the cases of which no inputs could be made. */
export type Trials = { trials: Trial[]; problems: Map<number, string> };

/** A new seed, 64 hexadecimal digits: drawn once for each score, when nobody can change the candidate any more. */
export function newSeed(): string {
  return randomBytes(seedBytes).toString('hex');
}

/** Makes the inputs of the cases at these positions. `draw` has them made in the grader; the same seed gives the same trials. */
export async function makeTrials(
  { suite, cases }: SuiteContents,
  positions: number[],
  seed: string,
  draw: (items: DrawItem[]) => Promise<Drawn[]>,
): Promise<Trials> {
  const inForce = positions.flatMap((position) => {
    const testCase = cases[position];
    return testCase === undefined ? [] : [{ position, testCase }];
  });
  const made = inForce.flatMap(({ position, testCase }): DrawItem[] => {
    const { input = noInput, generate, relate } = testCase;
    if (generate !== undefined)
      return [{ position, input: null, chances: chancesOf(seed, suite, position, generate.runs) }];
    return relate === true ? [{ position, input, chances: [] }] : [];
  });
  const drawn = new Map((await draw(made)).map((each, index) => [made[index]?.position, each]));
  const trials: Trial[] = [];
  const problems = new Map<number, string>();
  for (const { position, testCase } of inForce) {
    const inputs = drawn.get(position);
    if (testCase.generate === undefined && testCase.relate === undefined) {
      trials.push({ position, run: 0, testCase, related: undefined });
    } else if (inputs === undefined || 'problem' in inputs) {
      problems.set(position, inputs?.problem ?? 'its inputs were not made');
    } else {
      for (const [run, { input, related }] of inputs.inputs.entries()) {
        const withRelated = related === undefined ? undefined : { ...testCase, input: related };
        trials.push({ position, run, testCase: { ...testCase, input }, related: withRelated });
      }
    }
  }
  return { trials, problems };
}

/** What a run of a generated case begins with: its own part of chance, which tells nothing of any other run's, nor of the seed. */
export function chanceOf(seed: string, suite: string, position: number, run: number): Chance {
  const bytes = createHmac('sha256', Buffer.from(seed, 'hex')).update(JSON.stringify([suite, position, run]));
  return { run, state: readState(bytes.digest()) };
}

function chancesOf(seed: string, suite: string, position: number, runs: number): Chance[] {
  return Array.from({ length: runs }, (_, run) => chanceOf(seed, suite, position, run));
}

/** Everything that is run: the case of each trial, and after it the one that it is related to; and which case of the suite each is of. */
export function casesOf(trials: Trial[]): { cases: SealedCase[]; caseOf: number[] } {
  const placed = trials.flatMap(({ position, testCase, related }) =>
    [testCase, ...(related === undefined ? [] : [related])].map((each) => ({ each, position })),
  );
  return { cases: placed.map(({ each }) => each), caseOf: placed.map(({ position }) => position) };
}

/** What was observed of one trial. */
export type ObservedTrial = { observed: ObservedCase; related: ObservedCase | undefined };

/** What was observed of `casesOf`, by trial. What is missing was not run. */
export function observedOf(trials: Trial[], observed: ObservedCase[]): ObservedTrial[] {
  let next = 0;
  const take = () =>
    observed[next++] ?? ({ observation: { outcome: 'not_run' }, durationMs: 0 } satisfies ObservedCase);
  return trials.map(({ related }) => ({
    observed: take(),
    related: related === undefined ? undefined : take(),
  }));
}

/** How each case at these positions ended: as its first trial that was run and failed, and passed only if all that it should have were run and passed. */
export function resultsOf(
  { cases }: SuiteContents,
  positions: number[],
  { trials, problems }: Trials,
  results: TrialResult[],
): CaseResult[] {
  const byCase = Map.groupBy(
    trials.map((trial, index) => ({ trial, result: results[index] })),
    ({ trial }) => trial.position,
  );
  const contrast = contrasts();
  return positions.map((position): CaseResult => {
    const { name, generate } = cases[position] ?? { name: '', generate: undefined };
    const tried = byCase.get(position) ?? [];
    const runs = generate?.runs ?? 1;
    const durationMs = tried.reduce((sum, { result }) => sum + (result?.durationMs ?? 0), 0);
    const failures = tried.filter(({ result }) => result?.passed !== true);
    // What was not run because of another trial tells less than that one.
    const failed = failures.find(({ result }) => result?.outcome !== 'not_run') ?? failures[0];
    const last = tried.at(-1)?.result;
    if (failed === undefined && tried.length === runs && last !== undefined) {
      return { name, position, outcome: last.outcome, passed: true, message: '', durationMs };
    }
    const missing = {
      outcome: 'not_run',
      message: problems.get(position) ?? 'not all of its inputs were run',
    } as const;
    const { outcome, message } = failed?.result ?? missing;
    const compared = failed?.result?.compared;
    const told = compared === undefined ? {} : contrast(compared);
    const ended = { name, position, outcome, passed: false, message, durationMs, ...told };
    if (generate === undefined || failed === undefined) return ended;
    const { run, testCase } = failed.trial;
    return { ...ended, generated: { run, runs, input: shownInput(testCase.input ?? noInput) } };
  });
}

/** An input as it is told with a failure: carried JSON text, cut where it is long. */
export function shownInput(input: string): string {
  return input.length <= shownCharsMax ? input : `${input.slice(0, shownCharsMax)}…`;
}
