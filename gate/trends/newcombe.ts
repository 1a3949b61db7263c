/**
 * Between which bounds the true difference of two rates lies that were seen on the same things: the interval of R. G. Newcombe
 * (Improved confidence intervals for the difference between binomial proportions based on paired data, Statistics in Medicine 17, 1998,
 * method 10), which combines two Wilson intervals and heeds that what passes the one tends to pass the other. Pure.
 */
import type { Gap } from './trend.ts';
import { type Interval, rateOf, wilson } from './wilson.ts';

/** How often each of two things was so, and how often both or neither, of the same attempts. */
export type Paired = { both: number; firstOnly: number; secondOnly: number; neither: number };

/** The 95 % interval of the first rate minus the second; of nothing, nothing is known. */
export function newcombe(paired: Paired): Interval {
  const { both, firstOnly, secondOnly, neither } = paired;
  const of = both + firstOnly + secondOnly + neither;
  if (of === 0) return { low: -1, high: 1 };
  const [first, second] = [both + firstOnly, both + secondOnly];
  const [a, b] = [wilson(first, of), wilson(second, of)];
  const [rateA, rateB] = [first / of, second / of];
  const phi = correlation(paired);
  const squareAndAdd = (x: number, y: number) => Math.sqrt(Math.max(0, x ** 2 - 2 * phi * x * y + y ** 2));
  return {
    low: Math.max(-1, rateA - rateB - squareAndAdd(rateA - a.low, b.high - rateB)),
    high: Math.min(1, rateA - rateB + squareAndAdd(a.high - rateA, rateB - b.low)),
  };
}

/** How much the two go together, with Newcombe's correction for continuity where they do. */
function correlation({ both, firstOnly, secondOnly, neither }: Paired): number {
  const of = both + firstOnly + secondOnly + neither;
  const product = (both + firstOnly) * (secondOnly + neither) * (both + secondOnly) * (firstOnly + neither);
  if (product === 0) return 0;
  const together = both * neither - firstOnly * secondOnly;
  return (together > 0 ? Math.max(together - of / 2, 0) : together) / Math.sqrt(product);
}

/** By how much more often the visible tests pass than the holdback cases, of the attempts of which both are known. */
export function gapOf(paired: Paired): Gap {
  const { both, firstOnly, secondOnly, neither } = paired;
  const of = both + firstOnly + secondOnly + neither;
  return {
    visible: rateOf(both + firstOnly, of),
    holdback: rateOf(both + secondOnly, of),
    gap: of === 0 ? null : (firstOnly - secondOnly) / of,
    ...newcombe(paired),
  };
}
