/** `holdback suite publish`: cases that are burnt go to the visible tests, as a test file or as the data that they are. */
import { publicationSchema } from '../../suites/life/life.ts';
import { connect, json } from '../client.ts';
import type { Command } from '../command.ts';
import { visibleTest } from '../visible-test.ts';
import { writeOutput } from '../write-output.ts';
import { readCases, readSuite } from './suite-life.ts';

const formats = ['vitest', 'json'];

export const suitePublishCommand: Command = {
  words: 'suite publish',
  about: 'Publish cases that are retired, expired or spent to the visible tests.',
  positionals: [
    { name: 'SUITE', about: 'The suite.' },
    { name: 'CASE', about: 'The name of a case.', repeatable: true },
  ],
  flags: {
    format: { value: 'FORMAT', about: `What to write: ${formats.join(' or ')} (vitest).` },
    module: { value: 'PATH', about: 'What the test imports the candidate from (./index.ts).' },
    output: { value: 'FILE', about: 'Write it there; without it, to stdout.' },
  },
  notes: [
    'From then on everybody may read them: they can never be holdback again, and are no leak where they turn up.',
    'Example: holdback suite publish discounts "a code is used once" --output test/once-holdback.test.ts',
  ],
  async run(given) {
    const [suite, cases] = [readSuite(given), readCases(given)];
    const format = given.text('format') ?? 'vitest';
    if (!formats.includes(format)) throw given.wrong(`--format: ${formats.join(' or ')}, not ${format}`);
    const ask = { method: 'POST' as const, path: ['suites', suite, 'publications'], body: json({ cases }) };
    const publication = await connect(given.environment).ask(ask, publicationSchema.loose());
    const module = given.text('module') ?? './index.ts';
    const text =
      format === 'json' ? `${JSON.stringify(publication, null, 2)}\n` : visibleTest(publication, module);
    const output = given.text('output');
    if (output !== undefined) await writeOutput(output, text);
    return { kind: 'published', publication, text, output };
  },
};
