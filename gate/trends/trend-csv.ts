/** A trend as CSV (RFC 4180): a row for each bucket of each series, for spreadsheets and notebooks. Pure. */
import type { Figures, Trend } from './trend.ts';

type Cell = string | number | null;

/** What each column says of a bucket, in the order of the columns. */
const columns: Record<string, (figures: Figures) => Cell> = {
  settled: ({ settled }) => settled,
  passed: ({ passRate }) => passRate.count,
  pass_rate: ({ passRate }) => passRate.rate,
  pass_rate_low: ({ passRate }) => passRate.low,
  pass_rate_high: ({ passRate }) => passRate.high,
  first_attempts: ({ firstAttemptPassRate }) => firstAttemptPassRate.of,
  first_attempts_passed: ({ firstAttemptPassRate }) => firstAttemptPassRate.count,
  first_attempt_pass_rate: ({ firstAttemptPassRate }) => firstAttemptPassRate.rate,
  first_attempt_pass_rate_low: ({ firstAttemptPassRate }) => firstAttemptPassRate.low,
  first_attempt_pass_rate_high: ({ firstAttemptPassRate }) => firstAttemptPassRate.high,
  greens: ({ attemptsToGreen }) => attemptsToGreen.count,
  attempts_to_green_mean: ({ attemptsToGreen }) => attemptsToGreen.mean,
  attempts_to_green_p50: ({ attemptsToGreen }) => attemptsToGreen.p50,
  time_to_green_ms_p50: ({ timeToGreenMs }) => timeToGreenMs.p50,
  latency_ms_p50: ({ latencyMs }) => latencyMs.p50,
  latency_ms_p95: ({ latencyMs }) => latencyMs.p95,
  exposure_bits: ({ exposureBits }) => exposureBits,
  escapes: ({ escapes }) => escapes,
  visible_known: ({ gap }) => gap.visible.of,
  visible_passed: ({ gap }) => gap.visible.count,
  visible_pass_rate: ({ gap }) => gap.visible.rate,
  holdback_passed_of_these: ({ gap }) => gap.holdback.count,
  holdback_pass_rate_of_these: ({ gap }) => gap.holdback.rate,
  gap: ({ gap }) => gap.gap,
  gap_low: ({ gap }) => gap.low,
  gap_high: ({ gap }) => gap.high,
};

/** The trend as CSV with a line of headings; what is not known is an empty cell. */
export function csvOfTrend({ gate, suite, by, bucket, series }: Trend): string {
  const head = [
    gate === null ? 'suite' : 'gate',
    'series',
    by ?? 'name',
    'bucket',
    'from',
    ...Object.keys(columns),
  ];
  const rows = series.flatMap(({ kind, name, buckets }) =>
    buckets.map(({ from, ...figures }) => [
      gate ?? suite,
      kind,
      name,
      bucket,
      from,
      ...Object.values(columns).map((cell) => cell(figures)),
    ]),
  );
  return [head, ...rows].map((row) => `${row.map(cellOf).join()}\r\n`).join('');
}

/** Controls, and what separates lines: no name needs them, and a terminal or a spreadsheet obeys them. */
const controls = /[\p{Cc}\p{Zl}\p{Zp}]/gu;

/**
 * What a spreadsheet takes for a formula, where it may take a cell to begin: which signs end one depends on the reader's country, and
 * then quotes count for nothing (see OWASP on CSV injection).
 */
const formulas = /(^|[,;|])(\s*)(?=[=+\-@＝＋－＠])/g;

/** One cell. Agents name themselves: what would be a formula is made a text by an apostrophe before it. */
function cellOf(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return `${cell}`;
  const text = cell
    .replace(controls, (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`)
    .replace(formulas, "$1$2'");
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
