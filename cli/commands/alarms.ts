/** `holdback alarms`: candidates that look as if they had seen a sealed suite. */
import { z } from 'zod';
import { raisedAlarmSchema } from '../../gate/disclosed.ts';
import { connect } from '../client.ts';
import type { Command } from '../command.ts';

export const alarmsCommand: Command = {
  words: 'alarms',
  about: 'List the candidates that look as if they had seen a suite, newest first.',
  positionals: [],
  flags: {},
  async run() {
    const schema = z.object({ alarms: z.array(raisedAlarmSchema.loose()) });
    return { kind: 'alarms', ...(await connect().ask({ method: 'GET', path: ['alarms'] }, schema)) };
  },
};
