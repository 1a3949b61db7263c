/** Kills nodes that work, one after the other, while two of them work off what callers ask. */
import type { Part } from './part.ts';
import { Traffic } from './traffic.ts';

export const killRunners: Part = {
  name: 'kill-runners',
  what: 'kill -9 of a runner node at work',
  count: 1_000,
  run: async (fleet, count) => {
    await fleet.startNode('api');
    await fleet.makeGate('kill-runners');
    const traffic = new Traffic(fleet, { gate: 'kill-runners', callers: 8, work: 50 });
    traffic.start();
    let doomed = await fleet.startNode('runner');
    for (let faults = 0; faults < count; faults++) {
      const next = await fleet.startNode('runner');
      await traffic.more(1);
      await fleet.kill(doomed);
      doomed = next;
    }
    return { faults: count, tally: await traffic.end(), notes: [], broken: [] };
  },
};
