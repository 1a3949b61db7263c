/** How attempts come out over time at a gate or of a suite: what leads look at. Every picture has its figures in a table behind it. */
import { html } from 'hono/html';
import {
  type CaseTrend,
  type CaseTrends,
  neverFailingRunsMin,
  type Trend,
  trendBuckets,
  trendGroups,
} from '../../gate/trends/trend.ts';
import { chartFigure } from './chart-figure.ts';
import { emptyState } from './empty-state.ts';
import type { Html } from './html.ts';
import { intervalChart } from './interval-chart.ts';
import { nameOf, visible } from './name-of.ts';
import { bounds, quantity } from './quantity.ts';
import { signPicture } from './series-sign.ts';
import { type Column, table } from './table.ts';
import { timeTag } from './time-tag.ts';
import { seriesName, trendCharts } from './trend-charts.ts';
import { addressOf, groupOf, isPart, periodDays, type Subject, type TrendsView } from './trends-view.ts';

export type TrendsPage = {
  view: TrendsView;
  /** What the reader may choose from. */
  subjects: readonly Subject[];
  /** Of all attempts together, and by whom the view splits them, or else by agent. */
  total: Trend;
  split: Trend;
  /** What the cases of a suite did; null for a gate, and for a suite that has no active revision. */
  cases: CaseTrends | null;
};

export function trendsPage({ view, subjects, total, split, cases }: TrendsPage): Html {
  const { subject, by } = view;
  const settled = total.series[0]?.total.settled ?? 0;
  return html`<div class="head"><div><h1>Trends of ${subject.kind} ${subject.name}</h1>
<p class="muted">${timeTag(total.from)} to ${timeTag(total.to)}, by ${total.bucket}</p></div>
<p class="actions"><a class="button" href="${addressOf(view, {}, '/ui/trends/export')}&format=csv" download>CSV</a>
<a class="button" href="${addressOf(view, {}, '/ui/trends/export')}&format=json" download>JSON</a></p></div>
${controls(view, total, subjects)}
${
  settled === 0
    ? emptyState({
        title: 'Nothing was settled in this period',
        text: 'An attempt counts once it was scored, and is green or red. Choose a longer period, or have a build scored:',
        command: `holdback score --gate ${subject.kind === 'gate' ? subject.name : 'GATE'} --change ID --commit SHA build.js`,
      })
    : html`${headline(total)}
${groups(view, split)}
<section class="section" aria-label="Over time"><div class="section-head"><h2>Over time</h2>${splits(view)}</div>
<p class="hint" data-how hidden>Point at a picture to read it off, or focus it and use the arrow keys. Drag over a part, or press Shift with an arrow key and then Enter, to zoom in.</p>
<div class="charts">${trendCharts(total, by === undefined ? null : split).map(chartFigure)}</div></section>`
}
${cases === null ? '' : caseSections(cases)}`;
}

/** Links and a form: what is looked at, over which period. */
function controls(view: TrendsView, total: Trend, subjects: readonly Subject[]): Html {
  const { subject, days, from, to, bucket, by } = view;
  const isFiltered = view.agent !== undefined || view.model !== undefined || view.author !== undefined;
  const option = (kind: Subject['kind']) =>
    subjects
      .filter((each) => each.kind === kind)
      .map(
        ({ name }) =>
          html`<option value="${kind}:${name}"${kind === subject.kind && name === subject.name ? html` selected` : ''}>${name}</option>`,
      );
  return html`<div class="controls"><nav class="periods" aria-label="Period">${periodDays.map(
    (each) =>
      html`<a href="${addressOf(view, { days: each, from: undefined, to: undefined, bucket: undefined })}"${
        each === days && !isPart(view) ? html` aria-current="true"` : ''
      }>${each} days</a>`,
  )}</nav>
${isPart(view) ? html`<a class="back" href="${addressOf(view, { from: undefined, to: undefined, bucket: undefined })}">Zoom out to ${days} days</a>` : ''}
</div>
<form class="filters" method="get" action="/ui/trends" aria-label="What is shown">
<input type="hidden" name="days" value="${days}">${by === undefined ? '' : html`<input type="hidden" name="by" value="${by}">`}
<div><label for="of">Gate or suite</label><select id="of" name="of"><optgroup label="Gates">${option('gate')}</optgroup><optgroup label="Suites">${option('suite')}</optgroup></select></div>
<div><label for="from">From</label><input id="from" name="from" type="date" value="${from === undefined && to === undefined ? '' : dayOf(total.from)}"></div>
<div><label for="to">To</label><input id="to" name="to" type="date" value="${to === undefined ? '' : dayOf(new Date(Date.parse(total.to) - 1).toISOString())}"></div>
<div><label for="bucket">A point for each</label><select id="bucket" name="bucket"><option value="">fitting time</option>${trendBuckets.map(
    (each) => html`<option${each === bucket ? html` selected` : ''}>${each}</option>`,
  )}</select></div>
<div class="actions"><button class="primary">Show</button></div>
<details${isFiltered ? html` open` : ''}><summary>Only of one agent, model or author</summary><div class="narrower">${trendGroups.map(
    (group) =>
      html`<div><label for="${group}">${titled(group)}</label><input id="${group}" name="${group}" maxlength="300" autocomplete="off" placeholder="any" value="${view[group] ?? ''}"></div>`,
  )}${
    isFiltered
      ? html`<div class="actions"><a class="button" href="${addressOf(view, { agent: undefined, model: undefined, author: undefined })}">Clear</a></div>`
      : ''
  }</div></details>
</form>`;
}

function dayOf(iso: string): string {
  return iso.slice(0, 10);
}

/** The figures of the whole period, each with how sure it is. */
function headline({ series }: Trend): Html | '' {
  const total = series[0]?.total;
  if (total === undefined) return '';
  const { passRate, firstAttemptPassRate, gap, attemptsToGreen, timeToGreenMs, latencyMs } = total;
  const rate = ({ low, high, count, of }: typeof passRate) =>
    of === 0
      ? 'none yet'
      : `${bounds('share', low, high)} · ${quantity('count', count)} of ${quantity('count', of)}`;
  const figures: [string, string, string][] = [
    ['Pass rate', quantity('share', passRate.rate), rate(passRate)],
    ['First-attempt pass rate', quantity('share', firstAttemptPassRate.rate), rate(firstAttemptPassRate)],
    [
      'Generalisation gap',
      quantity('points', gap.gap),
      gap.gap === null
        ? 'no visible tests were sent'
        : `${bounds('points', gap.low, gap.high)} · ${counted(gap.visible.of, 'attempt')}`,
    ],
    [
      'Attempts to green',
      quantity('count', attemptsToGreen.mean),
      `mean of ${counted(attemptsToGreen.count, 'change')} · median ${quantity('count', attemptsToGreen.p50)}`,
    ],
    [
      'Time to green',
      quantity('ms', timeToGreenMs.p50),
      `median of ${counted(timeToGreenMs.count, 'change')}`,
    ],
    [
      'Verdict latency',
      quantity('ms', latencyMs.p50),
      `median · 95 % within ${quantity('ms', latencyMs.p95)}`,
    ],
    ['Exposure spent', quantity('bits', total.exposureBits), 'that verdicts may teach about a case'],
    [
      'Escapes',
      quantity('count', total.escapes),
      total.escapes === 0 ? 'no bug is known that got past' : 'attempts that let a known bug past',
    ],
  ];
  return html`<dl class="figures wide">${figures.map(
    ([name, value, small]) => html`<div><dt>${name}</dt><dd>${value} <small>${small}</small></dd></div>`,
  )}</dl>`;
}

/** So many things, by the word for one of them. */
function counted(count: number, thing: string): string {
  return `${quantity('count', count)} ${thing}${count === 1 ? '' : 's'}`;
}

/** Who differs from whom, over the whole period. */
function groups(view: TrendsView, split: Trend): Html | '' {
  const group = groupOf(view);
  const { series } = split;
  if (series.length === 0) return '';
  const rows = series.map((one, sign) => ({
    kind: one.kind,
    name: seriesName(one),
    figures: one.total,
    sign,
  }));
  const isGapKnown = rows.some(({ figures }) => figures.gap.gap !== null);
  const worst = rows
    .filter(({ kind, figures }) => kind === 'named' && figures.gap.low > 0 && figures.gap.gap !== null)
    .toSorted((one, other) => other.figures.gap.low - one.figures.gap.low)[0];
  const columns: Column[] = [
    { name: titled(group) },
    { name: 'Settled', isNumber: true },
    { name: 'Pass rate', isNumber: true },
    { name: 'First attempts', isNumber: true },
    { name: 'Visible tests', isNumber: true },
    { name: 'Gap', isNumber: true },
    { name: 'Attempts to green', isNumber: true },
    { name: 'Time to green', isNumber: true },
    { name: 'Escapes', isNumber: true },
  ];
  return html`<section class="section" aria-label="By ${group}"><div class="section-head"><h2>By ${group} <small>over the whole period</small></h2></div>
${
  worst === undefined
    ? ''
    : html`<p class="notice warn">The visible tests pass more often than the holdback cases for <b>${nameOf(worst.name, 60)}</b>: by ${quantity('points', worst.figures.gap.gap)} (${bounds('points', worst.figures.gap.low, worst.figures.gap.high)}). Its builds fit the tests they can see.</p>`
}
<div class="charts">
<figure class="chart"><figcaption><h3>Pass rate</h3><p>The share of settled attempts that are green, with its 95 % interval. The same build again is not run, and not counted.</p></figcaption>
${intervalChart({
  id: 'pass-rate-by',
  title: `Pass rate by ${group}`,
  description: 'The table below has the figures.',
  unit: 'share',
  rows: rows.map(({ name, figures: { passRate }, sign }) => ({
    name,
    value: passRate.rate,
    low: passRate.low,
    high: passRate.high,
    sign,
  })),
})}</figure>
<figure class="chart"><figcaption><h3>Generalisation gap</h3><p>Visible tests less holdback cases, with its 95 % interval. Right of zero, builds fit the visible tests.</p></figcaption>
${
  isGapKnown
    ? intervalChart({
        id: 'gap-by',
        title: `Generalisation gap by ${group}`,
        description: 'The table below has the figures.',
        unit: 'points',
        rows: rows.map(({ name, figures: { gap }, sign }) => ({
          name,
          value: gap.gap,
          low: gap.low,
          high: gap.high,
          sign,
        })),
      })
    : emptyState({
        title: 'No attempt has sent its visible tests',
        text: 'With them, this shows who fits the visible tests instead of solving the task.',
        command: 'holdback score … --visible-tests junit.xml',
      })
}</figure></div>
<details open><summary>Table</summary>${table({
    caption: `The whole period by ${group}`,
    isCaptionHidden: true,
    columns,
    rows: rows.map(({ name, figures, sign }) => [
      html`<span class="key">${signPicture(sign)}${nameOf(name, 60)}</span>`,
      quantity('count', figures.settled),
      withBounds(figures.passRate),
      withBounds(figures.firstAttemptPassRate),
      withBounds(figures.gap.visible),
      figures.gap.gap === null
        ? '–'
        : html`${quantity('points', figures.gap.gap)} <small class="bounds-text">${bounds('points', figures.gap.low, figures.gap.high)}</small>`,
      quantity('count', figures.attemptsToGreen.mean),
      quantity('ms', figures.timeToGreenMs.p50),
      quantity('count', figures.escapes),
    ]),
  })}</details></section>`;
}

function withBounds({ rate, low, high }: { rate: number | null; low: number; high: number }): Html | string {
  if (rate === null) return '–';
  return html`${quantity('share', rate)} <small class="bounds-text">${bounds('share', low, high)}</small>`;
}

function titled(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

/** By whom the pictures over time are split. */
function splits(view: TrendsView): Html {
  return html`<nav class="periods" aria-label="Split"><a href="${addressOf(view, { by: undefined })}"${view.by === undefined ? html` aria-current="true"` : ''}>Together</a>${trendGroups.map(
    (group) =>
      html`<a href="${addressOf(view, { by: group })}"${view.by === group ? html` aria-current="true"` : ''}>By ${group}</a>`,
  )}</nav>`;
}

/** The cases that say little: those that come out either way, and those that never fail. */
function caseSections({
  flaky,
  flakyCount,
  neverFailing,
  neverFailingCount,
  cases,
  revision,
  suite,
}: CaseTrends): Html {
  const called = ({ position, name }: CaseTrend) =>
    name === undefined ? `Case ${position}` : html`${nameOf(name)}`;
  const few = (listed: number, count: number) =>
    listed < count ? html` <small>the first ${listed} of ${count}</small>` : html` <small>${count}</small>`;
  return html`<section class="section" aria-labelledby="flaky-cases"><h2 id="flaky-cases">Flaky cases${few(flaky.length, flakyCount)}</h2>
<p class="muted">They came out both ways for the same build on the same revision. A case that depends on luck says nothing of a build: mend it or retire it.</p>
${
  flaky.length === 0
    ? html`<p>None of the ${cases} cases in force in <a href="/ui/suites/${suite}/revisions/${revision}">revision ${revision}</a>.</p>`
    : table({
        caption: 'Flaky cases',
        isCaptionHidden: true,
        columns: [
          { name: 'Case' },
          { name: 'Flips', isNumber: true },
          { name: 'Runs', isNumber: true },
          { name: 'Failures', isNumber: true },
          { name: 'Last' },
        ],
        rows: flaky.map((each) => [
          called(each),
          quantity('count', each.flips),
          quantity('count', each.runs),
          quantity('count', each.failures),
          timeTag(each.lastAt),
        ]),
      })
}</section>
<section class="section" aria-labelledby="never-failing-cases"><h2 id="never-failing-cases">Cases that never fail${few(neverFailing.length, neverFailingCount)}</h2>
<p class="muted">They ran ${neverFailingRunsMin} times or more in this period and every build passed. They may be too easy to tell a right build from a wrong one.</p>
${
  neverFailing.length === 0
    ? html`<p>None of the ${cases} cases in force.</p>`
    : table({
        caption: 'Cases that never fail',
        isCaptionHidden: true,
        columns: [{ name: 'Case' }, { name: 'Runs', isNumber: true }],
        rows: neverFailing.map((each) => [called(each), quantity('count', each.runs)]),
      })
}</section>`;
}

/** Where there is neither a gate nor a suite to look at. */
export function noTrendsPage(): Html {
  return html`<h1>Trends</h1>
${emptyState({
  title: 'There is nothing to follow yet',
  text: 'Trends show how attempts at a gate come out. Push a suite, then put a gate in front of it:',
  command: 'holdback gate set main --suite discounts',
})}`;
}

/** The title of the page, in the browser's tab. */
export function trendsTitle({ subject }: TrendsView): string {
  return visible(`Trends of ${subject.name}`);
}
