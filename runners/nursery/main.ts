/** The nursery: starts what it is told to, hands over the pipes of it, and tells when it ends. It ends when the service does. */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { type Birth, lifelineFd, type Reply } from './message.ts';
import type { News } from './news.ts';

/** What it has started that has not ended. */
const pids = new Map<number, number>();

function tell(news: News, pipe?: Socket): void {
  // Where the service is gone, so are we in a moment.
  process.send?.(news, pipe, undefined, () => {});
}

function give({ id, command, environment, stdio }: Birth): void {
  const [program, ...args] = command;
  // A process group of its own, so that one signal reaches all of it.
  const child = spawn(program, args, { stdio, detached: true, cwd: '/', env: environment });
  child.once('error', ({ message }) => tell({ id, failed: message }));
  if (child.pid === undefined) return;
  pids.set(id, child.pid);
  child.once('exit', (exited) => {
    pids.delete(id);
    tell({ id, exited });
  });
  for (const [fd, pipe] of child.stdio.entries()) if (pipe instanceof Socket) tell({ id, fd }, pipe);
}

function abandon(id: number): void {
  const pid = pids.get(id);
  if (pid === undefined) tell({ id, failed: 'it was not started' });
  // That it has ended is told then.
  else process.kill(-pid, 'SIGKILL');
}

// Who ends everything at once tells all its processes; the service ends what is under way first, and then we end.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('message', (told: Birth | Reply) => {
  if ('taken' in told) {
    const pid = pids.get(told.taken);
    if (pid !== undefined) tell({ id: told.taken, pid });
  } else if ('abandoned' in told) abandon(told.abandoned);
  else {
    try {
      give(told);
    } catch (error) {
      // What the system lacks is thrown or told later, as it happens.
      tell({ id: told.id, failed: `${error}` });
    }
  }
});
process.once('disconnect', () => process.exit());
// While a pipe is being handed over nobody is told that the channel is gone: Node waits for the answer first.
new Socket({ fd: lifelineFd }).resume().once('close', () => process.exit());
