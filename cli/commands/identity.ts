/** `holdback identity …`: what an admin does when the identity that opens the suites is to be another one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { identityStateSchema } from '../../suites/sealing/identity-state.ts';
import { type Client, connect } from '../client.ts';
import type { Command } from '../command.ts';
import { withProgress } from '../progress.ts';

const answerSchema = identityStateSchema.loose();

/** How long the service may take to answer besides, and how often it is asked how far it is, in milliseconds. */
const rotateMsMax = 60_000;
const askAgainMs = 1_000;

export const identityShowCommand: Command = {
  words: 'identity show',
  about: 'Show what suites are sealed to, and whether a rotation is under way.',
  positionals: [],
  flags: {},
  async run(given) {
    return { kind: 'identity', identity: await readIdentity(connect(given.environment)) };
  },
};

export const identityRotateCommand: Command = {
  words: 'identity rotate',
  about: 'Make a new identity, seal everything anew, and throw the old one away.',
  positionals: [],
  flags: {},
  notes: [
    'What was sealed to the old one elsewhere has to be sealed again.',
    'Other processes that share the database have to be restarted with the new identity file.',
  ],
  async run(given) {
    const client = connect(given.environment);
    return { kind: 'identity', identity: await withProgress('rotating the identity', rotate(client)) };
  },
};

async function rotate(client: Client) {
  const path = ['identity', 'rotate'];
  let identity = await client.ask({ method: 'POST', path, waitMs: rotateMsMax }, answerSchema);
  while (identity.state === 'resealing') {
    await sleep(askAgainMs);
    identity = await readIdentity(client);
  }
  return identity;
}

function readIdentity(client: Client) {
  return client.ask({ method: 'GET', path: ['identity'] }, answerSchema);
}
