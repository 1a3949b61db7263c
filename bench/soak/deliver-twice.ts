/**
 * Gives a job out a second time while the first node is still at it, as the queue does with a lease that has lapsed: two nodes score the
 * same, and one of them appends the verdict.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Part } from './part.ts';
import { Traffic } from './traffic.ts';

export const deliverTwice: Part = {
  name: 'deliver-twice',
  what: 'a job delivered to a second node while the first works at it',
  count: 100,
  run: async (fleet, count) => {
    await fleet.startNode('api');
    await Promise.all([fleet.startNode('runner'), fleet.startNode('runner')]);
    await fleet.makeGate('deliver-twice');
    const traffic = new Traffic(fleet, { gate: 'deliver-twice', callers: 2, work: 300 });
    traffic.start();
    let faults = 0;
    while (faults < count) {
      await sleep(50);
      // What the queue's supervisor does with a lease that has lapsed. Each job once: the second failure would be the last.
      const again = await fleet.sql`
        UPDATE pgboss.job SET state = 'retry', start_after = now()
        WHERE name = 'scores' AND state = 'active' AND retry_count = 0 RETURNING id, pg_notify('holdback_jobs', '')`;
      faults += again.length;
    }
    const tally = await traffic.end();
    return { faults, tally, notes: [], broken: [] };
  },
};
