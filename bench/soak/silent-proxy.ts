/** A TCP proxy that can fall silent: connections stay open, and nothing comes through any more, as where a cable or a firewall fails. */
import { connect, createServer, type Socket } from 'node:net';

export type SilentProxy = {
  port: number;
  /** From now on whatever is written to it, on old connections and new ones, is swallowed. */
  fallSilent(): void;
  /** New connections work again; those of before stay open on one side alone. */
  recover(): void;
  close(): void;
};

/** Listens on a free port in front of another. */
export async function startSilentProxy(target: number): Promise<SilentProxy> {
  const sockets = new Set<Socket>();
  let pipes: Socket[] = [];
  let isSilent = false;
  const server = createServer((near) => {
    sockets.add(near);
    near.on('error', () => {}).on('close', () => sockets.delete(near));
    if (isSilent) {
      near.resume();
      return;
    }
    const far = connect(target, '127.0.0.1');
    sockets.add(far);
    far.on('error', () => near.destroy()).on('close', () => sockets.delete(far));
    pipes.push(near, far);
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    fallSilent: () => {
      isSilent = true;
      for (const socket of pipes) {
        socket.unpipe();
        socket.removeAllListeners('end');
        socket.resume();
      }
      pipes = [];
    },
    recover: () => {
      isSilent = false;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
