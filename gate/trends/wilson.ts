/**
 * Between which bounds the true rate lies that so many of so many come from: Wilson's score interval (E. B. Wilson, Probable inference,
 * the law of succession, and statistical inference, JASA 22, 1927). It stays within 0 and 1, and holds for few counts as well. Pure.
 */
import type { Rate } from './trend.ts';

/** The two-sided 95 % quantile of the normal distribution. */
const z = 1.959963984540054;

export type Interval = { low: number; high: number };

/** The 95 % interval of `count` of `of`, both whole numbers; of nothing, nothing is known. */
export function wilson(count: number, of: number): Interval {
  if (of === 0) return { low: 0, high: 1 };
  const rate = count / of;
  const centre = (count + z ** 2 / 2) / (of + z ** 2);
  const half = (z * Math.sqrt(of * rate * (1 - rate) + z ** 2 / 4)) / (of + z ** 2);
  // The bounds at none and at all are exact; without this, they would miss by a rounding.
  return {
    low: count === 0 ? 0 : Math.max(0, centre - half),
    high: count === of ? 1 : Math.min(1, centre + half),
  };
}

/** So many of so many, with the interval. */
export function rateOf(count: number, of: number): Rate {
  return { count, of, rate: of === 0 ? null : count / of, ...wilson(count, of) };
}
