/** What a bucket of a trend is called: in full in tables, short on an axis. All in UTC, as the buckets are. Pure. */
import type { TrendBucket } from '../../gate/trends/trend.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `12 Nov 2026`, with the hour where buckets are hours; `Week of 9 Nov 2026`; `Nov 2026`. */
export function bucketName(begin: Date, bucket: TrendBucket): string {
  const year = begin.getUTCFullYear();
  switch (bucket) {
    case 'hour':
      return `${dayOf(begin)} ${year}, ${hourOf(begin)} UTC`;
    case 'day':
      return `${dayOf(begin)} ${year}`;
    case 'week':
      return `Week of ${dayOf(begin)} ${year}`;
    case 'month':
      return `${monthOf(begin)} ${year}`;
  }
}

/** As short as an axis has room for: what is larger is said where it begins. */
export function bucketTick(begin: Date, bucket: TrendBucket): string {
  switch (bucket) {
    case 'hour':
      return begin.getUTCHours() === 0 ? dayOf(begin) : hourOf(begin);
    case 'day':
    case 'week':
      return dayOf(begin);
    case 'month':
      return begin.getUTCMonth() === 0 ? `${begin.getUTCFullYear()}` : monthOf(begin);
  }
}

function dayOf(begin: Date): string {
  return `${begin.getUTCDate()} ${monthOf(begin)}`;
}

function monthOf(begin: Date): string {
  return months[begin.getUTCMonth()] ?? '';
}

function hourOf(begin: Date): string {
  return `${begin.toISOString().slice(11, 13)}:00`;
}
