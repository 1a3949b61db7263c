/** Kills nodes that answer, while callers wait on them: each asks another node with its own key, and hears of the same score. */
import { inTurn } from './in-turn.ts';
import type { Part } from './part.ts';
import { Traffic } from './traffic.ts';

export const killApiNodes: Part = {
  name: 'kill-api-nodes',
  what: 'kill -9 of an API node that callers wait on',
  count: 200,
  run: async (fleet, count) => {
    // It answers on behalf of whoever makes the gate, and is killed in the end.
    const first = await fleet.startNode('api');
    await fleet.startNode('runner');
    await fleet.makeGate('kill-api-nodes');
    const traffic = new Traffic(fleet, { gate: 'kill-api-nodes', callers: 8 });
    traffic.start();
    await inTurn(fleet, { role: 'api', count: count - 1, between: () => traffic.more(2) });
    await fleet.kill(first);
    return { faults: count, tally: await traffic.end(), notes: [], broken: [] };
  },
};
