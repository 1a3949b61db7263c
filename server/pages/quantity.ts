/** Figures as people read them: a few digits, a unit, and the interval beside the rate. Pure. */

/** What a figure counts: a share of 1, a difference of two shares, milliseconds, things, or bits. */
export type Unit = 'share' | 'points' | 'ms' | 'count' | 'bits';

/** What separates a number from its unit, and is never broken over two lines. */
const nbsp = '\u00a0';
const minus = '\u2212';

/** A figure with its unit, such as `71.2 %`, `+3.4 pp`, `4.2 s`, `12.3k`; a dash where there is none. */
export function quantity(unit: Unit, value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '–';
  switch (unit) {
    case 'share':
      return `${percentDigits(value)}${nbsp}%`;
    case 'points':
      return `${signed(value)}${nbsp}pp`;
    case 'ms':
      return duration(value);
    case 'count':
      return amount(value);
    case 'bits':
      return `${amount(value)}${nbsp}bits`;
  }
}

/** Two bounds with one unit, such as `68.4–73.9 %`. */
export function bounds(unit: Unit, low: number, high: number): string {
  switch (unit) {
    case 'share':
      return `${percentDigits(low)}–${percentDigits(high)}${nbsp}%`;
    case 'points':
      return `${signed(low)} to ${signed(high)}${nbsp}pp`;
    default:
      return `${quantity(unit, low)} to ${quantity(unit, high)}`;
  }
}

function percentDigits(share: number): string {
  return oneDecimal(share * 100);
}

function signed(share: number): string {
  const text = oneDecimal(Math.abs(share) * 100);
  if (Number(text) === 0) return '0';
  return `${share < 0 ? minus : '+'}${text}`;
}

/** One decimal, and none where it would be 0. */
function oneDecimal(value: number): string {
  const rounded = Math.round(value * 10) / 10;
  return rounded === 0 ? '0' : `${rounded}`;
}

function amount(value: number): string {
  if (Math.abs(value) < 10) return `${Math.round(value * 100) / 100}`;
  if (Math.abs(value) < 100) return oneDecimal(value);
  if (Math.abs(value) < 10_000) return Math.round(value).toLocaleString('en');
  return Math.abs(value) < 1_000_000 ? `${oneDecimal(value / 1_000)}k` : `${oneDecimal(value / 1_000_000)}M`;
}

/** Each unit of time, and up to how much of it is told in it, in milliseconds. */
const times: [name: string, ms: number, below: number][] = [
  ['ms', 1, 1_000],
  ['s', 1_000, 120_000],
  ['min', 60_000, 7_200_000],
  ['h', 3_600_000, 172_800_000],
  ['d', 86_400_000, Number.POSITIVE_INFINITY],
];

/** In which unit a length of time is told, in milliseconds: an axis has its steps in whole ones. */
export function durationUnitMs(ms: number): number {
  return times.find(([, , below]) => Math.abs(ms) < below)?.[1] ?? 1;
}

function duration(ms: number): string {
  const [name, unitMs] = times.find(([, , below]) => Math.abs(ms) < below) ?? ['ms', 1];
  const value = ms / unitMs;
  return `${Math.abs(value) < 10 && name !== 'ms' ? oneDecimal(value) : amount(Math.round(value))}${nbsp}${name}`;
}
