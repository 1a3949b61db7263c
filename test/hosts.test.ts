/** The first hosts of a service, which are started before the rest of it: ended at any moment, they leave nothing behind. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Hosts } from '../server/hosts.ts';
import { processesWith } from './processes.ts';

test.each([0, 50, 200, 500, 1_500])(
  'hosts that are ended %i ms after they were asked for leave no process and no folder',
  async (ms) => {
    const hosts = new Hosts('auto');
    await sleep(ms);
    await hosts.close();
    for (const part of [hosts.runners, hosts.graders]) {
      const { code, pool } = await part;
      expect(pool.closed).toBe(true);
      expect(processesWith(code.folder)).toEqual([]);
      expect(existsSync(code.folder)).toBe(false);
    }
  },
);
