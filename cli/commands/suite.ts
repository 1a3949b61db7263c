/**
 * `holdback suite …`: what QA does. A suite is sealed right here, activated and listed; checking and pushing have files of their
 * own.
 */
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { activatedRevisionSchema, type Suite, slugSchema, suiteSchema } from '../../suites/suite.ts';
import type { Arguments } from '../arguments.ts';
import { type Client, connect, connectOpenly } from '../client.ts';
import type { Command } from '../command.ts';
import { usageError } from '../errors.ts';
import { withProgress } from '../progress.ts';
import { readSuiteSource, type SuiteSourceFile } from '../suite-source.ts';
import { writeOutput } from '../write-output.ts';

const name = { name: 'NAME', about: 'The suite.' };
const file = { name: 'FILE', about: 'A .json or .yaml file, or a module in .ts, .js or .mjs.' };
export const revisionAnswerSchema = activatedRevisionSchema.loose();

/** An activation runs the builds that a suite holds, and may take this much longer than other answers, in milliseconds. */
export const roundsWaitMs = 170_000;

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
    const suite = readSuiteName(given, '--suite', given.required('suite'));
    const output = given.text('output');
    if (output !== undefined && (await isSameFile(path, output))) {
      throw given.wrong('--output is FILE itself, which would be lost');
    }
    const source = await readSuiteSource(path);
    if (source.form === 'sealed') throw usageError(`${path} is sealed already: push it as it is`);
    if (source.form === 'cases' && source.name !== undefined && source.name !== suite) {
      throw usageError(`${path} calls itself ${source.name}: seal it as that, or change its name`);
    }
    // Loaded here, because every other command would wait for it too.
    const { sealFile } = await import('../../suites/sealing/sealed-file.ts');
    const recipient = given.text('recipient') ?? (await askRecipient(given));
    const sealed = await sealFile(suite, source.text, recipient).catch((cause: unknown) => {
      throw usageError(`${recipient} is not an age recipient (age1…)`, { cause });
    });
    if (output !== undefined) await writeOutput(output, sealed);
    return { kind: 'sealed', suite, recipient, sealed, output };
  },
};

export const suiteActivateCommand: Command = {
  words: 'suite activate',
  about: 'Make a revision the active one: gates require it from then on.',
  positionals: [name, { name: 'REVISION', about: 'Its number.' }],
  flags: {},
  async run(given) {
    const suite = readSuiteName(given, 'NAME', given.requiredPositional(0));
    const revision = readRevisionNumber(given, given.requiredPositional(1));
    const path = ['suites', suite, 'revisions', revision, 'activate'];
    const asking = connect(given.environment).ask(
      { method: 'POST', path, waitMs: roundsWaitMs },
      revisionAnswerSchema,
    );
    return {
      kind: 'revision',
      revision: await withProgress(`activating revision ${revision} of ${suite}`, asking),
    };
  },
};

export const suiteListCommand: Command = {
  words: 'suite list',
  about: 'List the suites.',
  positionals: [],
  flags: {},
  async run(given) {
    const schema = z.object({ suites: z.array(suiteSchema.loose()) });
    return {
      kind: 'suites',
      ...(await connect(given.environment).ask({ method: 'GET', path: ['suites'] }, schema)),
    };
  },
};

/** Has a suite sealed. Throws CommandError. */
export function pushSuite(client: Client, suite: string, source: SuiteSourceFile, activate: boolean) {
  return push(client, suite, source, activate, revisionAnswerSchema);
}

/** Has a suite sealed, and answers by the schema. Throws CommandError. */
export function push<Answer>(
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
      ...(activate ? { waitMs: roundsWaitMs } : {}),
    },
    schema,
  );
}

async function askRecipient(given: Arguments): Promise<string> {
  const { recipient } = await connectOpenly(given.environment).ask(
    { method: 'GET', path: ['recipient'] },
    z.object({ recipient: z.string() }),
  );
  return recipient;
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const place = (path: string) => realpath(path).catch(() => resolve(path));
  return (await place(one)) === (await place(other));
}

/** A suite and its revisions. Throws CommandError. */
export function readSuite(client: Client, suite: string): Promise<Suite> {
  return client.ask({ method: 'GET', path: ['suites', suite] }, suiteSchema.loose());
}

/** The number of a revision as it was given. Throws a usage error. */
export function readRevisionNumber(given: Arguments, text: string): string {
  if (/^[1-9]\d{0,8}$/.test(text)) return text;
  throw given.wrong(`REVISION is a number from 1, not ${text}`);
}

/** A name of a suite as it was given. Throws a usage error. */
export function readSuiteName(given: Arguments, what: string, text: string): string {
  const suite = slugSchema.safeParse(text);
  if (suite.success) return suite.data;
  throw given.wrong(`${what}: ${suite.error.issues[0]?.message}`);
}
