/** What a bucket of a trend is called: in full in tables, short on an axis. All in UTC, as the buckets are. Pure. */
import type { TrendBucket } from '../../gate/trends/trend.ts';

const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const month = new Intl.DateTimeFormat('en-GB', { month: 'short', timeZone: 'UTC' });
const hour = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: 'UTC' });

/** `12 Nov 2026`, with the hour where buckets are hours; `Week of 9 Nov 2026`; `Nov 2026`. */
export function bucketName(begin: Date, bucket: TrendBucket): string {
  const year = begin.getUTCFullYear();
  switch (bucket) {
    case 'hour':
      return `${day.format(begin)} ${year}, ${hour.format(begin)} UTC`;
    case 'day':
      return `${day.format(begin)} ${year}`;
    case 'week':
      return `Week of ${day.format(begin)} ${year}`;
    case 'month':
      return `${month.format(begin)} ${year}`;
  }
}

/** As short as an axis has room for: what is larger is said where it begins. */
export function bucketTick(begin: Date, bucket: TrendBucket): string {
  switch (bucket) {
    case 'hour':
      return begin.getUTCHours() === 0 ? day.format(begin) : hour.format(begin);
    case 'day':
    case 'week':
      return day.format(begin);
    case 'month':
      return begin.getUTCMonth() === 0 ? `${begin.getUTCFullYear()}` : month.format(begin);
  }
}
