/**
 * A picture of how something went over time: a line for each series with the band that its values lie in, or bars for one. It is SVG made
 * on the server, so that it is there without scripts and can stand in a README; scripts find in its `data-` attributes where its
 * buckets are. Every text in it is escaped. Pure.
 */
import { scaleBand, scaleLinear } from 'd3-scale';
import { area, curveMonotoneX, line } from 'd3-shape';
import { html, raw } from 'hono/html';
import type { TrendBucket } from '../../gate/trends/trend.ts';
import { bucketTick } from './bucket-name.ts';
import type { Html } from './html.ts';
import { visible } from './name-of.ts';
import { durationUnitMs, quantity, type Unit } from './quantity.ts';
import { seriesSign } from './series-sign.ts';

export type ChartPoint = {
  /** What happened in the bucket; null where nothing did: the line has a gap there. */
  value: number | null;
  /** Between which bounds the true value lies, where that is known. */
  low?: number;
  high?: number;
};

export type ChartSeries = { name: string; points: readonly ChartPoint[] };

export type LineChart = {
  /** Unlike that of every other picture on the page: letters, digits and hyphens. */
  id: string;
  title: string;
  /** What the picture shows, for those who do not see it. */
  description: string;
  unit: Unit;
  marks: 'line' | 'bars';
  bucket: TrendBucket;
  /** When each bucket begins; every series has a point for each. */
  begins: readonly Date[];
  series: readonly ChartSeries[];
  /** So many series are drawn; the others can be shown by the legend. */
  shownMax?: number;
  /** For a picture that stands alone: a line of text over it that says what it is, its style, and in which theme it is. */
  alone?: { heading: string; style: string; theme: PictureTheme };
};

/** `auto` is as the system of whoever looks has it. */
export const pictureThemes = ['auto', 'light', 'dark'] as const;
export type PictureTheme = (typeof pictureThemes)[number];

/** The picture's own units; it is as large as there is room for. */
const size = { width: 560, height: 250 };
const margin = { top: 14, right: 12, bottom: 30, left: 62 };
const headingHeight = 34;

/** A point is drawn for so many buckets at most, so that a line stays one. */
const pointsMax = 12;

export function lineChart(chart: LineChart): Html {
  const { id, title, description, begins, series, unit, marks, alone, shownMax = series.length } = chart;
  const top = margin.top + (alone === undefined ? 0 : headingHeight);
  const height = size.height + top - margin.top;
  const plot = { left: margin.left, right: size.width - margin.right, top, bottom: height - margin.bottom };
  const x = scaleBand<number>()
    .domain(begins.map((_, index) => index))
    .range([plot.left, plot.right]);
  const { domain, ticks } = axisOf(chart);
  const y = scaleLinear().domain(domain).range([plot.bottom, plot.top]);
  const at = (index: number) => (x(index) ?? 0) + x.bandwidth() / 2;
  const theme = alone === undefined || alone.theme === 'auto' ? '' : ` ${alone.theme}`;
  const fixed = alone === undefined ? '' : html` width="${size.width}" height="${height}"`;
  return html`<svg class="chart-picture${theme}"${fixed} xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${height}" role="img" aria-labelledby="${id}-title ${id}-description" data-left="${plot.left}" data-right="${plot.right}" data-top="${plot.top}" data-bottom="${plot.bottom}">
<title id="${id}-title">${visible(title)}</title>
<desc id="${id}-description">${visible(description)}</desc>
${
  alone === undefined
    ? ''
    : // The style is a file of ours.
      html`<style>${raw(alone.style)}</style><rect class="ground" x="0.5" y="0.5" width="${size.width - 1}" height="${height - 1}" rx="8"/><text class="heading" x="16" y="28">${visible(alone.heading)}</text>`
}
<clipPath id="${id}-clip"><rect x="${plot.left}" y="${plot.top - 6}" width="${plot.right - plot.left}" height="${plot.bottom - plot.top + 12}"/></clipPath>
<g class="axis">${ticks.map(
    (value) =>
      html`<path class="${value === 0 ? 'zero' : 'rule'}" d="M${plot.left},${round(y(value))}H${plot.right}"/><text x="${plot.left - 8}" y="${round(y(value) + 4)}" text-anchor="end">${tickText(unit, value)}</text>`,
  )}${timeTicks(chart).map(
    ({ index, text, isMajor }) =>
      html`<text class="${isMajor ? 'time' : 'time minor'}" x="${round(at(index))}" y="${plot.bottom + 20}" text-anchor="middle">${text}</text>`,
  )}</g>
<g clip-path="url(#${id}-clip)">${series.map((one, index) => {
    const off = index < shownMax ? '' : ' off';
    const { className } = seriesSign(index);
    const ys = one.points.map(({ value }) => (value === null ? '' : round(y(value))));
    return html`<g class="series ${className}${off}" data-series="${index}" data-ys="${ys.join(',')}">${
      marks === 'bars' ? bars(one, x, y, plot.bottom) : lines(one, index, at, y)
    }</g>`;
  })}</g>
</svg>`;
}

type Scale = (value: number) => number;

function lines({ points }: ChartSeries, index: number, at: Scale, y: Scale): Html {
  const places = points.map((point, place) => ({ ...point, place }));
  const { dash, point: outline } = seriesSign(index);
  const path = line<(typeof places)[number]>()
    .defined(({ value }) => value !== null)
    .x(({ place }) => at(place))
    .y(({ value }) => y(value ?? 0))
    .digits(1)
    .curve(curveMonotoneX);
  const band = area<(typeof places)[number]>()
    .defined(({ value, low, high }) => value !== null && low !== undefined && high !== undefined)
    .x(({ place }) => at(place))
    .y0(({ low }) => y(low ?? 0))
    .y1(({ high }) => y(high ?? 0))
    .digits(1)
    .curve(curveMonotoneX);
  const known = places.filter(({ value }) => value !== null);
  const step = Math.ceil(known.length / pointsMax);
  // A value between two gaps has no line: its point and its bounds are all that shows it.
  const isAlone = (place: number) =>
    (points[place - 1]?.value ?? null) === null && (points[place + 1]?.value ?? null) === null;
  const drawn = known.filter(
    ({ place }, nth) => nth % step === 0 || nth === known.length - 1 || isAlone(place),
  );
  const alone = known.filter(
    ({ place, low, high }) => isAlone(place) && low !== undefined && high !== undefined,
  );
  return html`<path class="band" d="${band(places) ?? ''}"/>${alone.map(
    ({ place, low = 0, high = 0 }) =>
      html`<path class="bounds" d="M${round(at(place))},${round(y(low))}V${round(y(high))}"/>`,
  )}<path class="line" d="${path(places) ?? ''}"${dash === null ? '' : html` stroke-dasharray="${dash}"`}/>${drawn.map(
    ({ place, value }) =>
      html`<path class="point" d="${outline}" transform="translate(${round(at(place))},${round(y(value ?? 0))})"/>`,
  )}`;
}

function bars({ points }: ChartSeries, x: Scaled, y: Scale, bottom: number): Html {
  const width = Math.max(1, Math.min(28, x.bandwidth() * 0.72));
  return html`${points.map(({ value }, index) => {
    if (value === null || value === 0) return '';
    const left = (x(index) ?? 0) + (x.bandwidth() - width) / 2;
    return html`<rect class="bar" x="${round(left)}" y="${round(y(value))}" width="${round(width)}" height="${round(bottom - y(value))}" rx="${round(Math.min(2, width / 4))}"/>`;
  })}`;
}

type Scaled = ReturnType<typeof scaleBand<number>>;

/** The least and the most that is drawn: 0, every value, and most of the bounds. Few make the widest, and those are cut. */
function domainOf({ series, unit }: LineChart): [number, number] {
  const points = series.flatMap((one) => one.points).filter(({ value }) => value !== null);
  const values = points.map(({ value }) => value ?? 0);
  const lows = points.flatMap(({ low }) => (low === undefined ? [] : [low]));
  const highs = points.flatMap(({ high }) => (high === undefined ? [] : [high]));
  const least = Math.min(0, ...values, quantile(lows, 0.1));
  const most = Math.max(0, ...values, quantile(highs, 0.9));
  if (most > least) return [least, most];
  // Nothing but zeros: the axis says so, and has one step.
  return [0, unit === 'points' ? 0.1 : unit === 'ms' ? 1_000 : 1];
}

function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}

const shareTicks = [0, 0.25, 0.5, 0.75, 1];

/** From where to where the axis goes, and which steps it names: whole percents, whole things, whole seconds or minutes. */
function axisOf(chart: LineChart): { domain: [number, number]; ticks: number[] } {
  if (chart.unit === 'share') return { domain: [0, 1], ticks: shareTicks };
  const [least, most] = domainOf(chart);
  const step = chart.unit === 'ms' ? durationUnitMs(most) : 1;
  const scale = scaleLinear()
    .domain([least / step, most / step])
    .nice(4);
  const [from = 0, to = 1] = scale.domain();
  // What is counted has no halves.
  const ticks = scale.ticks(4).filter((tick) => chart.unit !== 'count' || Number.isInteger(tick));
  return { domain: [from * step, to * step], ticks: ticks.map((tick) => tick * step) };
}

/** Titles say what is counted in bits and in points. */
function tickText(unit: Unit, value: number): string {
  if (value === 0 && unit !== 'share') return '0';
  if (unit === 'points') return quantity('points', value).replace(/\u00a0pp$/, '');
  return quantity(unit === 'bits' ? 'count' : unit, value);
}

/** Every so many buckets have room for their name. */
const steps: Record<TrendBucket, number[]> = {
  hour: [1, 2, 3, 6, 12, 24, 48, 96],
  day: [1, 2, 7, 14, 28, 56],
  week: [1, 2, 4, 13, 26],
  month: [1, 2, 3, 6, 12, 24, 60],
};
const timeTicksMax = 7;

/** Which buckets the axis names, and which of these also where there is little room. */
function timeTicks({ begins, bucket }: LineChart): { index: number; text: string; isMajor: boolean }[] {
  const step =
    steps[bucket].find((each) => begins.length / each <= timeTicksMax) ??
    Math.ceil(begins.length / timeTicksMax);
  // Names stand in the middle of their bucket: the first and the last would be cut where buckets are narrow.
  const [least, most] = begins.length > timeTicksMax ? [0.03, 0.96] : [0, 1];
  const named = begins.flatMap((begin, index) => {
    const place = (index + 0.5) / begins.length;
    return isOnStep(begin, index, bucket, step) && place >= least && place <= most ? [index] : [];
  });
  return named.flatMap((index, nth) => {
    const begin = begins[index];
    return begin === undefined ? [] : [{ index, text: bucketTick(begin, bucket), isMajor: nth % 2 === 0 }];
  });
}

/** Hours, Mondays and Januaries are where people look for them. */
function isOnStep(begin: Date, index: number, bucket: TrendBucket, step: number): boolean {
  if (bucket === 'hour' && step <= 24) return begin.getUTCHours() % step === 0;
  if (bucket === 'month' && step <= 12) return begin.getUTCMonth() % step === 0;
  if (bucket === 'day' && step === 7) return begin.getUTCDay() === 1;
  return index % step === 0;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
