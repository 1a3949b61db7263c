/** `holdback alarms`: candidates that look as if they had seen a sealed suite, and suites whose references do not behave. */
import { z } from 'zod';
import { raisedAlarmSchema } from '../../gate/disclosure/disclosed.ts';
import { connect } from '../client.ts';
import type { Command } from '../command.ts';

export const alarmsCommand: Command = {
  words: 'alarms',
  about: 'List candidates that look as if they had seen a suite, and suites that judge nobody, newest first.',
  positionals: [],
  flags: {},
  async run(given) {
    const schema = z.object({ alarms: z.array(raisedAlarmSchema.loose()) });
    return {
      kind: 'alarms',
      ...(await connect(given.environment).ask({ method: 'GET', path: ['alarms'] }, schema)),
    };
  },
};
