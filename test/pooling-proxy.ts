/**
 * Stands before PostgreSQL as PgBouncer does. It refuses whoever asks for settings when they connect; it lends each a connection of the
 * server's for as long as they are connected, or one to all of them in turn, for a transaction each.
 */
import { connect, createServer, type Socket } from 'node:net';
import { messageSplitter } from './cutting-proxy.ts';

/** What PgBouncer lets a driver say when it connects. */
const known = [
  ...['user', 'database', 'client_encoding', 'application_name'],
  ...['DateStyle', 'TimeZone', 'standard_conforming_strings'],
];

/** That whoever connects is let in, and that the server waits for a statement: `AuthenticationOk` and `ReadyForQuery`. */
const letIn = Buffer.from('R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I', 'latin1');

/** Listens on a free port in front of another. */
export async function startPoolingProxy(
  target: number,
  lentFor: 'session' | 'transaction',
): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket.on('error', () => socket.destroy()));
    return socket;
  };
  const open = () => new Lent(keep(connect(target, '127.0.0.1')));
  let shared: Lent | undefined;
  const server = createServer((near) => {
    keep(near);
    const split = messageSplitter('driver');
    let far: Lent | undefined;
    near.on('data', (chunk: Buffer) => {
      for (const message of split(chunk)) {
        if (far !== undefined) {
          far.send(near, message);
          continue;
        }
        const unknown = settingsOf(message).find((name) => !known.includes(name));
        if (unknown !== undefined) return near.end(refusal(`unsupported startup parameter: ${unknown}`));
        far = shared;
        if (far !== undefined) near.write(letIn);
        else {
          far = open();
          far.send(near, message);
          if (lentFor === 'transaction') shared = far;
        }
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A connection of the server's, which is somebody's from the first message of a transaction to its end. */
class Lent {
  readonly #far: Socket;
  #to: Socket | undefined;
  #waiting: { near: Socket; message: Buffer }[] = [];

  constructor(far: Socket) {
    this.#far = far;
    const split = messageSplitter('server');
    far.on('data', (chunk: Buffer) => {
      for (const message of split(chunk)) this.#take(message);
    });
  }

  send(near: Socket, message: Buffer): void {
    // Whoever leaves does not end it for others.
    if (message.toString('latin1', 0, 1) === 'X') return;
    this.#to ??= near;
    if (this.#to === near) this.#far.write(message);
    else this.#waiting.push({ near, message });
  }

  #take(message: Buffer): void {
    this.#to?.write(message);
    // `ReadyForQuery`, and in no transaction.
    if (message.toString('latin1', 0, 1) !== 'Z' || message.toString('latin1', 5) !== 'I') return;
    this.#to = undefined;
    for (const { near, message } of this.#waiting.splice(0)) this.send(near, message);
  }
}

/** The names in a driver's first message: pairs of texts, each with a zero behind it, after the length and the version. */
function settingsOf(message: Buffer): string[] {
  const texts = message.toString('utf8', 8).split('\0');
  return texts.filter((text, index) => index % 2 === 0 && text !== '');
}

/** An `ErrorResponse`. */
function refusal(why: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C08P01\0M${why}\0\0`);
  const head = Buffer.from('E\0\0\0\0', 'latin1');
  head.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
