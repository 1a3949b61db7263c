/** The pass rate of a gate over time as a picture of its own, for READMEs: it tells verdicts alone, with their interval. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Trend } from '../../gate/trends/trend.ts';
import { lineChart, type PictureTheme } from './line-chart.ts';
import { bounds, quantity } from './quantity.ts';

const files = ['picture.css', 'chart.css'].map((file) => readFile(new URL(file, import.meta.url), 'utf8'));

/** The one style of every picture, and the policy under which a browser applies it and nothing else. */
async function pictureStyle(): Promise<{ style: string; policy: string }> {
  const style = (await Promise.all(files)).join('');
  const digest = createHash('sha256').update(style).digest('base64');
  return { style, policy: `default-src 'none'; style-src 'sha256-${digest}'; frame-ancestors 'none'` };
}

/** The picture as SVG, and the policy to send with it. */
export async function trendPicture(
  gate: string,
  { bucket, series }: Pick<Trend, 'bucket' | 'series'>,
  { days, theme }: { days: number; theme: PictureTheme },
): Promise<{ svg: string; policy: string }> {
  const { style, policy } = await pictureStyle();
  const buckets = series[0]?.buckets ?? [];
  const rate = series[0]?.total.passRate;
  const said =
    rate === undefined || rate.rate === null
      ? 'no verdict'
      : `${quantity('share', rate.rate)} pass (${bounds('share', rate.low, rate.high)})`;
  const svg = await lineChart({
    id: 'pass-rate',
    title: `Gate ${gate}: ${said} in ${days} days`,
    description: `The share of settled attempts that pass, by ${bucket}, with 95 % intervals.`,
    unit: 'share',
    marks: 'line',
    bucket,
    begins: buckets.map(({ from }) => new Date(from)),
    series: [
      {
        name: 'pass rate',
        points: buckets.map(({ passRate: { rate: value, low, high } }) => ({ value, low, high })),
      },
    ],
    alone: { heading: `${gate} · ${said} in ${days} days`, style, theme },
  });
  return { svg: `${svg}`, policy };
}
