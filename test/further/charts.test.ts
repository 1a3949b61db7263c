/** Charts: pictures that say what the figures say, to everybody, and in which no text is anything but text. */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';
import { bucketName, bucketTick } from '../../server/pages/bucket-name.ts';
import { intervalChart } from '../../server/pages/interval-chart.ts';
import { type LineChart, lineChart } from '../../server/pages/line-chart.ts';
import { bounds, quantity } from '../../server/pages/quantity.ts';
import { seriesSign } from '../../server/pages/series-sign.ts';

const hostile = '"><script>alert(1)</script><img src=x onerror=alert(2)>\' & \u202e\u0000\ud800';

const days = (count: number) =>
  Array.from({ length: count }, (_, day) => new Date(Date.UTC(2026, 9, 1 + day)));

function chartOf(more: Partial<LineChart> = {}): LineChart {
  return {
    id: 'rate',
    title: 'Pass rate',
    description: 'The share of attempts that pass.',
    unit: 'share',
    marks: 'line',
    bucket: 'day',
    begins: days(4),
    series: [
      {
        name: 'all',
        points: [
          { value: 0.5, low: 0.25, high: 0.75 },
          { value: null },
          { value: 1, low: 0.5, high: 1 },
          { value: 0, low: 0, high: 0.5 },
        ],
      },
    ],
    ...more,
  };
}

/** The picture as text; it has to be well-formed XML, because it is shown as a file of its own as well. */
function drawn(chart: LineChart): string {
  const text = `${lineChart(chart)}`;
  expect(XMLValidator.validate(text)).toBe(true);
  expect(text).not.toMatch(/NaN|undefined|Infinity|\d\.\d{3}/);
  return text;
}

/** Every opening tag of a name in the picture, with its attributes. */
function tags(text: string, name: string): Record<string, string>[] {
  return [...text.matchAll(new RegExp(`<${name}((?: [\\w-]+="[^"]*")*)/?>`, 'g'))].map(
    ([, attributes = '']) =>
      Object.fromEntries(
        [...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
      ),
  );
}

describe('a line chart', () => {
  test('is named and described for those who do not see it', () => {
    const [svg] = tags(drawn(chartOf()), 'svg');
    expect(svg).toMatchObject({ role: 'img', 'aria-labelledby': 'rate-title rate-description' });
    const { svg: parsed } = new XMLParser({ ignoreAttributes: false }).parse(drawn(chartOf()));
    expect(parsed.title).toMatchObject({ '#text': 'Pass rate', '@_id': 'rate-title' });
    expect(parsed.desc).toMatchObject({ '#text': 'The share of attempts that pass.' });
  });

  test('has a gap where nothing happened, and shows a value between two gaps by its point and its bounds', () => {
    const text = drawn(chartOf());
    const line = tags(text, 'path').find((path) => path.class === 'line');
    // The lone first value, and the two at the end.
    expect(line?.d?.match(/M/g)).toHaveLength(2);
    expect(tags(text, 'path').filter((path) => path.class === 'bounds')).toHaveLength(1);
    expect(tags(text, 'path').filter((path) => path.class === 'point')).toHaveLength(3);
    const ys = /data-ys="([^"]*)"/.exec(text)?.[1]?.split(',');
    expect(ys).toHaveLength(4);
    expect(ys?.[1]).toBe('');
  });

  test('tells where every value is: more is higher, and a rate is drawn from 0 to 100 %', () => {
    const text = drawn(chartOf());
    const [svg] = tags(text, 'svg');
    const [half, , all, none] = (/data-ys="([^"]*)"/.exec(text)?.[1] ?? '').split(',').map(Number);
    expect(all).toBe(Number(svg?.['data-top']));
    expect(none).toBe(Number(svg?.['data-bottom']));
    expect(half).toBeCloseTo((Number(all) + Number(none)) / 2, 0);
    for (const tick of ['0\u00a0%', '50\u00a0%', '100\u00a0%']) expect(text).toContain(`>${tick}</text>`);
  });

  test('no two series look the same: what one colour has in common, line and shape tell apart', () => {
    const signs = Array.from({ length: 14 }, (_, index) => JSON.stringify(seriesSign(index)));
    expect(new Set(signs).size).toBe(14);
    for (let index = 0; index < 7; index++) {
      const [first, again] = [seriesSign(index), seriesSign(index + 7)];
      expect(first.className).toBe(again.className);
      expect(first.dash).not.toBe(again.dash);
    }
    const neighbours = [0, 1, 2, 3].map(seriesSign);
    expect(new Set(neighbours.map(({ dash }) => dash)).size).toBe(4);
    expect(new Set(neighbours.map(({ point }) => point)).size).toBe(4);
  });

  test('series beyond what is shown at first are there, and not drawn', () => {
    const [series] = chartOf().series;
    const many = Array.from({ length: 5 }, (_, index) => ({
      points: series?.points ?? [],
      name: `s${index}`,
    }));
    const text = drawn(chartOf({ series: many, shownMax: 3 }));
    expect(tags(text, 'g').filter((group) => group['data-series'] !== undefined)).toHaveLength(5);
    expect(tags(text, 'g').filter((group) => / off$/.test(group.class ?? ''))).toHaveLength(2);
  });

  test('bars stand on the axis, and what is counted has no halves', () => {
    const points = [{ value: 1 }, { value: 0 }, { value: 2 }, { value: null }];
    const text = drawn(chartOf({ marks: 'bars', unit: 'count', series: [{ name: 'escapes', points }] }));
    expect(tags(text, 'rect').filter((bar) => bar.class === 'bar')).toHaveLength(2);
    const labels = [...text.matchAll(/text-anchor="end">([^<]*)</g)].map(([, label]) => label);
    expect(labels).toEqual(['0', '1', '2']);
  });

  test.each([
    ['nothing at all', []],
    ['gaps alone', days(3).map(() => ({ value: null }))],
    ['zeros alone', days(3).map(() => ({ value: 0 }))],
    ['one value', [{ value: 12, low: 1, high: 90 }]],
  ])('draws %s without inventing anything', (_, points) => {
    for (const unit of ['share', 'points', 'ms', 'count', 'bits'] as const) {
      drawn(chartOf({ unit, begins: days(points.length), series: [{ name: 'all', points }] }));
    }
  });

  test('names few enough buckets, however many there are, and only those that begin as people expect', () => {
    for (const [count, bucket] of [
      [30, 'day'],
      [90, 'day'],
      [365, 'day'],
      [400, 'hour'],
    ] as const) {
      const begins = days(count).map((day, index) =>
        bucket === 'hour' ? new Date(Date.UTC(2026, 9, 1, index)) : day,
      );
      const points = begins.map(() => ({ value: 0.5 }));
      const text = drawn(chartOf({ begins, bucket, series: [{ name: 'all', points }] }));
      const named = tags(text, 'text').filter((each) => /^time/.test(each.class ?? ''));
      expect(named.length).toBeGreaterThan(2);
      expect(named.length).toBeLessThanOrEqual(8);
    }
  });

  test('texts of others stay texts, in XML as well', () => {
    const text = drawn(
      chartOf({
        title: hostile,
        description: hostile,
        alone: { heading: hostile, style: '', theme: 'dark' },
      }),
    );
    expect(tags(text, 'script')).toEqual([]);
    expect(text).not.toMatch(/<script|<img|\u202e/);
    expect(text).toContain('⟨U+202E⟩');
  });
});

describe('a chart of intervals', () => {
  test('shows each figure within its interval, and says which are not known', () => {
    const text = `${intervalChart({
      id: 'gap',
      title: 'Generalisation gap by agent',
      description: 'How far.',
      unit: 'points',
      rows: [
        { name: 'agent-1', value: 0.2, low: 0.1, high: 0.3, sign: 0 },
        { name: hostile, value: -0.1, low: -0.2, high: 0.05, sign: 1 },
        { name: 'quiet', value: null, low: -1, high: 1, sign: 2 },
      ],
    })}`;
    expect(XMLValidator.validate(text)).toBe(true);
    expect(text).not.toMatch(/NaN|undefined|<script|<img/);
    expect(tags(text, 'path').filter((path) => path.class === 'bounds')).toHaveLength(2);
    expect(text).toContain('not known');
    expect(text).toContain('+20\u00a0pp');
  });
});

describe('figures', () => {
  test.each([
    ['share', 0.7123, '71.2 %'],
    ['share', 1, '100 %'],
    ['share', 0.0004, '0 %'],
    ['points', 0.142, '+14.2 pp'],
    ['points', -0.03, '−3 pp'],
    ['points', 0, '0 pp'],
    ['ms', 850, '850 ms'],
    ['ms', 4_240, '4.2 s'],
    ['ms', 200_000, '3.3 min'],
    ['ms', 86_400_000, '24 h'],
    ['ms', 500_000_000, '5.8 d'],
    ['count', 1_203, '1,203'],
    ['count', 12_345, '12.3k'],
    ['count', 20_000_000, '20M'],
    ['count', 1.8333, '1.83'],
    ['bits', 0.512, '0.51 bits'],
    ['share', null, '–'],
  ] as const)('in %s, %f is read as %s', (unit, value, text) => {
    expect(quantity(unit, value).replaceAll('\u00a0', ' ')).toBe(text);
  });

  test('an interval has its unit once', () => {
    expect(bounds('share', 0.684, 0.7391)).toBe('68.4–73.9\u00a0%');
    expect(bounds('points', -0.02, 0.1)).toBe('−2 to +10\u00a0pp');
  });

  test('a bucket is named as people say it', () => {
    const monday = new Date('2026-11-09T00:00:00Z');
    expect(bucketName(monday, 'day')).toBe('9 Nov 2026');
    expect(bucketName(monday, 'week')).toBe('Week of 9 Nov 2026');
    expect(bucketName(monday, 'month')).toBe('Nov 2026');
    expect(bucketName(new Date('2026-11-09T14:00:00Z'), 'hour')).toBe('9 Nov 2026, 14:00 UTC');
    expect(bucketTick(new Date('2026-01-01T00:00:00Z'), 'month')).toBe('2026');
    expect(bucketTick(new Date('2026-11-09T14:00:00Z'), 'hour')).toBe('14:00');
  });
});
