/** Kills nodes that answer, while callers wait on them: each asks another node with its own key, and hears of the same score. */
import type { Part } from './part.ts';
import { Traffic } from './traffic.ts';

export const killApiNodes: Part = {
  name: 'kill-api-nodes',
  what: 'kill -9 of an API node that callers wait on',
  count: 200,
  run: async (fleet, count) => {
    let doomed = await fleet.startNode('api');
    await fleet.startNode('runner');
    await fleet.makeGate('kill-api-nodes');
    const traffic = new Traffic(fleet, { gate: 'kill-api-nodes', callers: 8 });
    traffic.start();
    for (let faults = 0; faults < count; faults++) {
      const next = await fleet.startNode('api');
      await traffic.more(2);
      await fleet.kill(doomed);
      doomed = next;
    }
    return { faults: count, tally: await traffic.end(), notes: [], broken: [] };
  },
};
