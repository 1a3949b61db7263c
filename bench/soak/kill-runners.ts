/** Kills nodes that work, while others, as many as start meanwhile, work off what callers ask. */
import { inTurn } from './in-turn.ts';
import type { Part } from './part.ts';
import { Traffic } from './traffic.ts';

export const killRunners: Part = {
  name: 'kill-runners',
  what: 'kill -9 of a runner node at work',
  count: 1_000,
  run: async (fleet, count) => {
    await fleet.startNode('api');
    await fleet.makeGate('kill-runners');
    // Many, because whoever waits on a node that died waits until its lease has lapsed; not all at once, because nodes have to start.
    const traffic = new Traffic(fleet, { gate: 'kill-runners', callers: 12, restMs: 5_000 });
    traffic.start();
    await inTurn(fleet, {
      role: 'runner',
      count,
      environment: { HOLDBACK_POOL: '1' },
      between: () => traffic.more(1),
    });
    return { faults: count, tally: await traffic.end(), notes: [], broken: [] };
  },
};
