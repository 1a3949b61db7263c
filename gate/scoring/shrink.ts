/**
 * Looks for the smallest input on which a generated case fails as it did on the one that was found: the grader proposes smaller inputs
 * next to it, as fast-check does, the candidate runs on them, and it goes on from the first that fails in the same way. A smaller
 * input that fails in another way is another bug, and not the one that the author is looking for.
 */
import type { Transformed } from '../../runners/transformer.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import type { CaseResult } from '../decide.ts';
import { type BuildScoring, runTrials, type Seeds } from './score-build.ts';
import { chanceOf, type Trial } from './trials.ts';

/** So many smaller inputs are tried at first next to one; where none of them fails, more and more of those that are left. */
const firstInputs = 8;
const inputsMax = 64;
/** So many times inputs are tried, and after this long not again, in milliseconds. */
const roundsMax = 100;
const shrinkMsMax = 60_000;

/** The smallest input that was found. */
export type Shrunk = {
  /** Carried JSON text. */
  input: string;
  message: string;
  /** How many times something smaller was found. */
  steps: number;
  /** Whether nothing smaller next to it fails, so that the search has ended by itself. */
  isMinimal: boolean;
};

/** A failing trial of a generated case, and what it is of. */
export type Failed = { contents: SuiteContents; seeds: Seeds; trial: Trial; result: CaseResult };

/**
 * Shrinks the input of a failing trial; `inTurn` lets each round wait for a turn. Undefined where its generator makes no smaller ones.
 * Throws RunnerErrors.
 */
export async function shrink(
  scoring: BuildScoring,
  build: Transformed,
  { contents, seeds, trial, result }: Failed,
  inTurn: <Answer>(run: () => Promise<Answer>) => Promise<Answer>,
): Promise<Shrunk | undefined> {
  const chance = chanceOf(seeds.inputs, contents.suite, trial.position, trial.run);
  const untilMs = performance.now() + shrinkMsMax;
  const path: number[] = [];
  let smallest = { input: trial.testCase.input ?? '', message: result.message };
  let [from, count] = [0, firstInputs];
  for (let round = 0; round < roundsMax && performance.now() < untilMs; round++) {
    const request = { chance, path, expected: smallest.input, from, count };
    const tried = await inTurn(async () => {
      const smaller = await scoring.grader.shrink(contents, { position: trial.position, ...request });
      if ('problem' in smaller) return undefined;
      const trials = smaller.inputs.map((drawn) => drawn && trialOn(trial, drawn));
      const carried = trials.filter((each) => each !== null);
      const { results } = await runTrials(scoring, build, contents, carried, seeds.realms);
      const at = results.findIndex(({ passed, outcome }) => !passed && outcome === result.outcome);
      return { trials, found: carried[at], message: results[at]?.message ?? '' };
    });
    if (tried === undefined) return path.length === 0 ? undefined : smallestOf(false);
    const { trials, found, message } = tried;
    if (found !== undefined) {
      path.push(from + trials.indexOf(found));
      smallest = { input: found.testCase.input ?? '', message };
      [from, count] = [0, firstInputs];
    } else if (trials.length < count) return smallestOf(true);
    else [from, count] = [from + count, Math.min(count * 2, inputsMax)];
  }
  return smallestOf(false);

  function smallestOf(isMinimal: boolean): Shrunk {
    return { ...smallest, steps: path.length, isMinimal };
  }
}

function trialOn(trial: Trial, { input, related }: { input: string; related?: string | undefined }): Trial {
  const { testCase } = trial;
  return {
    ...trial,
    testCase: { ...testCase, input },
    related: related === undefined ? undefined : { ...testCase, input: related },
  };
}
