/** Tells nodes to stop whose hosts are wedged: they give back what they cannot end, and are gone within ten seconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import { hostsOf } from '../../test/processes.ts';
import type { Part } from './part.ts';
import { Traffic } from './traffic.ts';

const drainMsMax = 10_000;

export const stopWedged: Part = {
  name: 'stop-wedged',
  what: 'SIGTERM of a runner node whose hosts are wedged',
  count: 20,
  run: async (fleet, count) => {
    await fleet.startNode('api');
    await fleet.makeGate('stop-wedged');
    const traffic = new Traffic(fleet, { gate: 'stop-wedged', callers: 3, work: 1_000 });
    traffic.start();
    const broken: string[] = [];
    let slowestMs = 0;
    for (let faults = 0; faults < count; faults++) {
      const node = await fleet.startNode('runner');
      await sleep(500);
      const hosts = hostsOf(node.pid);
      for (const { pid } of hosts) signal(pid, 'SIGSTOP');
      const told = performance.now();
      await node.process.end();
      slowestMs = Math.max(slowestMs, performance.now() - told);
      if ((await node.process.ended) !== 0) broken.push(`a node ended with ${await node.process.ended}`);
      const left = hosts.filter(({ pid }) => signal(pid, 0));
      if (left.length > 0) broken.push(`${left.length} hosts were left behind`);
    }
    if (slowestMs > drainMsMax) broken.push('a node took longer than ten seconds to stop');
    await fleet.startNode('runner');
    const notes = [`the slowest stop took ${(slowestMs / 1_000).toFixed(1)} s`];
    return { faults: count, tally: await traffic.end(), notes, broken };
  },
};

/** Whether the process was there. */
function signal(pid: number, what: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, what);
  } catch {
    return false;
  }
}
