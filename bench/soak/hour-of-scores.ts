/** Scores without a pause for ten minutes, as many as a busy hour has: what the nodes take of memory does not grow. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Part } from './part.ts';
import { residentMb } from './submit-at-once.ts';
import { Traffic } from './traffic.ts';

/** A node may have so much more in its last third than in its second, in MB and as a share. */
const growthMb = 25;
const growthShare = 0.1;

const lookMs = 1_000;

export const hourOfScores: Part = {
  name: 'hour-of-scores',
  what: 'seconds of scores without a pause',
  count: 600,
  run: async (fleet, seconds) => {
    const api = await fleet.startNode('api');
    const runner = await fleet.startNode('runner');
    await fleet.makeGate('hour-of-scores');
    const traffic = new Traffic(fleet, { gate: 'hour-of-scores', callers: 6 });
    traffic.start();
    const looks: { api: number; runner: number }[] = [];
    for (let second = 0; second < seconds; second++) {
      await sleep(lookMs);
      looks.push({ api: residentMb(api.pid), runner: residentMb(runner.pid) });
    }
    const tally = await traffic.end();
    const third = Math.floor(looks.length / 3);
    const broken: string[] = [];
    const notes = (['api', 'runner'] as const).map((role) => {
      const [first, second, last] = [0, 1, 2].map((part) =>
        median(looks.slice(part * third, (part + 1) * third).map((look) => look[role])),
      );
      const [from = 0, to = 0] = [second, last];
      if (to > from + growthMb && to > from * (1 + growthShare))
        broken.push(`the ${role} node grew from ${from.toFixed(0)} to ${to.toFixed(0)} MB`);
      return `${role} node: ${first?.toFixed(0)}, ${from.toFixed(0)}, ${to.toFixed(0)} MB in the first, second and last third`;
    });
    return { faults: seconds, tally, notes, broken };
  },
};

function median(numbers: number[]): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}
