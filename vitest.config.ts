/** Tests run against real parts: processes, isolates, databases. Each file has a process of its own. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
    globalSetup: 'test/template-database.ts',
    pool: 'forks',
    // Much of the time is spent waiting: for deadlines, for processes to start and to end.
    maxWorkers: 3,
    // isolated-vm, in the test of the realm alone, requires it.
    execArgv: ['--no-node-snapshot'],
    // As in the realms, so that what a realm answers can be compared.
    env: { TZ: 'UTC' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
