/** `holdback suite check`: tells what is wrong with suites, by file and line; all that can be told without the service, and the rest with it. */
import type { Arguments } from '../arguments.ts';
import { type Client, connect } from '../client.ts';
import type { Command } from '../command.ts';
import { CommandError, usageError } from '../errors.ts';
import { checkAs, checkAsItself } from '../suite-checking.ts';
import { type Findings, SuiteRefused } from '../suite-refused.ts';
import { readSuiteSource, type SuiteSourceFile } from '../suite-source.ts';
import { readSuiteName } from './suite.ts';

/** What is known of one file. */
export type CheckedFile = {
  file: string;
  /** Null where the file is none of them. */
  form: SuiteSourceFile['form'] | null;
  /** Null where nobody could count them. */
  caseCount: number | null;
  findings: Findings;
  /** What its author should know all the same. */
  notes: string[];
  /** Whether the service looked at it too. */
  complete: boolean;
};

export const suiteCheckCommand: Command = {
  words: 'suite check',
  about: 'Tell what is wrong with suites: file, line, and what to do. Nothing is stored.',
  positionals: [
    { name: 'FILE', about: 'A .json or .yaml file, or a module in .ts, .js or .mjs.', repeatable: true },
  ],
  flags: {
    offline: { about: 'Do not ask the service: modules are then bundled, and their cases not checked.' },
    suite: { value: 'NAME', about: 'The suite it is meant for, if the file does not say.' },
  },
  notes: [
    'Without HOLDBACK_TOKEN it is as with --offline. A token of the role author is needed otherwise.',
    'It ends with 2 if something is wrong.',
  ],
  async run(given) {
    const paths = given.positionals();
    if (paths.length === 0) throw given.wrong('FILE is missing');
    const name = given.text('suite');
    const suite = name === undefined ? undefined : readSuiteName(given, '--suite', name);
    if (suite !== undefined && paths.length > 1) throw usageError('--suite is for one FILE');
    const client = given.has('offline') ? undefined : connectIfThereIsAToken(given);
    const files: CheckedFile[] = [];
    for (const path of paths) files.push(await checkFile(path, suite, client));
    return { kind: 'suites_checked', files };
  },
};

async function checkFile(
  file: string,
  suite: string | undefined,
  client: Client | undefined,
): Promise<CheckedFile> {
  const none: Findings = { told: [], more: 0 };
  try {
    const source = await readSuiteSource(file);
    const { form } = source;
    const caseCount = form === 'cases' ? source.caseCount : null;
    const known = { file, form, caseCount, findings: none, notes: [], complete: false };
    // Of a sealed one not even the name is known here.
    if (client === undefined || (form === 'sealed' && suite === undefined)) return known;
    const { check, findings } =
      suite === undefined
        ? await checkAsItself(client, source)
        : await checkAs(client, suite, source, { changes: false });
    return { ...known, caseCount: check.cases, findings, notes: check.notes, complete: true };
  } catch (error) {
    if (!(error instanceof SuiteRefused)) throw error;
    return { file, form: null, caseCount: null, findings: error.findings, notes: [], complete: true };
  }
}

function connectIfThereIsAToken(given: Arguments): Client | undefined {
  try {
    return connect(given.environment);
  } catch (error) {
    if (error instanceof CommandError && error.code === 'token_missing') return undefined;
    throw error;
  }
}
