/** `holdback suite …`: what QA does. A suite is checked as far as a file can be, pushed to be sealed, and activated. */
import { z } from 'zod';
import { revisionSchema, slugSchema, suiteSchema } from '../../suites/suite.ts';
import type { Arguments } from '../arguments.ts';
import { type Client, connect } from '../client.ts';
import type { Command } from '../command.ts';
import { withProgress } from '../progress.ts';
import { readSuiteSource, type SuiteSourceFile } from '../suite-source.ts';

const name = { name: 'NAME', about: 'The suite.' };
const file = { name: 'FILE', about: 'A .json file, or a module in .ts, .js or .mjs.' };
const answerSchema = revisionSchema.loose();

export const suiteCheckCommand: Command = {
  words: 'suite check',
  about: 'Check the form of a suite without a service: JSON by its schema, a module by bundling it.',
  positionals: [file],
  flags: {},
  async run(given) {
    const path = given.requiredPositional(0);
    const source = await readSuiteSource(path);
    const caseCount = source.form === 'cases' ? source.caseCount : null;
    return { kind: 'suite_checked', file: path, form: source.form, caseCount };
  },
};

export const suitePushCommand: Command = {
  words: 'suite push',
  about: 'Have a suite sealed as the next revision of its name.',
  positionals: [name, file],
  flags: { activate: { about: 'Make it the active revision in the same step.' } },
  notes: ['A module is bundled with what it imports.'],
  async run(given) {
    const suite = readSuite(given);
    const source = await readSuiteSource(given.requiredPositional(1));
    const pushing = pushSuite(connect(), suite, source, given.has('activate'));
    return { kind: 'revision', revision: await withProgress(`sealing suite ${suite}`, pushing) };
  },
};

export const suiteActivateCommand: Command = {
  words: 'suite activate',
  about: 'Make a revision the active one: gates require it from then on.',
  positionals: [name, { name: 'REVISION', about: 'Its number.' }],
  flags: {},
  async run(given) {
    const suite = readSuite(given);
    const revision = given.requiredPositional(1);
    if (!/^[1-9]\d{0,8}$/.test(revision)) throw given.wrong(`REVISION is a number from 1, not ${revision}`);
    const path = ['suites', suite, 'revisions', revision, 'activate'];
    return { kind: 'revision', revision: await connect().ask({ method: 'POST', path }, answerSchema) };
  },
};

export const suiteListCommand: Command = {
  words: 'suite list',
  about: 'List the suites.',
  positionals: [],
  flags: {},
  async run() {
    const schema = z.object({ suites: z.array(suiteSchema.loose()) });
    return { kind: 'suites', ...(await connect().ask({ method: 'GET', path: ['suites'] }, schema)) };
  },
};

/** Has a suite sealed. Throws CommandError. */
export function pushSuite(client: Client, suite: string, { text }: SuiteSourceFile, activate: boolean) {
  return client.ask(
    {
      method: 'POST',
      path: ['suites', suite, 'revisions'],
      query: { activate: String(activate) },
      body: { type: 'application/json', content: text },
    },
    answerSchema,
  );
}

function readSuite(given: Arguments): string {
  const suite = slugSchema.safeParse(given.requiredPositional(0));
  if (suite.success) return suite.data;
  throw given.wrong(`NAME: ${suite.error.issues[0]?.message}`);
}
