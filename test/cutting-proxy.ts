/**
 * A TCP proxy in front of PostgreSQL that reads along, and cuts one connection at a statement that it is told: before PostgreSQL has
 * heard it, or when it is done and only its answer is lost.
 */
import { connect, createServer, type Socket } from 'node:net';

export type CutAt = 'statement' | 'answer';

export type CuttingProxy = {
  port: number;
  /** Cuts the connection of the n-th statement from now on, counted from 1 over all connections. */
  cut(nth: number, at: CutAt): void;
  /** Whether it has been cut. Then no other is. */
  readonly hasCut: boolean;
  close(): void;
};

/** Listens on a free port in front of another. */
export async function startCuttingProxy(target: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let left = Number.POSITIVE_INFINITY;
  let at: CutAt = 'statement';
  let hasCut = false;
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    const end = () => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', end).on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    const count = statementCounter();
    let isLosing = false;
    near.on('data', (chunk: Buffer) => {
      const statements = count(chunk);
      const isIt = !hasCut && left > 0 && left <= statements;
      left -= statements;
      if (isIt) hasCut = true;
      if (isIt && at === 'statement') return end();
      isLosing ||= isIt;
      far.write(chunk);
    });
    far.on('data', (chunk: Buffer) => {
      if (isLosing) end();
      else near.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut: (nth, where) => {
      [left, at, hasCut] = [nth, where, false];
    },
    get hasCut() {
      return hasCut;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Counts the messages that have PostgreSQL do something, `Query` and `Execute`, in what a driver sends. */
function statementCounter(): (chunk: Buffer) => number {
  const split = messageSplitter('driver');
  return (chunk) => split(chunk).filter(([letter = 0]) => 'QE'.includes(String.fromCharCode(letter))).length;
}

/**
 * Splits what a driver or PostgreSQL sends into whole messages. Each has a letter and a length before it; a driver's very first has no
 * letter, and so begins with a zero. Source: "Message Formats" in PostgreSQL's documentation.
 */
export function messageSplitter(from: 'driver' | 'server'): (chunk: Buffer) => Buffer[] {
  let pending: Buffer = Buffer.alloc(0);
  let letters = from === 'driver' ? 0 : 1;
  return (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    for (const messages: Buffer[] = []; ; ) {
      if (pending.length < letters + 4) return messages;
      const end = letters + pending.readUInt32BE(letters);
      if (pending.length < end) return messages;
      messages.push(pending.subarray(0, end));
      pending = pending.subarray(end);
      letters = 1;
    }
  };
}
