/** Stops PostgreSQL at once, as a crash does, while scores are accepted and decided, and starts it again a moment later. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Part } from './part.ts';
import { Traffic } from './traffic.ts';

export const stopPostgres: Part = {
  name: 'stop-postgres',
  what: 'immediate stop of PostgreSQL',
  count: 100,
  run: async (fleet, count) => {
    await fleet.startNode('api');
    await fleet.startNode('runner');
    await fleet.makeGate('stop-postgres');
    const traffic = new Traffic(fleet, { gate: 'stop-postgres', callers: 8 });
    traffic.start();
    let slowestMs = 0;
    for (let faults = 0; faults < count; faults++) {
      await sleep(Math.random() * 500);
      await fleet.postgres.stopAtOnce();
      await sleep(Math.random() * 500);
      await fleet.postgres.start();
      const started = performance.now();
      await traffic.more(3);
      slowestMs = Math.max(slowestMs, performance.now() - started);
    }
    const notes = [
      `three verdicts later at most ${(slowestMs / 1_000).toFixed(1)} s after PostgreSQL was back`,
    ];
    return { faults: count, tally: await traffic.end(), notes, broken: [] };
  },
};
