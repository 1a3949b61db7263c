/**
 * The sockets to PostgreSQL end when nothing comes for too long, so that whoever waits for an answer on a connection that is open on
 * this side alone hears of it. TCP itself takes a quarter of an hour to notice.
 */
import { Socket } from 'node:net';

/** To connect takes at most so long, in milliseconds. */
export const connectMs = 10_000;

/** No statement of ours takes so long without a word, in milliseconds; connections that idle are closed before. */
const silentMs = 60_000;
export const idleMs = 30_000;

/** One that is not connected yet. */
export function watchedSocket(): Socket {
  const socket = new Socket();
  socket.setTimeout(connectMs, () => socket.destroy(new Error('the database is silent')));
  return socket.once('connect', () => socket.setTimeout(silentMs));
}
