/**
 * Fills the disk that the embedded database lies on, and the one that PostgreSQL writes to: nothing is told that is not kept, and once
 * there is room again the service is right again. Needs a disk of its own, a small tmpfs, which root alone may mount.
 */
import { execFile } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openDatabase } from '../../migrations/open-database.ts';
import type { Part } from './part.ts';
import { type Ask, Traffic } from './traffic.ts';

const run = promisify(execFile);
const diskMb = 400;

/** Long enough for several scores to fail, in milliseconds. */
const fullMs = 4_000;

export const fillDisk: Part = {
  name: 'fill-disk',
  what: 'a full disk under the embedded database',
  count: 10,
  run: async (fleet, count) => {
    const disk = join(fleet.folder, 'disk');
    await mkdir(disk);
    await run('mount', ['-t', 'tmpfs', '-o', `size=${diskMb}m`, 'tmpfs', disk]);
    try {
      const start = () => fleet.startNode('all', { DATABASE_URL: '', HOLDBACK_DATA_DIR: join(disk, 'data') });
      let node = await start();
      await fleet.makeGate('fill-disk');
      const traffic = new Traffic(fleet, { gate: 'fill-disk', callers: 2 });
      traffic.start();
      let restarts = 0;
      for (let faults = 0; faults < count; faults++) {
        await traffic.more(5);
        fill(join(disk, 'ballast'));
        await sleep(fullMs);
        await rm(join(disk, 'ballast'));
        // What a supervisor does with a node that ended or does not answer.
        if (!(await isRightAgain(traffic))) {
          await fleet.kill(node);
          node = await start();
          restarts++;
        }
      }
      const notes = [`restarts that were needed to be right again: ${restarts}`];
      // The embedded database belongs to one process, so it is looked into when the node has ended.
      const ask: Ask = async (statement) => {
        await fleet.stopNodes();
        const opened = await openDatabase({ dataDir: join(disk, 'data') });
        const { rows } = await opened.run(statement);
        await opened.close();
        return rows;
      };
      return { faults: count, tally: await traffic.end(ask), notes, broken: [] };
    } finally {
      await fleet.stopNodes();
      await run('umount', ['-l', disk]);
    }
  },
};

async function isRightAgain(traffic: Traffic): Promise<boolean> {
  return Promise.race([traffic.more(2).then(() => true), sleep(20_000, false)]);
}

/** Writes until there is no room. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  for (const size of [1 << 20, 4_096]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch {
      // No room for so much.
    }
  }
  closeSync(file);
}
