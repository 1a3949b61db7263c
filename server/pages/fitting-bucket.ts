/** In which buckets a picture shows a period unless somebody says: in as many as make a line that can be read. Pure. */
import type { TrendBucket } from '../../gate/trends/trend.ts';

const dayMs = 86_400_000;

/** Up to how many days are shown in buckets of a kind: few enough points for a line, and fewer of several lines. */
const spans: [bucket: TrendBucket, daysMax: number, daysMaxSplit: number][] = [
  ['hour', 3, 2],
  ['day', 45, 14],
  ['week', 400, 200],
  ['month', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
];

/** The bucket for a period of this length, in milliseconds, of one line or of several. */
export function fittingBucket(spanMs: number, isSplit: boolean): TrendBucket {
  const fitting = spans.find(([, max, maxSplit]) => spanMs <= (isSplit ? maxSplit : max) * dayMs);
  return fitting?.[0] ?? 'month';
}
