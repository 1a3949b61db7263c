/** Trends as people read them: a row for each bucket, or for each of those that are compared. */
import {
  type CaseTrends,
  type Figures,
  neverFailingRunsMin,
  type Rate,
  type Trend,
  type TrendBucket,
  type TrendSeries,
} from '../../gate/trends/trend.ts';
import { clip, printable } from '../printable.ts';
import { numbered } from './wording.ts';

const columns: [string, (figures: Figures) => string][] = [
  ['settled', ({ settled }) => `${settled}`],
  ['pass rate', ({ passRate }) => rateText(passRate)],
  ['at first', ({ firstAttemptPassRate }) => rateText(firstAttemptPassRate)],
  ['tries', ({ attemptsToGreen }) => attemptsToGreen.mean?.toFixed(1) ?? '–'],
  ['to green', ({ timeToGreenMs }) => spanText(timeToGreenMs.p50)],
  ['p50', ({ latencyMs }) => spanText(latencyMs.p50)],
  ['p95', ({ latencyMs }) => spanText(latencyMs.p95)],
  ['bits', ({ exposureBits }) => exposureBits.toFixed(1)],
  ['escapes', ({ escapes }) => `${escapes}`],
  [
    'gap',
    ({ gap: { gap, low, high } }) =>
      gap === null ? '–' : `${points(gap)} (${points(low)} to ${points(high)})`,
  ],
];

/** A name may take so much of a line, in characters. */
const nameMax = 30;

export function textOfTrend(trend: Trend): string {
  const { gate, suite, from, to, bucket, by, series } = trend;
  const about = `${gate === null ? 'suite' : 'gate'} ${gate ?? suite}, ${from.slice(0, 16)} to ${to.slice(0, 16)} UTC`;
  if (series.every(({ total }) => total.settled === 0)) return `${about}: nothing was settled`;
  const [first] = series;
  const rows =
    by !== null || first === undefined
      ? series.map((each) => [nameOf(each), ...cells(each.total)])
      : [
          ...sinceFirst(first.buckets).map(({ from: begin, ...figures }) => [
            bucketText(begin, bucket),
            ...cells(figures),
          ]),
          ['in all', ...cells(first.total)],
        ];
  return [about, ...tableOf([by ?? bucket, ...columns.map(([head]) => head)], rows)].join('\n');
}

/** Without the buckets before the first in which something was settled or charged: a new gate has many. */
function sinceFirst(buckets: TrendSeries['buckets']): TrendSeries['buckets'] {
  return buckets.slice(
    Math.max(
      0,
      buckets.findIndex(({ settled, exposureBits }) => settled > 0 || exposureBits > 0),
    ),
  );
}

export function textOfCaseTrends({ suite, revision, cases, ...told }: CaseTrends): string {
  const called = ({ position, name }: { position: number; name?: string | undefined }) =>
    printable(name === undefined ? `case ${position}` : JSON.stringify(name));
  const flaky = told.flaky.map(
    (each) =>
      `  ${called(each)}: came out otherwise ${numbered(each.flips, 'time')}, of ${numbered(each.runs, 'run')}`,
  );
  const never = told.neverFailing.map((each) => `  ${called(each)}: ${numbered(each.runs, 'run')}`);
  return [
    `suite ${suite}, revision ${revision}, ${numbered(cases, 'case')} in force`,
    `flaky: ${told.flakyCount === 0 ? 'none' : told.flakyCount}`,
    ...withRest(flaky, told.flakyCount),
    `never failed in ${neverFailingRunsMin} runs or more: ${told.neverFailingCount === 0 ? 'none' : told.neverFailingCount}`,
    ...withRest(never, told.neverFailingCount),
  ].join('\n');
}

function withRest(rows: string[], count: number): string[] {
  return count > rows.length ? [...rows, `  and ${count - rows.length} more`] : rows;
}

function cells(figures: Figures): string[] {
  return columns.map(([, cell]) => cell(figures));
}

/** Lines with columns as wide as they have to be; numbers end below each other. */
function tableOf(head: string[], rows: string[][]): string[] {
  const widths = head.map((_, index) =>
    Math.max(...[head, ...rows].map((row) => [...(row[index] ?? '')].length)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, index) => {
        const fill = ' '.repeat(Math.max(0, (widths[index] ?? 0) - [...cell].length));
        return index === 0 ? `${cell}${fill}` : `${fill}${cell}`;
      })
      .join('  ')
      .trimEnd(),
  );
}

function nameOf({ kind, name }: TrendSeries): string {
  if (kind === 'named') return clip(printable(name ?? ''), nameMax);
  return { all: 'in all', unnamed: '(none named)', others: '(others)' }[kind];
}

function bucketText(begin: string, bucket: TrendBucket): string {
  return {
    hour: `${begin.slice(0, 10)} ${begin.slice(11, 16)}`,
    day: begin.slice(0, 10),
    week: begin.slice(0, 10),
    month: begin.slice(0, 7),
  }[bucket];
}

function rateText({ rate, low, high }: Rate): string {
  const whole = (share: number) => `${Math.round(share * 100)}`;
  return rate === null ? '–' : `${whole(rate)}% (${whole(low)}–${whole(high)})`;
}

function points(difference: number): string {
  const rounded = Math.round(difference * 100);
  return rounded > 0 ? `+${rounded}` : `${rounded}`;
}

/** A time in milliseconds, in the unit that suits it. */
function spanText(ms: number | null): string {
  if (ms === null) return '–';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
