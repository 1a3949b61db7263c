/** `holdback trends`: how attempts come out over time, and which cases are flaky or never fail. */
import {
  caseTrendsSchema,
  namedSeriesMax,
  trendBuckets,
  trendBucketsMax,
  trendGroups,
  trendSchema,
} from '../../gate/trends/trend.ts';
import type { Arguments } from '../arguments.ts';
import { connect } from '../client.ts';
import type { Command, Flag } from '../command.ts';

const periodFlags = {
  from: {
    value: 'TIME',
    about: 'From this instant on, as 2026-01-01T00:00:00Z (the last 30 days, with today).',
  },
  to: { value: 'TIME', about: 'Before this instant (now).' },
} satisfies Record<string, Flag>;

const questionFlags = {
  gate: { value: 'NAME', about: 'The verdicts of this gate, or else:' },
  suite: { value: 'NAME', about: 'the results of this suite, at whichever gate.' },
  ...periodFlags,
  bucket: {
    value: 'SPAN',
    about: `Counted by ${trendBuckets.join(', ')}, as suits the period; at most ${trendBucketsMax}.`,
  },
  by: {
    value: 'WHOM',
    about: `Compared by ${trendGroups.join(', ')}: the ${namedSeriesMax} that settled most, and the others together.`,
  },
  agent: { value: 'NAME', about: 'The attempts of this agent alone.' },
  model: { value: 'NAME', about: 'The attempts of this model alone.' },
  author: { value: 'NAME', about: 'The attempts of this author alone.' },
} satisfies Record<string, Flag>;

export const trendsCommand: Command = {
  words: 'trends',
  about: 'Show how the attempts at a gate, or at a suite, come out over time.',
  positionals: [],
  flags: {
    ...questionFlags,
    csv: { about: 'Print CSV, a row for each bucket of each series.' },
  },
  notes: [
    'Settled are attempts that were run, and are green or red: the same build again is not run, and not counted.',
    'Behind each rate are the bounds between which it lies with 95 % confidence.',
    'The gap is by how much more often the visible tests pass than the holdback cases: above 0, builds are fitted to what can be seen.',
  ],
  async run(given) {
    if ((given.text('gate') === undefined) === (given.text('suite') === undefined))
      throw given.wrong('name one of --gate and --suite');
    if (given.has('csv') && given.has('json')) throw given.wrong('name one of --csv and --json');
    requireOneOf(given, 'bucket', trendBuckets);
    requireOneOf(given, 'by', trendGroups);
    const query = queryOf(given, Object.keys(questionFlags));
    const trend = await connect(given.environment).ask(
      { method: 'GET', path: ['trends'], query },
      trendSchema.loose(),
    );
    return { kind: 'trend', trend, isCsv: given.has('csv') };
  },
};

export const trendsCasesCommand: Command = {
  words: 'trends cases',
  about: "Show a suite's flaky cases, and those that never fail.",
  positionals: [],
  flags: {
    suite: { value: 'NAME', about: 'The suite.' },
    ...periodFlags,
  },
  async run(given) {
    const query = { ...queryOf(given, Object.keys(periodFlags)), suite: given.required('suite') };
    const path = ['trends', 'cases'];
    return {
      kind: 'case_trends',
      trends: await connect(given.environment).ask({ method: 'GET', path, query }, caseTrendsSchema.loose()),
    };
  },
};

function queryOf(given: Arguments, flags: string[]): Record<string, string> {
  return Object.fromEntries(
    flags.flatMap((flag) => {
      const text = given.text(flag);
      return text === undefined ? [] : [[flag, text]];
    }),
  );
}

/** Throws a usage error. */
function requireOneOf(given: Arguments, flag: string, known: readonly string[]): void {
  const text = given.text(flag);
  if (text === undefined || known.includes(text)) return;
  throw given.wrong(`--${flag}: ${known.join(', ')}, not ${text}`);
}
