/** From when until when a trend is, and its buckets: calendars of UTC, so that no day has 23 hours. Pure. */
import { GateError } from '../errors.ts';
import { comparedBucketsMax, type TrendBucket, type TrendQuestion, trendBucketsMax } from './trend.ts';

/** The period is [from, to): what happened at `to` is not in it. */
export type TrendPeriod = { from: Date; to: Date; bucket: TrendBucket };

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A trend is of so many days unless it is said. The last is one of them, however much of it has come. */
const daysDefault = 30;

/** A period of at most so long is shown in these buckets unless it is said. */
const spansMs: [TrendBucket, number][] = [
  ['hour', 3 * dayMs],
  ['day', 120 * dayMs],
  ['week', 800 * dayMs],
  ['month', Number.POSITIVE_INFINITY],
];

/** What is asked for, with what was left out. Throws `trend_unfit` for a period that is empty, or has too many buckets. */
export function periodOf(
  asked: Pick<TrendQuestion, 'from' | 'to' | 'bucket' | 'by'>,
  now: Date,
): TrendPeriod {
  // What was requested just now is in it.
  const to = asked.to === undefined ? new Date(now.getTime() + 1) : new Date(asked.to);
  const lastDay = beginOf(new Date(to.getTime() - 1), 'day');
  const earliest =
    asked.from === undefined ? new Date(lastDay.getTime() - (daysDefault - 1) * dayMs) : new Date(asked.from);
  if (earliest >= to)
    throw new GateError('trend_unfit', 'the period is empty: `from` has to lie before `to`');
  const span = to.getTime() - earliest.getTime();
  const bucket = asked.bucket ?? spansMs.find(([, atMost]) => span <= atMost)?.[0] ?? 'month';
  // If nobody says when it begins, it begins with a whole bucket.
  const from = asked.from === undefined ? beginOf(earliest, bucket) : earliest;
  requireFew({ from, to, bucket }, asked.by === undefined ? trendBucketsMax : comparedBucketsMax);
  return { from, to, bucket };
}

/** When a bucket begins, and the part of it that is in the period: [from, to). */
export type Bucket = { begin: Date; from: Date; to: Date };

/** The buckets of a period, in their order. */
export function bucketsOf({ from, to, bucket }: TrendPeriod): Bucket[] {
  const buckets: Bucket[] = [];
  for (let begin = beginOf(from, bucket); begin < to; begin = nextOf(begin, bucket)) {
    const next = nextOf(begin, bucket);
    buckets.push({ begin, from: begin < from ? from : begin, to: next > to ? to : next });
  }
  return buckets;
}

function requireFew({ from, to, bucket }: TrendPeriod, most: number): void {
  const leastMs = { hour: hourMs, day: dayMs, week: 7 * dayMs, month: 31 * dayMs }[bucket];
  // Counted roughly first: a period of millennia has more hours than anybody wants to list.
  const roughly = (to.getTime() - from.getTime()) / leastMs;
  const count = roughly > most ? Math.ceil(roughly) : bucketsOf({ from, to, bucket }).length;
  if (count <= most) return;
  throw new GateError(
    'trend_unfit',
    `the period has ${count.toLocaleString('en')} buckets of ${bucket === 'hour' ? 'an' : 'a'} ${bucket}, and ${most} are answered at most: ask for longer buckets or a shorter period`,
  );
}

/** The beginning of the bucket that a moment is in. */
export function beginOf(moment: Date, bucket: TrendBucket): Date {
  const [year, month, day] = [moment.getUTCFullYear(), moment.getUTCMonth(), moment.getUTCDate()];
  switch (bucket) {
    case 'hour':
      return new Date(Math.floor(moment.getTime() / hourMs) * hourMs);
    case 'day':
      return new Date(Date.UTC(year, month, day));
    case 'week':
      // Weeks begin on Monday (ISO 8601).
      return new Date(Date.UTC(year, month, day - ((moment.getUTCDay() + 6) % 7)));
    case 'month':
      return new Date(Date.UTC(year, month, 1));
  }
}

function nextOf(begin: Date, bucket: TrendBucket): Date {
  if (bucket === 'month') return new Date(Date.UTC(begin.getUTCFullYear(), begin.getUTCMonth() + 1, 1));
  return new Date(begin.getTime() + { hour: hourMs, day: dayMs, week: 7 * dayMs }[bucket]);
}
