/**
 * Nodes whose connections to PostgreSQL are open on their own side alone: nothing is refused, nothing is answered. Others take over,
 * and once the network is back they work again by themselves.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Part } from './part.ts';
import { startSilentProxy } from './silent-proxy.ts';
import { askForScore, Traffic } from './traffic.ts';

/** Longer than a lease, in milliseconds. */
const silentMs = 20_000;

/** A node that is not right again after so long is not right, in milliseconds. */
const recoverMs = 120_000;

/** Of the scores that ask whether a node is right again; they are right ones. */
const probesFrom = 1_000_000;

export const halfOpen: Part = {
  name: 'half-open',
  what: 'connections to PostgreSQL that are half open',
  count: 3,
  run: async (fleet, count) => {
    const proxy = await startSilentProxy(fleet.postgres.port);
    const { postgres } = fleet;
    const url = postgres.url.replace(`:${postgres.port}/`, `:${proxy.port}/`);
    await fleet.startNode('api');
    await fleet.startNode('runner');
    await fleet.makeGate('half-open');
    const traffic = new Traffic(fleet, { gate: 'half-open', callers: 4, work: 100 });
    traffic.start();
    const cut = [
      await fleet.startNode('api', { DATABASE_URL: url }),
      await fleet.startNode('runner', { DATABASE_URL: url }),
    ];
    const broken: string[] = [];
    let slowestMs = 0;
    for (let faults = 0; faults < count; faults++) {
      await traffic.more(10);
      proxy.fallSilent();
      await traffic.more(10);
      await sleep(silentMs);
      for (const { address, role } of cut)
        if (!(await fetch(`${address}/healthz`, { signal: AbortSignal.timeout(5_000) })).ok)
          broken.push(`a cut off ${role} node does not say that it lives`);
      proxy.recover();
      const back = performance.now();
      const [{ address } = { address: '' }] = cut;
      for (let number = probesFrom + faults * 1_000; ; number += 2) {
        const told = await askForScore(address, 'half-open', number);
        if (told?.state === 'finished') break;
        if (performance.now() - back > recoverMs) {
          broken.push('a node that was cut off does not come back');
          break;
        }
        await sleep(500);
      }
      slowestMs = Math.max(slowestMs, performance.now() - back);
    }
    const tally = await traffic.end();
    proxy.close();
    const notes = [
      `silent for ${silentMs / 1_000} s; a verdict through a cut off node at most ${(slowestMs / 1_000).toFixed(1)} s after the network was back`,
    ];
    return { faults: count, tally, notes, broken };
  },
};
