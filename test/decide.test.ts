/** The decision: `merge` needs all the evidence, and whatever is odd about it blocks. */
import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  block,
  blockReasons,
  type CaseResult,
  type Decision,
  decide,
  type SuiteScore,
} from '../gate/decide.ts';
import { outcomes } from '../runners/protocol.ts';

type Evidence = {
  required: string[];
  active: { suite: string; revision: number }[];
  scored: SuiteScore[];
};

function decideOn({ required, active, scored }: Evidence): Decision {
  return decide(required, active, scored);
}

const suiteName = fc.constantFrom('discounts', 'taxes', 'rounding', '__proto__', 'constructor', '');

/** A result that passes, whatever it is called and however long it took. */
function passing(position: number): fc.Arbitrary<CaseResult> {
  return fc.record({
    name: fc.string(),
    position: fc.constant(position),
    outcome: fc.constantFrom('returned', 'threw'),
    passed: fc.constant(true),
    message: fc.string(),
    durationMs: fc.double(),
  });
}

const greenScore = (suite: string): fc.Arbitrary<SuiteScore> =>
  fc
    // The positions of the cases in force; others of the revision have expired.
    .uniqueArray(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 5 })
    .map((positions) => positions.toSorted((one, other) => one - other))
    .chain((positions) =>
      fc.record({
        suite: fc.constant(suite),
        revision: fc.integer({ min: 1, max: 9 }),
        positions: fc.constant(positions),
        proving: fc.integer({ min: 1, max: positions.length }),
        results: fc.tuple(...positions.map(passing)),
      }),
    );

const green: fc.Arbitrary<Evidence> = fc
  .uniqueArray(suiteName, { minLength: 1, maxLength: 4 })
  .chain((required) => fc.tuple(...required.map(greenScore)))
  .chain((scored) => {
    const required = scored.map(({ suite }) => suite);
    const active = scored.map(({ suite, revision }) => ({ suite, revision }));
    return fc.record({
      required: shuffled(required),
      active: shuffled([...active, { suite: 'not-required', revision: 3 }]),
      scored: shuffled(scored),
    });
  });

function shuffled<Each>(items: Each[]): fc.Arbitrary<Each[]> {
  return fc.shuffledSubarray(items, { minLength: items.length });
}

/** Where in green evidence one thing is changed; taken modulo what is there. */
const where = fc.record({ suite: fc.nat(), result: fc.nat() });

/** The evidence with one of its scores replaced. */
function changeScore(
  evidence: Evidence,
  at: number,
  change: (score: SuiteScore) => SuiteScore | SuiteScore[],
): Evidence {
  const index = at % evidence.scored.length;
  return {
    ...evidence,
    scored: evidence.scored.flatMap((score, position) => (position === index ? change(score) : [score])),
  };
}

/** The evidence with one of its results replaced. */
function changeResult(
  evidence: Evidence,
  at: { suite: number; result: number },
  change: (result: CaseResult) => CaseResult | CaseResult[],
): Evidence {
  return changeScore(evidence, at.suite, (score) => ({
    ...score,
    results: score.results.flatMap((result, position) =>
      position === at.result % score.results.length ? change(result) : [result],
    ),
  }));
}

/** What was parsed wrongly or forged does not always have the type it claims. */
function claimed(fields: { [Field in keyof CaseResult]?: unknown }): Partial<CaseResult> {
  return JSON.parse(JSON.stringify(fields));
}

describe('green evidence', () => {
  test('merges', () => {
    fc.assert(
      fc.property(green, (evidence) => {
        const { verdict, canMerge, reason } = decideOn(evidence);
        expect({ verdict, canMerge, reason }).toEqual({ verdict: 'merge', canMerge: true, reason: 'green' });
      }),
    );
  });

  test('gives the same decision when asked again, and is left as it was', () => {
    fc.assert(
      fc.property(green, (evidence) => {
        const before = structuredClone(evidence);
        expect(decideOn(evidence)).toEqual(decideOn(evidence));
        expect(evidence).toEqual(before);
      }),
    );
  });
});

/** Every way to spoil green evidence by changing one thing. */
const mutations: Record<string, (evidence: Evidence, at: { suite: number; result: number }) => Evidence> = {
  'a result is missing': (evidence, at) => changeResult(evidence, at, () => []),
  'all results of a suite are missing': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, results: [] })),
  'a result is there twice': (evidence, at) => changeResult(evidence, at, (result) => [result, result]),
  'a result has taken the place of its neighbour': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => {
      const [first, ...others] = score.results;
      if (first === undefined || others.length === 0) return { ...score, results: [] };
      return { ...score, results: [first, first, ...others.slice(1)] };
    }),
  'results are out of sequence': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({
      ...score,
      results: score.results.length > 1 ? score.results.toReversed() : [],
    })),
  'there is a result too many': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => {
      const [first] = score.results;
      if (first === undefined) return score;
      return { ...score, results: [...score.results, { ...first, position: 10 }] };
    }),
  'there is a hole instead of a result': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => {
      const results = [...score.results];
      delete results[at.result % results.length];
      return { ...score, results };
    }),
  'a case failed': (evidence, at) => changeResult(evidence, at, (result) => ({ ...result, passed: false })),
  'whether a case passed is missing': (evidence, at) =>
    changeResult(evidence, at, ({ passed: _, ...result }) => absent(result)),
  'whether a case passed is null': (evidence, at) =>
    changeResult(evidence, at, (result) => ({ ...result, ...claimed({ passed: null }) })),
  'whether a case passed is 1': (evidence, at) =>
    changeResult(evidence, at, (result) => ({ ...result, ...claimed({ passed: 1 }) })),
  'whether a case passed is the text "true"': (evidence, at) =>
    changeResult(evidence, at, (result) => ({ ...result, ...claimed({ passed: 'true' }) })),
  'a position is NaN': (evidence, at) =>
    changeResult(evidence, at, (result) => ({ ...result, position: Number.NaN })),
  'a position is negative': (evidence, at) =>
    changeResult(evidence, at, (result) => ({ ...result, position: -1 - result.position })),
  'a position is between two cases': (evidence, at) =>
    changeResult(evidence, at, (result) => ({ ...result, position: result.position + 0.5 })),
  'a position is text': (evidence, at) =>
    changeResult(evidence, at, (result) => ({ ...result, ...claimed({ position: `${result.position}` }) })),
  'the suite has no case in force': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, positions: [], proving: 0, results: [] })),
  'no case is said to be in force, and some were scored': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, positions: [] })),
  'no case in force proves anything': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, proving: 0 })),
  'how many prove something is NaN': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, proving: Number.NaN })),
  'how many prove something is negative': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, proving: -score.proving })),
  'more prove something than are in force': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, proving: score.positions.length + 1 })),
  'a case is in force of which there is no result': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, positions: [...score.positions, 10] })),
  'there is a result of a case that is not in force': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, positions: score.positions.slice(1) })),
  'a case is in force twice': (evidence, at) =>
    changeScore(evidence, at.suite, ({ positions, results, ...score }) => ({
      ...score,
      positions: positions.flatMap((position) => [position, position]),
      results: results.flatMap((result) => [result, result]),
    })),
  'another revision was scored': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, revision: score.revision + 1 })),
  'the revision is NaN on both sides': (evidence, at) => {
    const spoilt = changeScore(evidence, at.suite, (score) => ({ ...score, revision: Number.NaN }));
    const suite = spoilt.scored[at.suite % spoilt.scored.length]?.suite;
    return {
      ...spoilt,
      active: spoilt.active.map((each) => (each.suite === suite ? { ...each, revision: Number.NaN } : each)),
    };
  },
  'a suite was not scored': (evidence, at) => changeScore(evidence, at.suite, () => []),
  'a suite was scored twice': (evidence, at) => changeScore(evidence, at.suite, (score) => [score, score]),
  'a suite was scored that is not required': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => [score, { ...score, suite: 'another' }]),
  'a suite was scored under another name': (evidence, at) =>
    changeScore(evidence, at.suite, (score) => ({ ...score, suite: `${score.suite} ` })),
  'a suite has no active revision': (evidence, at) => ({
    ...evidence,
    active: evidence.active.filter(
      ({ suite }) => suite !== evidence.required[at.suite % evidence.required.length],
    ),
  }),
  'a suite has two active revisions': (evidence, at) => ({
    ...evidence,
    active: [
      ...evidence.active,
      ...evidence.active.filter(
        ({ suite }) => suite === evidence.required[at.suite % evidence.required.length],
      ),
    ],
  }),
  'a suite is required that was not scored': (evidence) => ({
    ...evidence,
    required: [...evidence.required, 'not-required'],
  }),
  'a suite is required twice': (evidence) => ({
    ...evidence,
    required: [...evidence.required, ...evidence.required.slice(0, 1)],
  }),
  'a required suite is not asked for': (evidence) => ({ ...evidence, required: evidence.required.slice(1) }),
  'nothing is required': (evidence) => ({ ...evidence, required: [] }),
  'nothing is required and nothing was scored': () => ({ required: [], active: [], scored: [] }),
  'nothing was scored': (evidence) => ({ ...evidence, scored: [] }),
};

/** A result as something made it that left a field out. */
function absent(result: Omit<CaseResult, 'passed'>): CaseResult {
  return JSON.parse(JSON.stringify(result));
}

describe('blocks when', () => {
  test.each(Object.entries(mutations))('%s', (_, mutate) => {
    fc.assert(
      fc.property(green, where, (evidence, at) => {
        const decision = decideOn(mutate(evidence, at));
        expect(decision.verdict).toBe('block');
        expect(decision.canMerge).toBe(false);
        expect(blockReasons).toContain(decision.reason);
      }),
    );
  });

  test.each(outcomes.filter((outcome) => outcome !== 'returned' && outcome !== 'threw'))(
    'a case that is said to have passed ended as %s',
    (outcome) => {
      fc.assert(
        fc.property(green, where, (evidence, at) => {
          const spoilt = changeResult(evidence, at, (result) => ({ ...result, outcome }));
          expect(decideOn(spoilt)).toEqual(block('red'));
        }),
      );
    },
  );
});

describe('any evidence at all', () => {
  const oddNumber = fc.constantFrom(0, 1, 2, 3, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY);
  const anyEvidence: fc.Arbitrary<Evidence> = fc.record({
    required: fc.array(fc.constantFrom('a', 'b'), { maxLength: 3 }),
    active: fc.array(fc.record({ suite: fc.constantFrom('a', 'b'), revision: fc.constantFrom(1, 2) }), {
      maxLength: 3,
    }),
    scored: fc.array(
      fc.record({
        suite: fc.constantFrom('a', 'b'),
        revision: fc.constantFrom(1, 2),
        positions: fc.oneof(
          { weight: 4, arbitrary: fc.constant<number[]>([0]) },
          { weight: 1, arbitrary: fc.array(oddNumber, { maxLength: 2 }) },
        ),
        proving: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: oddNumber }),
        results: fc.array(
          fc.record({
            name: fc.constant('case'),
            position: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: oddNumber }),
            outcome: fc.oneof(
              { weight: 4, arbitrary: fc.constant('returned' as const) },
              { weight: 1, arbitrary: fc.constantFrom(...outcomes) },
            ),
            passed: fc.oneof(
              { weight: 4, arbitrary: fc.constant(true) },
              { weight: 1, arbitrary: fc.boolean() },
            ),
            message: fc.constant(''),
            durationMs: fc.constant(1),
          }),
          { minLength: 0, maxLength: 2 },
        ),
      }),
      { maxLength: 3 },
    ),
  });

  /** The rule, said another way than `decide` says it: by counting one passing result for each case's position. */
  function isGreen({ required, active, scored }: Evidence): boolean {
    const needed = new Set(required);
    return (
      needed.size > 0 &&
      needed.size === required.length &&
      scored.length === needed.size &&
      required.every((suite) => {
        const revisions = active.filter((each) => each.suite === suite).map(({ revision }) => revision);
        const scores = scored.filter((each) => each.suite === suite);
        return (
          revisions.length === 1 &&
          scores.length === 1 &&
          scores.every(
            ({ revision, positions, proving, results }) =>
              revisions.includes(revision) &&
              positions.every(
                (position, at) =>
                  position >= 0 &&
                  Number.isInteger(position) &&
                  (at === 0 || position > Number(positions[at - 1])),
              ) &&
              proving >= 1 &&
              positions.length >= proving &&
              results.length === positions.length &&
              positions.every((position, at) => {
                const result = results[at];
                return (
                  result !== undefined &&
                  result.position === position &&
                  result.passed &&
                  ['returned', 'threw'].includes(result.outcome)
                );
              }),
          )
        );
      })
    );
  }

  test('merges exactly when each required suite was scored once, in its active revision, with one pass per case', () => {
    fc.assert(
      fc.property(fc.oneof(anyEvidence, green), (evidence) => {
        expect(decideOn(evidence).verdict === 'merge').toBe(isGreen(evidence));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the type of a decision', () => {
  type Green = { readonly verdict: 'merge'; readonly canMerge: true; readonly reason: 'green' };

  test('admits no literal that says merge, so that no other module can make one', () => {
    expectTypeOf<Green>().not.toExtend<Decision>();
    expectTypeOf<{ verdict: 'merge'; canMerge: false; reason: 'green' }>().not.toExtend<Decision>();
    expectTypeOf<{ verdict: 'merge'; canMerge: true; reason: 'indeterminate' }>().not.toExtend<Decision>();
  });

  test('admits no error, nothing missing and no copy of a merge', () => {
    type Merge = Extract<Decision, { verdict: 'merge' }>;
    expectTypeOf<Error>().not.toExtend<Decision>();
    expectTypeOf<undefined>().not.toExtend<Decision>();
    expectTypeOf<Omit<Merge, never>>().not.toExtend<Decision>();
    expectTypeOf<Merge>().toExtend<Green>();
  });

  test('lets a reason other than green only block', () => {
    expectTypeOf(block).returns.toExtend<Decision>();
    expectTypeOf(block).returns.toHaveProperty('canMerge').toEqualTypeOf<false>();
    expectTypeOf<'green'>().not.toExtend<Parameters<typeof block>[0]>();
    for (const reason of blockReasons) {
      expect(block(reason)).toEqual({ verdict: 'block', canMerge: false, reason });
    }
  });
});
