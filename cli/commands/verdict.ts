/** `holdback verdict`: asks for the verdict that stands, without scoring anything. Its exit code is the verdict. */

import { verdictSchema } from '../../gate/disclosure/disclosed.ts';
import { digestSchema } from '../../gate/gate.ts';
import type { Arguments } from '../arguments.ts';
import { entryFlag, readGivenBuild } from '../build.ts';
import { changeFlags, questionFlags, readChange, readGate } from '../change.ts';
import { connect } from '../client.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../errors.ts';

export const verdictCommand: Command = {
  words: 'verdict',
  about: 'Tell the verdict that stands for exactly this commit and build.',
  positionals: [{ name: 'FILE', about: 'The build: one module.', optional: true }],
  flags: {
    ...questionFlags,
    repository: changeFlags.repository,
    candidate: { value: 'DIGEST', about: "The build's digest, sha256:…, instead of the build." },
    entry: entryFlag,
  },
  notes: ['Exit codes: 0 merge, 1 block, 2 usage, 3 no verdict could be had.'],
  async run(given) {
    const gate = readGate(given);
    const candidate = await readDigest(given);
    const { id: change, commit, repository } = await readChange(given);
    const question = { gate, change, commit, candidate, ...(repository === undefined ? {} : { repository }) };
    const verdict = await connect(given.environment).ask(
      { method: 'GET', path: ['verdict'], query: question },
      verdictSchema.loose(),
    );
    const isSame = Object.entries(question).every(([field, text]) => verdict[field] === text);
    if (isSame) return { kind: 'verdict', verdict };
    throw new CommandError('service', 'answer_about_something_else', 'the service answered another question');
  },
};

async function readDigest(given: Arguments): Promise<string> {
  const text = given.text('candidate');
  if (text === undefined) return (await readGivenBuild(given)).digest;
  if (given.positional(0) !== undefined || given.has('entry')) {
    throw given.wrong('give one of FILE, --entry and --candidate');
  }
  const digest = digestSchema.safeParse(text);
  if (digest.success) return digest.data;
  throw given.wrong(`--candidate: ${digest.error.issues[0]?.message}`);
}
