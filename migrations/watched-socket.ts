/**
 * The sockets to PostgreSQL end when nothing comes for too long, so that whoever waits for an answer on a connection that is open on
 * this side alone hears of it. TCP itself takes a quarter of an hour to notice.
 */
import { connect, type Socket } from 'node:net';

/** No statement of ours takes so long without a word, in milliseconds; connections that idle are closed before. */
const silentMs = 60_000;
export const idleSeconds = 30;

/** The driver's option, which it leaves out of its types. Of several servers it would know the first alone, so these do without. */
export function watchedSocket(databaseUrl: string): { socket?: (to: Target) => Socket } {
  return URL.parse(databaseUrl)?.host.includes(',') === false ? { socket: open } : {};
}

type Target = { host: string[]; port: number[]; path?: string | false };

function open({ host, port, path }: Target): Socket {
  // What is written before it is connected waits.
  const socket = path ? connect(path) : connect(port[0] ?? 5432, host[0]);
  return socket.setTimeout(silentMs, () => socket.destroy(new Error('the database is silent')));
}
