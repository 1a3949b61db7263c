/** `holdback override`: a person with the right to lets one blocked commit and candidate merge, and says why. */
import { wellFormed } from '../../gate/gate.ts';
import { connect, json } from '../client.ts';
import type { Command } from '../command.ts';
import { readScoreId, scorePositional } from '../score-id.ts';
import { finishedAnswerSchema } from '../scoring.ts';

export const overrideCommand: Command = {
  words: 'override',
  about: 'Approve that the commit and candidate of a blocked score may merge.',
  positionals: [scorePositional],
  flags: { reason: { value: 'TEXT', about: 'Why, for those who read history.' } },
  notes: [
    'It holds for that very gate, change, commit and candidate; the score stays as it is.',
    'Where the gate asks for two people, two have to approve.',
  ],
  async run(given) {
    const id = readScoreId(given);
    const reason = wellFormed(2_000).safeParse(given.required('reason'));
    if (!reason.success) throw given.wrong(`--reason: ${reason.error.issues[0]?.message}`);
    const score = await connect(given.environment).ask(
      { method: 'POST', path: ['scores', id, 'override'], body: json({ reason: reason.data }) },
      finishedAnswerSchema,
    );
    return { kind: 'score', score, waitSeconds: 0 };
  },
};
