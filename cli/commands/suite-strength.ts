/** `holdback suite strength`: how many mutants of a good build a suite kills, and which of its cases do it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Measurement, measurementSchema, type StrengthReport } from '../../gate/strength/strength.ts';
import { readBuild } from '../build.ts';
import { type Client, connect, json } from '../client.ts';
import type { Command } from '../command.ts';
import { CommandError, usageError } from '../errors.ts';
import { progressBar, withProgress } from '../progress.ts';
import { readRevisionNumber, readSuite, readSuiteName } from './suite.ts';

/** How often the service is asked how far it is, in milliseconds. */
const askMs = 500;

export const suiteStrengthCommand: Command = {
  words: 'suite strength',
  about: 'Make mutants of a good build, and tell how many of them a suite kills and which it does not.',
  positionals: [{ name: 'NAME', about: 'The suite.' }],
  flags: {
    revision: { value: 'N', about: 'Its revision; the newest, if left out.' },
    build: {
      value: 'MODULE',
      about:
        'Bundle this module and make mutants of it, in place of a good reference that the revision holds.',
    },
    reference: { value: 'REFERENCE', about: 'Which good reference to take; the first, if left out.' },
    full: { about: 'Run every case on every mutant, and not just until one kills it.' },
    mutants: { value: 'N', about: 'Run at most so many mutants (2,000).' },
    'at-least': { value: 'SHARE', about: 'End with 1 if a smaller share is killed, as 80% or 0.8.' },
  },
  notes: [
    'What is bundled from node_modules is not changed. Mutants run on what scores leave of the machine.',
    'What it prints names cases: keep it out of logs that agents read.',
    'Example: holdback suite strength discounts --build src/index.ts --full',
  ],
  async run(given) {
    const suite = readSuiteName(given, 'NAME', given.requiredPositional(0));
    const atLeast = given.share('at-least', { min: 0, max: 1 });
    const mutants = given.number('mutants', { min: 1, max: 20_000, whole: true });
    const [entry, reference] = [given.text('build'), given.text('reference')];
    if (entry !== undefined && reference !== undefined)
      throw given.wrong('give either --build or --reference, not both');
    const build = entry === undefined ? undefined : await readBuild({ entry });
    const client = connect(given.environment);
    const number = given.text('revision');
    const revision =
      number === undefined ? await newestRevision(client, suite) : readRevisionNumber(given, number);
    const request = {
      ...(build === undefined ? {} : { build: new TextDecoder().decode(build.bytes) }),
      ...(reference === undefined ? {} : { reference }),
      ...(mutants === undefined ? {} : { mutants }),
      full: given.has('full'),
    };
    const path = ['suites', suite, 'revisions', revision, 'strength'];
    const begun = await client.ask({ method: 'POST', path, body: json(request) }, measurementSchema);
    let now: Measurement = begun;
    const waiting = endOf(client, [...path, begun.id], (seen) => {
      now = seen;
    });
    const report = await withProgress(() => `${suite}: ${stateOf(now)}`, waiting);
    return { kind: 'strength', report, atLeast };
  },
};

async function newestRevision(client: Client, suite: string): Promise<string> {
  const { revisions } = await readSuite(client, suite);
  const [newest] = revisions;
  if (newest === undefined) throw usageError(`suite ${suite} has no revision: push one first`);
  return `${newest.revision}`;
}

/** Asks until the measurement has ended. Throws a CommandError if it failed. */
async function endOf(
  client: Client,
  path: string[],
  onSeen: (measurement: Measurement) => void,
): Promise<StrengthReport> {
  for (;;) {
    const measurement = await client.ask({ method: 'GET', path }, measurementSchema);
    if (measurement.state === 'finished') return measurement.report;
    if (measurement.state === 'failed') {
      const isAsked = ['build_not_good', 'build_not_mutable'].includes(measurement.code);
      throw new CommandError(isAsked ? 'usage' : 'service', measurement.code, measurement.message);
    }
    onSeen(measurement);
    await sleep(askMs);
  }
}

const doings = {
  waiting: 'waits for another measurement',
  making_mutants: 'making mutants',
  running_build: 'running the build itself',
  running_mutants: '',
};

function stateOf(measurement: Measurement): string {
  if (measurement.state !== 'running') return '';
  const { doing, done, mutants } = measurement;
  return doing === 'running_mutants' ? progressBar(done, mutants) : doings[doing];
}
