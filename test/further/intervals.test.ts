/** The intervals around rates and gaps, against values that were published, and in what must hold of every one. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gapOf, newcombe } from '../../gate/trends/newcombe.ts';
import { rateOf, wilson } from '../../gate/trends/wilson.ts';

/** So many of so many. */
const rates = fc
  .integer({ min: 0, max: 5_000 })
  .chain((of) => fc.tuple(fc.integer({ min: 0, max: of }), fc.constant(of)));
const count = fc.integer({ min: 0, max: 500 });
const pairs = fc.record({ both: count, firstOnly: count, secondOnly: count, neither: count });

describe("Wilson's interval", () => {
  // R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I, method 3.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('of %i of %i is as published', (passed, of, low, high) => {
    expect(wilson(passed, of).low).toBeCloseTo(low, 4);
    expect(wilson(passed, of).high).toBeCloseTo(high, 4);
  });

  test('lies within 0 and 1, around the rate, and is everything where nothing is known', () => {
    fc.assert(
      fc.property(rates, ([passed, of]) => {
        const { rate, low, high } = rateOf(passed, of);
        expect(0 <= low && low <= high && high <= 1).toBe(true);
        if (rate === null) expect([of, low, high]).toEqual([0, 0, 1]);
        else expect(low <= rate && rate <= high && low < high).toBe(true);
      }),
    );
  });

  test('solves the equation that defines it', () => {
    const z = 1.959963984540054;
    fc.assert(
      fc.property(rates, ([passed, of]) => {
        fc.pre(of > 0);
        for (const bound of Object.values(wilson(passed, of))) {
          // |rate − bound| = z · √(bound · (1 − bound) / n)
          const left = Math.abs(passed / of - bound);
          expect(left).toBeCloseTo(z * Math.sqrt((bound * (1 - bound)) / of), 9);
        }
      }),
    );
  });

  test('of failures mirrors that of passes, and is the narrower the more is known', () => {
    fc.assert(
      fc.property(rates, ([passed, of]) => {
        fc.pre(of > 0);
        const [interval, mirrored] = [wilson(passed, of), wilson(of - passed, of)];
        expect(mirrored.low).toBeCloseTo(1 - interval.high, 12);
        const more = wilson(10 * passed, 10 * of);
        expect(more.high - more.low).toBeLessThan(interval.high - interval.low);
      }),
    );
  });
});

describe("Newcombe's interval of a paired difference", () => {
  // M. W. Fagerland, S. Lydersen, P. Laake, Statistical Analysis of Contingency Tables (2017), chapter 8, and their article in
  // Statistics in Medicine 33 (2014): Cavo et al. 2012, Bentur et al. 2009.
  test.each([
    [{ both: 59, firstOnly: 6, secondOnly: 16, neither: 80 }, -0.0621, -0.1186, -0.0046],
    [{ both: 1, firstOnly: 1, secondOnly: 7, neither: 12 }, -0.2857, -0.5069, -0.0256],
  ])('of %o is as published', (paired, gap, low, high) => {
    expect(gapOf(paired).gap).toBeCloseTo(gap, 4);
    expect(newcombe(paired).low).toBeCloseTo(low, 4);
    expect(newcombe(paired).high).toBeCloseTo(high, 4);
  });

  test('lies within −1 and 1, around the difference, and is everything where nothing is known', () => {
    fc.assert(
      fc.property(pairs, (paired) => {
        const { gap, low, high, visible, holdback } = gapOf(paired);
        expect(-1 <= low && low <= high && high <= 1).toBe(true);
        expect(gap === null).toBe(visible.of === 0);
        if (gap === null) {
          expect([low, high]).toEqual([-1, 1]);
          return;
        }
        expect(low - 1e-12 <= gap && gap <= high + 1e-12).toBe(true);
        expect(gap).toBeCloseTo((visible.rate ?? 0) - (holdback.rate ?? 0), 12);
      }),
    );
  });

  test('of the second minus the first is the same with the signs turned', () => {
    fc.assert(
      fc.property(pairs, (paired) => {
        const turned = newcombe({ ...paired, firstOnly: paired.secondOnly, secondOnly: paired.firstOnly });
        expect(turned.low).toBeCloseTo(-newcombe(paired).high, 12);
        expect(turned.high).toBeCloseTo(-newcombe(paired).low, 12);
      }),
    );
  });
});
