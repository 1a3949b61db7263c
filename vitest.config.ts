/** Tests run against real parts: processes, isolates, databases. A few processes share the files. */
import { defineConfig } from 'vitest/config';
import LongestFirst from './test/longest-first.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
    globalSetup: 'test/template-database.ts',
    pool: 'forks',
    // A worker's process goes on with the next file: reading the code again for each takes a tenth of the time.
    isolate: false,
    // Much of the time is spent waiting: for deadlines, for processes to start and to end.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    execArgv: [
      // isolated-vm, in the test of the realm alone, requires it.
      '--no-node-snapshot',
      `--import=${new URL('server/drizzle-is-esm.ts', import.meta.url)}`,
    ],
    // As in the realms, so that what a realm answers can be compared.
    env: { TZ: 'UTC' },
    // No promise: however busy the machine is, what has not ended by then has hung.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
