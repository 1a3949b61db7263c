/**
 * `holdback suite …`: what QA does. A suite is checked as far as a file can be, pushed to be sealed or sealed right here, and
 * activated.
 */
import { realpath, rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { receivedRevisionSchema, revisionSchema, slugSchema, suiteSchema } from '../../suites/suite.ts';
import type { Arguments } from '../arguments.ts';
import { type Client, connect, connectOpenly } from '../client.ts';
import type { Command } from '../command.ts';
import { usageError } from '../errors.ts';
import { withProgress } from '../progress.ts';
import { readSuiteSource, type SuiteSourceFile } from '../suite-source.ts';

const name = { name: 'NAME', about: 'The suite.' };
const file = { name: 'FILE', about: 'A .json file, or a module in .ts, .js or .mjs.' };
const answerSchema = revisionSchema.loose();
/** Who pushes a sealed suite may be answered less than its author. */
const pushedSchema = z.union([answerSchema, receivedRevisionSchema.loose()]);

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
  positionals: [name, { ...file, about: `${file.about} Or what \`holdback suite seal\` wrote.` }],
  flags: { activate: { about: 'Make it the active revision in the same step.' } },
  notes: [
    'A module is bundled with what it imports.',
    'A token of the role ci may push what is sealed already, as a draft.',
  ],
  async run(given) {
    const suite = readSuite(given);
    const source = await readSuiteSource(given.requiredPositional(1));
    const pushing = push(connect(), suite, source, given.has('activate'), pushedSchema);
    return { kind: 'revision', revision: await withProgress(`sealing suite ${suite}`, pushing) };
  },
};

export const suiteSealCommand: Command = {
  words: 'suite seal',
  about: 'Seal a suite right here, so that only the service can read it. It goes to stdout.',
  positionals: [file],
  flags: {
    suite: { value: 'NAME', about: 'The suite that it is to be pushed to; to no other it can be.' },
    recipient: { value: 'AGE1…', about: "The service's recipient; else HOLDBACK_URL is asked for it." },
    output: { value: 'FILE', about: 'Write it there instead.' },
  },
  notes: [
    'What it prints may lie in any repository; `holdback suite push NAME FILE` pushes it.',
    'Example: holdback suite seal discounts.ts --suite discounts > discounts.sealed',
  ],
  async run(given) {
    const path = given.requiredPositional(0);
    const suite = slugSchema.safeParse(given.required('suite'));
    if (!suite.success) throw given.wrong(`--suite: ${suite.error.issues[0]?.message}`);
    const output = given.text('output');
    if (output !== undefined && (await isSameFile(path, output))) {
      throw given.wrong('--output is FILE itself, which would be lost');
    }
    const source = await readSuiteSource(path);
    if (source.form === 'sealed') throw usageError(`${path} is sealed already: push it as it is`);
    // Loaded here, because every other command would wait for it too.
    const { sealFile } = await import('../../suites/sealed-file.ts');
    const recipient = given.text('recipient') ?? (await askRecipient());
    const sealed = await sealFile(suite.data, source.text, recipient).catch((cause: unknown) => {
      throw usageError(`${recipient} is not an age recipient (age1…)`, { cause });
    });
    if (output !== undefined) await writeOutput(output, sealed);
    return { kind: 'sealed', suite: suite.data, recipient, sealed, output };
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
export function pushSuite(client: Client, suite: string, source: SuiteSourceFile, activate: boolean) {
  return push(client, suite, source, activate, answerSchema);
}

function push<Answer>(
  client: Client,
  suite: string,
  { text }: SuiteSourceFile,
  activate: boolean,
  schema: z.ZodType<Answer>,
): Promise<Answer> {
  return client.ask(
    {
      method: 'POST',
      path: ['suites', suite, 'revisions'],
      query: { activate: String(activate) },
      body: { type: 'application/json', content: text },
    },
    schema,
  );
}

async function askRecipient(): Promise<string> {
  const { recipient } = await connectOpenly().ask(
    { method: 'GET', path: ['recipient'] },
    z.object({ recipient: z.string() }),
  );
  return recipient;
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const place = (path: string) => realpath(path).catch(() => resolve(path));
  return (await place(one)) === (await place(other));
}

async function writeOutput(path: string, text: string): Promise<void> {
  try {
    // Whatever is at that place, a link included, is replaced as a whole or not at all.
    const draft = `${path}.${process.pid}.draft`;
    await writeFile(draft, text, { flag: 'wx' });
    await rename(draft, path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : cause;
    throw usageError(`${path} cannot be written (${code})`, { cause });
  }
}

function readSuite(given: Arguments): string {
  const suite = slugSchema.safeParse(given.requiredPositional(0));
  if (suite.success) return suite.data;
  throw given.wrong(`NAME: ${suite.error.issues[0]?.message}`);
}
