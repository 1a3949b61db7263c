/** A line of the bench's table: what was measured, against what, and whether the bound that the project holds itself to holds. */

export type Bound = { most: number } | { least: number } | undefined;

export type Row = {
  what: string;
  ours: string;
  theirs: string;
  ratio: string;
  bound: string;
  holds: string;
};

/** Ours against theirs, by the medians, both in milliseconds. With `least` the ratio is how many times faster ours is. */
export function compare(what: string, ours: number[], theirs: number[], bound: Bound): Row {
  const [our, their] = [median(ours), median(theirs)];
  const ratio = bound !== undefined && 'least' in bound ? their / our : our / their;
  return {
    ...{
      what,
      ours: `${our.toFixed(1)} ms`,
      theirs: `${their.toFixed(1)} ms`,
      ratio: `${ratio.toFixed(2)} ×`,
    },
    ...judged(ratio, bound, ' ×'),
  };
}

/** One figure by itself, in a unit. */
export function figure(what: string, measured: number, unit: string, bound: Bound): Row {
  const ours = `${measured.toFixed(1)}${unit}`;
  return { what, ours, theirs: '', ratio: '', ...judged(measured, bound, unit) };
}

/** Two figures of which only their ratio has a bound, in a unit. */
export function share(what: string, ours: number, theirs: number, unit: string, bound: Bound): Row {
  const ratio = ours / theirs;
  const told = { ours: `${ours.toFixed(1)}${unit}`, theirs: `${theirs.toFixed(1)}${unit}` };
  return { what, ...told, ratio: `${ratio.toFixed(2)} ×`, ...judged(ratio, bound, ' ×') };
}

/** What is not a number holds nothing. */
function judged(measured: number, bound: Bound, unit: string): Pick<Row, 'bound' | 'holds'> {
  if (bound === undefined) return { bound: 'none', holds: '' };
  const holds = 'most' in bound ? measured <= bound.most : measured >= bound.least;
  const told = 'most' in bound ? `≤ ${bound.most}` : `≥ ${bound.least}`;
  return { bound: `${told}${unit}`, holds: holds ? 'yes' : 'NO' };
}

export function median(numbers: number[]): number {
  return quantile(numbers, 0.5);
}

/** The number below which this share of them lies; NaN of none. */
export function quantile(numbers: number[], part: number): number {
  return numbers.toSorted((one, other) => one - other)[Math.ceil(numbers.length * part) - 1] ?? Number.NaN;
}
