/** `holdback suite …`, the life of cases: reviewed by a second person, shown, retired, compared, restored. */
import { expiresAt } from '../../suites/expiry.ts';
import {
  comparisonSchema,
  reviewedRevisionSchema,
  type SuiteCases,
  suiteCasesSchema,
} from '../../suites/life/life.ts';
import type { Arguments } from '../arguments.ts';
import { connect, json } from '../client.ts';
import type { Command } from '../command.ts';
import { readRevisionNumber, readSuiteName, revisionAnswerSchema } from './suite.ts';

const suite = { name: 'SUITE', about: 'The suite.' };
const revision = { name: 'REVISION', about: 'Its number.' };
const activate = { about: 'Make it the active revision in the same step.' };
const dayMs = 86_400_000;

export const suiteReviewCommand: Command = {
  words: 'suite review',
  about: 'Say of a revision that somebody else made whether it may become active.',
  positionals: [suite, revision],
  flags: {
    approve: { about: 'It may.' },
    reject: { about: 'It may not. One rejection outweighs all approvals.' },
    comment: { value: 'TEXT', about: 'Why, for the authors of the suite.' },
  },
  notes: ['Of each person the newest review counts. Two tokens of one owner are one person.'],
  async run(given) {
    if (given.has('approve') === given.has('reject')) throw given.wrong('give either --approve or --reject');
    const verdict = given.has('approve') ? 'approve' : 'reject';
    const path = [...pathOf(given), 'reviews'];
    const body = json({ verdict, comment: given.text('comment') });
    const reviewed = await connect(given.environment).ask(
      { method: 'POST', path, body },
      reviewedRevisionSchema.loose(),
    );
    return { kind: 'reviewed', reviewed };
  },
};

export const suiteCompareCommand: Command = {
  words: 'suite compare',
  about: 'Show what changes from one revision of a suite to another.',
  positionals: [
    suite,
    { name: 'FROM', about: 'The number of the one.' },
    { name: 'TO', about: 'That of the other.' },
  ],
  flags: {},
  notes: ['What it prints names cases: keep it out of logs that agents read.'],
  async run(given) {
    const [name, from, to] = [
      readSuite(given),
      readRevisionNumber(given, given.requiredPositional(1)),
      readRevisionNumber(given, given.requiredPositional(2)),
    ];
    const path = ['suites', name, 'revisions', to, 'compare'];
    const comparison = await connect(given.environment).ask(
      { method: 'GET', path, query: { with: from } },
      comparisonSchema.loose(),
    );
    return { kind: 'compared', comparison };
  },
};

export const suiteRestoreCommand: Command = {
  words: 'suite restore',
  about: 'Make a new revision with the contents of an earlier one. Nothing is overwritten.',
  positionals: [suite, revision],
  flags: { activate },
  async run(given) {
    const path = [...pathOf(given), 'restore'];
    const query = { activate: String(given.has('activate')) };
    return {
      kind: 'revision',
      revision: await connect(given.environment).ask({ method: 'POST', path, query }, revisionAnswerSchema),
    };
  },
};

export const suiteRetireCommand: Command = {
  words: 'suite retire',
  about: 'Make a new revision without some cases, and record that they were retired.',
  positionals: [suite, { name: 'CASE', about: 'The name of a case.', repeatable: true }],
  flags: {
    activate,
    reason: { value: 'TEXT', about: 'Why, for the authors of the suite.' },
    from: { value: 'REVISION', about: 'The revision to leave them out of; the active one unless given.' },
  },
  async run(given) {
    const [name, cases] = [readSuite(given), readCases(given)];
    const from = given.number('from', { min: 1, max: 2_147_483_647, whole: true });
    const ask = {
      method: 'POST' as const,
      path: ['suites', name, 'retirements'],
      query: { activate: String(given.has('activate')) },
      body: json({ cases, reason: given.text('reason'), from }),
    };
    return { kind: 'revision', revision: await connect(given.environment).ask(ask, revisionAnswerSchema) };
  },
};

export const suiteShowCommand: Command = {
  words: 'suite show',
  about: "Show a suite's cases: whose they are, until when, and how much their verdicts have told.",
  positionals: [suite, { name: 'REVISION', about: 'Another one than the active.', optional: true }],
  flags: {
    revision: { value: 'REVISION', about: 'The same.' },
    tag: { value: 'TAG', about: 'Those alone that have this tag.', repeatable: true },
    owner: { value: 'NAME', about: 'Those alone of this owner.' },
    expiring: { value: 'DAYS', about: 'Those alone that expire within so many days, as 30d, or have.' },
  },
  notes: ['What it prints names cases: keep it out of logs that agents read.'],
  async run(given) {
    const path = ['suites', readSuite(given), 'cases'];
    const [number, another] = [given.positional(1), given.text('revision')];
    if (number !== undefined && another !== undefined)
      throw given.wrong('give REVISION or --revision, not both');
    const asked = number ?? another;
    const query: Record<string, string> =
      asked === undefined ? {} : { revision: readRevisionNumber(given, asked) };
    const shown = await connect(given.environment).ask(
      { method: 'GET', path, query },
      suiteCasesSchema.loose(),
    );
    return { kind: 'suite_shown', shown: { ...shown, cases: shown.cases.filter(filterOf(given)) } };
  },
};

/** Whether a case is among those that were asked for. Throws a usage error. */
function filterOf(given: Arguments): (testCase: SuiteCases['cases'][number]) => boolean {
  const [tags, owner, expiring] = [given.texts('tag'), given.text('owner'), given.text('expiring')];
  const [, days] = /^(\d{1,5})d?$/.exec(expiring ?? '') ?? [];
  if (expiring !== undefined && days === undefined) {
    throw given.wrong(`--expiring takes a number of days, as 30d, not ${expiring}`);
  }
  const until = Date.now() + Number(days ?? 0) * dayMs;
  return (testCase) =>
    tags.every((tag) => testCase.tags.includes(tag)) &&
    (owner === undefined || testCase.owner === owner) &&
    (days === undefined || (expiresAt(testCase)?.getTime() ?? Number.POSITIVE_INFINITY) <= until);
}

/** The path of the revision that was named. Throws a usage error. */
function pathOf(given: Arguments): string[] {
  return ['suites', readSuite(given), 'revisions', readRevisionNumber(given, given.requiredPositional(1))];
}

export function readSuite(given: Arguments): string {
  return readSuiteName(given, 'SUITE', given.requiredPositional(0));
}

/** The names of cases that were given. Throws a usage error. */
export function readCases(given: Arguments): string[] {
  const [, ...cases] = given.positionals();
  if (cases.length === 0) throw given.wrong('CASE is missing: give the names of cases');
  return cases;
}
