/** Sets the clocks of nodes by hours and days, forwards and back, and holds nodes up as a machine does that sleeps. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Part } from './part.ts';
import { Traffic } from './traffic.ts';

/** Long enough that leases lapse meanwhile, in milliseconds. */
const asleepMs = 16_000;

/** Of so many jumps one is a sleep instead. */
const sleepEvery = 20;

export const jumpClocks: Part = {
  name: 'jump-clocks',
  what: "a node's clock set by hours or a day, or its machine asleep",
  count: 100,
  run: async (fleet, count) => {
    const shifted = { NODE_OPTIONS: `--import=${new URL('shifted-clock.ts', import.meta.url)}` };
    const nodes = [
      await fleet.startNode('api', shifted),
      await fleet.startNode('runner', shifted),
      await fleet.startNode('runner'),
    ];
    await fleet.makeGate('jump-clocks');
    const traffic = new Traffic(fleet, { gate: 'jump-clocks', callers: 6, work: 20 });
    traffic.start();
    for (let faults = 0; faults < count; faults++) {
      await traffic.more(3);
      if (faults % sleepEvery === 1) {
        const [, , runner] = nodes;
        runner?.process.child.kill('SIGSTOP');
        await sleep(asleepMs);
        runner?.process.child.kill('SIGCONT');
      } else nodes[faults % 2]?.process.child.kill('SIGUSR2');
    }
    return { faults: count, tally: await traffic.end(), notes: [], broken: [] };
  },
};
