/** What a program that has escaped from V8 would try first. It runs behind walls, without Node's permissions, when they are probed. */
import { z } from 'zod';

/** What an attempt goes for; all of it exists, and can be had without walls. */
export type Targets = {
  /** A file that anybody may read. */
  file: string;
  /** A folder in which anybody may write. */
  folder: string;
  /** A file that hosts need. */
  own: string;
  /** A process of the same user, and when it was started, as `/proc` tells: within a namespace its number may be another's. */
  pid: number;
  started: string;
  /** The program that makes namespaces; null where there is none. */
  unshare: string | null;
  /** Something listens at this port of 127.0.0.1. */
  port: number;
};

/** What it could do. */
export const attemptedSchema = z.strictObject({
  readsOwn: z.boolean(),
  readsFile: z.boolean(),
  writes: z.boolean(),
  seesProcess: z.boolean(),
  /** Whether it may read and change what the process has in memory. */
  tracesProcess: z.boolean(),
  signalsProcess: z.boolean(),
  makesUserNamespace: z.boolean(),
  connects: z.boolean(),
});
export type Attempted = z.infer<typeof attemptedSchema>;

/** Its own text is what runs, on standard output comes what it could: so it uses nothing from outside of itself. */
export function attempt(targets: Targets): void {
  const fs = process.getBuiltinModule('node:fs');
  const net = process.getBuiltinModule('node:net');
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const could = (action: () => unknown): boolean => {
    try {
      action();
      return true;
    } catch {
      return false;
    }
  };
  const isThere = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch (error) {
      // It may be there, and another user's.
      return Object(error).code === 'EPERM';
    }
  };
  const startOf = (pid: number) =>
    fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[19];
  let seesProcess = false;
  could(() => {
    seesProcess = startOf(targets.pid) === targets.started;
  });
  const attempted = {
    readsOwn: could(() => fs.readFileSync(targets.own)),
    readsFile: could(() => fs.readFileSync(targets.file)),
    writes: could(() => fs.writeFileSync(`${targets.folder}/written-${process.pid}`, 'x')),
    seesProcess,
    tracesProcess: seesProcess && could(() => fs.openSync(`/proc/${targets.pid}/mem`, 'r+')),
    signalsProcess: isThere(targets.pid),
    makesUserNamespace:
      targets.unshare !== null && spawnSync(targets.unshare, ['--user', 'true']).status === 0,
  };
  const tell = (connects: boolean) => {
    fs.writeSync(1, `${JSON.stringify({ ...attempted, connects })}\n`);
    // It is looked at from outside meanwhile.
    process.stdin.resume();
  };
  const socket = net.connect({ host: '127.0.0.1', port: targets.port });
  socket.once('connect', () => tell(true));
  socket.once('error', () => tell(false));
}
