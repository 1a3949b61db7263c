/** `holdback replay`: runs a score again on the inputs of then, and tells the smallest inputs on which generated cases fail. */
import { replaySchema } from '../../gate/disclosure/disclosed.ts';
import { connect } from '../client.ts';
import type { Command } from '../command.ts';
import { withProgress } from '../progress.ts';
import { readScoreId, scorePositional } from '../score-id.ts';

/** A replay takes as long as a score and the search for small inputs, in milliseconds. */
const replayMsMax = 600_000;

export const replayCommand: Command = {
  words: 'replay',
  about: 'Run a score again on the same inputs, and make failing ones small.',
  positionals: [scorePositional],
  flags: {},
  notes: [
    'For authors: what it prints names cases and inputs, so keep it out of logs that agents read.',
    'It counts against nothing, and changes no verdict. That it was asked for is recorded in the audit.',
  ],
  async run(given) {
    const id = readScoreId(given);
    const replay = await withProgress(
      'replaying',
      connect(given.environment).ask(
        { method: 'POST', path: ['scores', id, 'replay'], waitMs: replayMsMax },
        replaySchema.loose(),
      ),
    );
    return { kind: 'replay', replay };
  },
};
