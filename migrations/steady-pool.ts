/**
 * Connections to PostgreSQL that are lost cost their callers an error, and nobody else anything: whoever waits for an answer hears that
 * none will come, and the place in the pool is free again. A process that stops, or is cut off, in the middle of a transaction costs
 * others no more than a while.
 */
import type { Socket } from 'node:net';
import pg from 'pg';
import { DatabaseError } from './errors.ts';
import { idleMs, watchedSocket } from './watched-socket.ts';
import { within } from './within.ts';

/** So long somebody waits for one of the connections, in milliseconds. */
const waitMs = 30_000;

/** So long may statements take that are under way when the pool is closed, in milliseconds. */
const closeMs = 2_000;

/**
 * A transaction whose process says nothing for so long is ended by PostgreSQL, in milliseconds: others wait for its locks, and claim
 * nothing meanwhile. It would wait for hours for a machine that is cut off. Nothing that we do between two statements takes long.
 */
const forgottenMs = 10_000;

type Lent = Parameters<typeof pg.Pool.prototype.connect>[0];

export class SteadyPool extends pg.Pool {
  readonly #sockets: Set<Socket>;

  constructor(databaseUrl: string, connectionsMax: number) {
    const sockets = new Set<Socket>();
    super({
      connectionString: databaseUrl,
      max: connectionsMax,
      idleTimeoutMillis: idleMs,
      connectionTimeoutMillis: waitMs,
      stream: () => {
        const socket = watchedSocket();
        sockets.add(socket);
        return socket.once('close', () => sockets.delete(socket));
      },
      // Said to the session, because PgBouncer refuses connections that ask for such things when they open. What is asked here takes
      // milliseconds: to compile it takes longer.
      onConnect: async (client) => {
        await client.query(`SET jit = off; SET idle_in_transaction_session_timeout = ${forgottenMs}`);
      },
    });
    this.#sockets = sockets;
    // Whoever is at a statement hears of it there.
    this.on('error', () => {});
    this.on('connect', (client) => client.on('error', () => {}));
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: Lent): void;
  override connect(callback?: Lent): Promise<pg.PoolClient> | undefined {
    if (callback === undefined) return lend(super.connect().catch(refuse));
    super.connect((error, client, release) =>
      callback(error === undefined ? undefined : unavailable(error), client, release),
    );
  }

  /** Ends every connection. After a crash of the server one may wait for ever to be ended, and is not waited for. */
  async close(): Promise<void> {
    await within(closeMs, this.end()).catch(() => {});
    for (const socket of this.#sockets) socket.destroy();
  }
}

function refuse(cause: unknown): never {
  throw unavailable(cause);
}

/** Why there is no connection is for the log alone: it tells where the database is. */
function unavailable(cause: unknown): DatabaseError {
  const message = 'no connection to the database was to be had: try again later';
  return new DatabaseError('database_unavailable', message, { cause });
}

/** A connection that goes back by itself when it ends: Drizzle keeps one for ever whose `BEGIN` gets no answer. */
async function lend(connecting: Promise<pg.PoolClient>): Promise<pg.PoolClient> {
  const client = await connecting;
  const release = client.release.bind(client);
  let isLent = true;
  const giveBack = (error?: Error | boolean) => {
    if (!isLent) return;
    isLent = false;
    client.off('end', hasEnded);
    release(error);
  };
  const hasEnded = () => giveBack(true);
  client.once('end', hasEnded);
  client.release = giveBack;
  return client;
}
