/** Which pictures are drawn of a trend, and what each says in words and in the table behind it. Pure. */
import type { Figures, Gap, Rate, Trend, TrendSeries } from '../../gate/trends/trend.ts';
import type { ChartFigure } from './chart-figure.ts';
import type { ChartPoint } from './line-chart.ts';
import { bounds, quantity, type Unit } from './quantity.ts';

/** So many series are drawn at first: more lines than this are a knot. */
const shownMax = 4;

/** A line or bars of a picture: what it is called, and what each bucket says. */
type Column = { name: string; buckets: Figures[]; read: (figures: Figures) => Reading };
type Reading = ChartPoint & { text: string };

/** The pictures over time: of each series that was asked for, but for what is no agent's doing. */
export function trendCharts(total: Trend, split: Trend | null): ChartFigure[] {
  const shown = split ?? total;
  const all = total.series[0]?.buckets ?? [];
  const each = (read: Column['read']) =>
    shown.series.map((series) => ({ name: seriesName(series), buckets: series.buckets, read }));
  const one = (name: string, read: Column['read']) => ({ name, buckets: all, read });
  const figure = (
    id: string,
    unit: Unit,
    columns: Column[],
    words: Pick<ChartFigure, 'title' | 'about'> & {
      marks?: 'bars';
      empty?: ChartFigure['empty'];
      isEmptyAtZero?: boolean;
    },
  ): ChartFigure => ({
    id,
    unit,
    marks: 'line',
    bucket: total.bucket,
    begins: total.series[0]?.buckets.map(({ from }) => new Date(from)) ?? [],
    end: new Date(total.to),
    shownMax,
    series: columns.map(({ name, buckets, read }) => ({ name, readings: buckets.map(read) })),
    ...words,
  });
  return [
    figure(
      'pass-rate',
      'share',
      each(({ passRate }) => rateReading(passRate)),
      {
        title: 'Pass rate',
        about: 'The share of settled attempts that are green, with 95 % intervals.',
      },
    ),
    figure(
      'gap',
      'points',
      each(({ gap }) => gapReading(gap)),
      {
        title: 'Generalisation gap',
        about:
          'By how much more often the visible tests pass than the holdback cases of the same attempts. Above zero, builds fit the visible tests.',
        empty: {
          title: 'No attempt has sent its visible tests',
          text: 'With what CI saw of the visible tests, this shows who fits them instead of solving the task.',
          command: 'holdback score … --visible-tests junit.xml',
        },
      },
    ),
    figure(
      'first-attempts',
      'share',
      each(({ firstAttemptPassRate }) => rateReading(firstAttemptPassRate)),
      {
        title: 'First-attempt pass rate',
        about:
          'Of the attempts that were the first of their change: nothing had been learnt from a verdict yet.',
      },
    ),
    figure('attempts-to-green', 'count', each(attemptsReading), {
      title: 'Attempts to green',
      about: 'How many attempts a change took until it was green, on average.',
    }),
    figure('time-to-green', 'ms', each(timeReading), {
      title: 'Time to green',
      about: 'From the first attempt of a change to its first green verdict: the median.',
    }),
    figure(
      'latency',
      'ms',
      [
        one('median', ({ latencyMs }) => latencyReading(latencyMs.p50, latencyMs.count)),
        one('95th percentile', ({ latencyMs }) => latencyReading(latencyMs.p95, latencyMs.count)),
      ],
      { title: 'Verdict latency', about: 'From the request to the verdict, of all attempts.' },
    ),
    figure(
      'exposure',
      'bits',
      [
        one('exposure', ({ exposureBits }) => ({
          value: exposureBits,
          text: quantity('bits', exposureBits),
        })),
      ],
      {
        title: 'Exposure spent',
        about: 'How many bits the verdicts may have taught about each case.',
        marks: 'bars',
      },
    ),
    figure(
      'escapes',
      'count',
      [one('escapes', ({ escapes }) => ({ value: escapes, text: quantity('count', escapes) }))],
      {
        title: 'Escapes',
        about: 'Attempts that got past and of which a bug is known by now, by when they were requested.',
        marks: 'bars',
        isEmptyAtZero: true,
        empty: {
          title: 'None is known',
          text: 'No bug was recorded against a build that got past in this period.',
        },
      },
    ),
  ];
}

/** What a series is called. */
export function seriesName({ kind, name }: Pick<TrendSeries, 'kind' | 'name'>): string {
  return { all: 'all attempts', named: name ?? '', unnamed: 'not named', others: 'all others' }[kind];
}

function rateReading({ rate, low, high, of }: Rate): Reading {
  if (rate === null) return { value: null, text: '–' };
  const text = `${quantity('share', rate)} (${bounds('share', low, high)}) of ${quantity('count', of)}`;
  return { value: rate, low, high, text };
}

function gapReading({ gap, low, high, visible }: Gap): Reading {
  if (gap === null) return { value: null, text: '–' };
  const text = `${quantity('points', gap)} (${bounds('points', low, high)}) of ${quantity('count', visible.of)}`;
  return { value: gap, low, high, text };
}

function attemptsReading({ attemptsToGreen: { mean, p50, count } }: Figures): Reading {
  if (mean === null) return { value: null, text: '–' };
  return {
    value: mean,
    text: `${quantity('count', mean)}, median ${quantity('count', p50)}, of ${quantity('count', count)}`,
  };
}

function timeReading({ timeToGreenMs: { p50, count } }: Figures): Reading {
  return p50 === null
    ? { value: null, text: '–' }
    : { value: p50, text: `${quantity('ms', p50)} of ${quantity('count', count)}` };
}

function latencyReading(value: number | null, count: number): Reading {
  return value === null
    ? { value: null, text: '–' }
    : { value, text: `${quantity('ms', value)} of ${quantity('count', count)}` };
}
