/** `holdback suite push`: has a suite sealed as the next revision of its name, once it is shown what that changes. */
import { z } from 'zod';
import { receivedRevisionSchema } from '../../suites/suite.ts';
import type { Arguments } from '../arguments.ts';
import { type Client, connect } from '../client.ts';
import type { Command } from '../command.ts';
import { confirm, isAttended } from '../confirm.ts';
import { CommandError, usageError } from '../errors.ts';
import { withProgress } from '../progress.ts';
import { changeLines } from '../suite-changes.ts';
import { type Checked, checkAs, checkAsItself, requireSound } from '../suite-checking.ts';
import { readSuiteSource, type SuiteSourceFile } from '../suite-source.ts';
import { push, readSuiteName, revisionAnswerSchema } from './suite.ts';

/** Who pushes a sealed suite may be answered less than its author. */
const pushedSchema = z.union([revisionAnswerSchema, receivedRevisionSchema.loose()]);

export const suitePushCommand: Command = {
  words: 'suite push',
  about: 'Have a suite sealed as the next revision of its name, after showing what changes.',
  positionals: [
    { name: 'NAME', about: 'The suite; without it, what the file calls it.', optional: true },
    {
      name: 'FILE',
      about: 'A .json or .yaml file, a module in .ts, .js or .mjs, or what `holdback suite seal` wrote.',
    },
  ],
  flags: {
    activate: { about: 'Make it the active revision in the same step.' },
    yes: { about: 'Push it without asking. Needed where nobody can be asked and a revision is active.' },
  },
  notes: [
    'A module is bundled with what it imports.',
    'What it prints names cases: keep it out of logs that agents read.',
    'What is sealed already is pushed as it is: its author has looked at it.',
    'A token of the role ci may push what is sealed already, as a draft.',
  ],
  async run(given, say) {
    const { name, path } = readOperands(given);
    const source = await readSuiteSource(path);
    const client = connect(given.environment);
    const suite = name ?? (await nameOf(client, source));
    if (source.form === 'sealed') return pushNow(client, suite, source, given.has('activate'));
    const checked = await checkAs(client, suite, source, { changes: true });
    requireSound(source, checked);
    for (const line of changeLines(checked)) say(line);
    await requireYes(checked, { path, yes: given.has('yes'), isJson: given.has('json') });
    return {
      ...(await pushNow(client, suite, source, given.has('activate'))),
      changes: checked.check.changes,
    };
  },
};

function readOperands(given: Arguments): { name: string | undefined; path: string } {
  const [first, second] = given.positionals();
  if (first === undefined) throw given.wrong('FILE is missing');
  if (second === undefined) return { name: undefined, path: first };
  return { name: readSuiteName(given, 'NAME', first), path: second };
}

/** What a suite calls itself. Of a module only the service may find out, because it is not run here. */
async function nameOf(client: Client, source: SuiteSourceFile): Promise<string> {
  const unnamed = usageError(
    `${source.path} does not say which suite it is: write \`holdback suite push NAME ${source.path}\`${source.form === 'sealed' ? '' : ', or put a name into it'}`,
  );
  if (source.form === 'sealed') throw unnamed;
  if (source.form === 'cases') {
    if (source.name === undefined) throw unnamed;
    return source.name;
  }
  const checked = await checkAsItself(client, source);
  requireSound(source, checked);
  if (checked.check.name === null) throw unnamed;
  return checked.check.name;
}

async function requireYes(
  { suite, check }: Checked,
  { path, yes, isJson }: { path: string; yes: boolean; isJson: boolean },
): Promise<void> {
  if (yes) return;
  if (isAttended() && !isJson) {
    if (await confirm('Push this?')) return;
    throw new CommandError('usage', 'declined', 'nothing was pushed');
  }
  if (check.activeRevision === null) return;
  throw usageError(
    `suite ${suite} has an active revision, and nobody can be asked here: look at what changes, then write \`holdback suite push ${suite} ${path} --yes\``,
  );
}

async function pushNow(client: Client, suite: string, source: SuiteSourceFile, activate: boolean) {
  const pushing = push(client, suite, source, activate, pushedSchema);
  return { kind: 'revision' as const, revision: await withProgress(`sealing suite ${suite}`, pushing) };
}
