/** From trials to results of cases: whatever is missing, too many or failed never lets a case pass. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CaseResult } from '../../gate/decide.ts';
import { resultsOf, shownInput, type Trial, type TrialResult } from '../../gate/scoring/trials.ts';
import { outcomes } from '../../runners/protocol.ts';
import { type SuiteContents, suiteContentsSchema } from '../../suites/suite.ts';

/** A trial and how it ended, which is undefined where nothing came back. */
type Ended = { trial: Trial; result: TrialResult | undefined };

const limits = { caseMs: 1_000, scoreMs: 10_000, isolateMb: 64, hostMb: 256, outputBytes: 1_000 };

/** A suite of which each case has so many inputs, or, with 0, is written. */
function suiteOf(runs: number[]): SuiteContents {
  const cases = runs.map((each, position) => ({
    name: `case ${position}`,
    tags: [],
    expect: { equals: 1 },
    ...(each === 0 ? { input: '1' } : { generate: { runs: each, sample: '0'.repeat(64) } }),
  }));
  return suiteContentsSchema.parse({ suite: 'some', cases, limits });
}

/** All trials that a suite should have, each passed. */
function allPassing({ cases }: SuiteContents): Ended[] {
  return cases.flatMap((testCase, position) =>
    Array.from({ length: testCase.generate?.runs ?? 1 }, (_, run) => ({
      trial: { position, run, testCase: { ...testCase, input: `${run}` }, related: undefined },
      result: { outcome: 'returned' as const, passed: true, message: '', durationMs: 1 },
    })),
  );
}

function judge(contents: SuiteContents, ended: Ended[], problems = new Map<number, string>()): CaseResult[] {
  const positions = contents.cases.map((_, position) => position);
  const trials = ended.map(({ trial }) => trial);
  // What did not come back is a hole, as it is in a list that was filled by position.
  const results: TrialResult[] = [];
  for (const [index, { result }] of ended.entries()) if (result !== undefined) results[index] = result;
  return resultsOf(contents, positions, { trials, problems }, results);
}

const passedOf = (results: CaseResult[]) => results.map(({ passed }) => passed);

const suites = fc.array(fc.nat(6), { minLength: 1, maxLength: 5 }).map(suiteOf);
/** A suite, all its trials, and one of them that something happens to. */
const oneTrial = suites.chain((contents) => {
  const ended = allPassing(contents);
  return fc.record({ contents: fc.constant(contents), index: fc.nat(ended.length - 1) });
});

/** Lets something happen to one trial: the case of that trial fails, and every other passes. */
function failsAlone(happens: (ended: Ended[], index: number) => Ended[]): void {
  fc.assert(
    fc.property(oneTrial, ({ contents, index }) => {
      const ended = allPassing(contents);
      const position = ended[index]?.trial.position;
      const results = judge(contents, happens(ended, index));
      expect(passedOf(results)).toEqual(contents.cases.map((_, each) => each !== position));
    }),
  );
}

describe('a case', () => {
  test('passes where all of its trials were run and passed, and takes as long as they do together', () => {
    fc.assert(
      fc.property(suites, (contents) => {
        const results = judge(contents, allPassing(contents));
        expect(passedOf(results)).toEqual(contents.cases.map(() => true));
        expect(results.map(({ durationMs }) => durationMs)).toEqual(
          contents.cases.map(({ generate }) => generate?.runs ?? 1),
        );
      }),
    );
  });

  test('fails where a trial failed, however it ended', () => {
    for (const outcome of outcomes) {
      failsAlone((ended, index) =>
        ended.with(index, {
          trial: ended[index]?.trial ?? expect.fail(),
          result: { outcome, passed: false, message: 'mine', durationMs: 1 },
        }),
      );
    }
  });

  test('fails where a trial is missing', () => failsAlone((ended, index) => ended.toSpliced(index, 1)));

  test('fails where a trial has no result', () =>
    failsAlone((ended, index) =>
      ended.map((each, at) => (at === index ? { ...each, result: undefined } : each)),
    ));

  test('fails where it has one trial more than it should, though that passed too', () =>
    failsAlone((ended, index) => [...ended, ended[index] ?? expect.fail()]));

  test('fails where nothing was run, and tells what is wrong with its inputs', () => {
    const results = judge(suiteOf([0, 3]), [], new Map([[1, 'generate threw']]));
    expect(results).toMatchObject([
      { passed: false, outcome: 'not_run', message: 'not all of its inputs were run' },
      { passed: false, outcome: 'not_run', message: 'generate threw' },
    ]);
  });

  test('of another suite position has no trials that could help it', () => {
    const contents = suiteOf([2, 2]);
    const ended = allPassing(contents).map(({ trial, result }) => ({
      trial: { ...trial, position: 0 },
      result,
    }));
    expect(passedOf(judge(contents, ended))).toEqual([false, false]);
    expect(resultsOf(contents, [7], { trials: [], problems: new Map() }, [])).toMatchObject([
      { position: 7, passed: false },
    ]);
  });

  test('tells the first input that failed, before any that was only not run', () => {
    const ended = allPassing(suiteOf([4])).map((each, run) => ({
      ...each,
      result: {
        outcome: run === 2 ? ('threw' as const) : ('not_run' as const),
        passed: false,
        message: `run ${run}`,
        durationMs: 0,
      },
    }));
    expect(judge(suiteOf([4]), ended)).toMatchObject([
      { outcome: 'threw', message: 'run 2', generated: { run: 2, runs: 4, input: '2' } },
    ]);
  });
});

test('a long input is told by its beginning', () => {
  expect(shownInput('short')).toBe('short');
  expect(shownInput('x'.repeat(5_000))).toBe(`${'x'.repeat(4_000)}…`);
});
