/**
 * Kills hosts and graders, at whatever they are. A host that ends once it has loaded a candidate is the candidate's failure, because
 * from outside nobody can tell whose it was: that right candidates are blocked by it is counted here, and no green may come of it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Part } from './part.ts';
import { Traffic } from './traffic.ts';

export const killHosts: Part = {
  name: 'kill-hosts',
  what: 'kill -9 of a host or grader',
  count: 1_000,
  run: async (fleet, count) => {
    await fleet.startNode('api');
    await fleet.startNode('runner');
    await fleet.makeGate('kill-hosts');
    const traffic = new Traffic(fleet, { gate: 'kill-hosts', callers: 4 });
    traffic.start();
    for (let faults = 0; faults < count; ) {
      const hosts = fleet.hosts();
      const host = hosts[Math.floor(Math.random() * hosts.length)];
      if (host === undefined || !killed(host.pid)) {
        await sleep(20);
        continue;
      }
      faults++;
      // Where every host were killed before it has done anything, nothing would be decided but that.
      await traffic.more(1);
    }
    const tally = await traffic.end();
    const { wrong } = tally;
    const notes = [`${wrong} right candidates were blocked because their own host was killed beneath them`];
    return {
      faults: count,
      tally: { ...tally, wrong: 0 },
      notes,
      broken: wrong > count ? ['more right candidates were blocked than hosts killed'] : [],
    };
  },
};

function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    // It ended first.
    return false;
  }
}
