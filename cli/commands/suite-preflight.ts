/** `holdback suite preflight`: has the builds that a suite holds run, and tells whether they behave. Nothing is activated. */
import { preflightSchema } from '../../gate/activation/preflight-report.ts';
import { connect } from '../client.ts';
import type { Command } from '../command.ts';
import { usageError } from '../errors.ts';
import { withProgress } from '../progress.ts';
import { readRevisionNumber, readSuite, readSuiteName, roundsWaitMs } from './suite.ts';

export const suitePreflightCommand: Command = {
  words: 'suite preflight',
  about: 'Run the builds that a suite holds: right ones must pass, wrong ones must be blocked.',
  positionals: [
    { name: 'NAME', about: 'The suite.' },
    { name: 'REVISION', about: 'Its number; the newest, if left out.', optional: true },
  ],
  flags: {
    rounds: { value: 'N', about: 'How often each is run, in other orders and with other chance (1 to 50).' },
  },
  notes: [
    'An activation does this by itself. It ends with 1 if a build does not behave.',
    'What it prints names cases: keep it out of logs that agents read.',
  ],
  async run(given) {
    const suite = readSuiteName(given, 'NAME', given.requiredPositional(0));
    const client = connect(given.environment);
    const number = given.positional(1);
    const revision = number === undefined ? await newest(suite) : readRevisionNumber(given, number);
    const rounds = given.text('rounds');
    const asking = client.ask(
      {
        method: 'POST',
        path: ['suites', suite, 'revisions', revision, 'preflight'],
        ...(rounds === undefined ? {} : { query: { rounds } }),
        waitMs: roundsWaitMs,
      },
      preflightSchema.loose(),
    );
    const preflight = await withProgress(`running the references of suite ${suite}`, asking);
    return { kind: 'preflight', preflight };

    async function newest(name: string): Promise<string> {
      const { revisions } = await readSuite(client, name);
      const [first] = revisions;
      if (first === undefined) throw usageError(`suite ${name} has no revision: push one first`);
      return `${first.revision}`;
    }
  },
};
