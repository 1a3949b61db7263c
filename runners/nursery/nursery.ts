/**
 * Starts processes from a small one of ours, the nursery. A process begins as a copy of the one that starts it: to copy the service,
 * which is large, takes it a hundredth of a second, and afterwards each page of memory that it writes to has to be copied. From the
 * nursery scores do not wait for what is started beside them, and no host was ever a copy of the process that holds opened suites.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundleNursery } from '../bundle.ts';
import { RunnerError } from '../errors.ts';
import { type Birth, newsSchema, type Taken } from './message.ts';

/** A nursery that has not started what it was told to after so long does nothing any more, in milliseconds. */
const startMsMax = 60_000;

/** How often it is looked whether what nobody can wait for has ended, in milliseconds. */
const lookMs = 20;

export type Started = {
  pid: number;
  /** Those of its file descriptors that are pipes, in their order. What it said before it was told anything may be lost. */
  pipes: Socket[];
  /** Settles when it is gone and has been reaped. */
  exited: Promise<End>;
};

export type End = {
  /** Its exit code, or null where a signal ended it or nobody knows. */
  code: number | null;
  /** Whether the nursery ended first, and walls may have taken it along: that says nothing about the program. */
  isOrphan: boolean;
};

/** One that is on its way, or lives. */
type Life = {
  /** How many pipes it has. */
  wanted: number;
  pid: number | undefined;
  pipes: Socket[];
  started(started: Started): void;
  failed(error: RunnerError): void;
  exited: PromiseWithResolvers<End>;
};

let nursery: Promise<Nursery> | undefined;

/** Starts a program in a process group of its own, in the root folder. Throws `host_unavailable`. */
export async function startProcess(asked: Omit<Birth, 'id'>): Promise<Started> {
  return (await open()).start(asked);
}

/** Has the nursery there when something is started in a moment. */
export function prepareNursery(): void {
  // Whoever needs it hears of a failure.
  open().catch(() => {});
}

function open(): Promise<Nursery> {
  if (nursery !== undefined) return nursery;
  const opening = Nursery.open(() => {
    if (nursery === opening) nursery = undefined;
  });
  nursery = opening;
  return opening;
}

class Nursery {
  readonly #child: ChildProcess;
  readonly #lives = new Map<number, Life>();
  #last = 0;

  private constructor(child: ChildProcess, ended: () => void) {
    this.#child = child;
    child.on('message', (news, handle) => this.#hear(news, handle instanceof Socket ? handle : undefined));
    // It cannot be told anything any more, which is heard before its end is.
    child.once('disconnect', ended);
    child.once('exit', () => {
      ended();
      for (const [id, life] of this.#lives) this.#orphan(id, life);
    });
    child.on('error', () => {});
    this.#stayIfNeeded();
    child.unref();
  }

  static async open(ended: () => void): Promise<Nursery> {
    try {
      const code = await bundleNursery();
      const child = spawn(process.execPath, ['-'], {
        stdio: ['pipe', 'ignore', 'inherit', 'ipc'],
        // So that a signal from a terminal ends the service alone, which ends what it has started in its own order.
        detached: true,
        cwd: '/',
        env: {},
      });
      if (child.pid === undefined) throw (await once(child, 'error'))[0];
      child.stdin?.on('error', () => {});
      child.stdin?.end(code);
      return new Nursery(child, ended);
    } catch (cause) {
      ended();
      throw cannotStart(cause);
    }
  }

  start(asked: Omit<Birth, 'id'>): Promise<Started> {
    const id = ++this.#last;
    const late = setTimeout(() => this.#child.kill('SIGKILL'), startMsMax);
    return new Promise<Started>((started, failed) => {
      this.#lives.set(id, {
        wanted: asked.stdio.filter((kind) => kind === 'pipe').length,
        pid: undefined,
        pipes: [],
        started,
        failed,
        exited: Promise.withResolvers(),
      });
      this.#stayIfNeeded();
      this.#child.send({ id, ...asked } satisfies Birth, (error) => {
        if (error !== null) this.#fail(id, error);
      });
    }).finally(() => clearTimeout(late));
  }

  #hear(told: unknown, pipe: Socket | undefined): void {
    const news = newsSchema.parse(told);
    const life = this.#lives.get(news.id);
    if (life === undefined) return;
    if ('failed' in news) this.#fail(news.id, new Error(news.failed));
    else if ('exited' in news) {
      // To whoever has it, the first of these is no news.
      life.failed(cannotStart(new Error('it ended at once')));
      if (life.pid === undefined) for (const pipe of life.pipes) pipe.destroy();
      this.#settle(news.id, life, { code: news.exited, isOrphan: false });
    } else if ('pid' in news) {
      life.pid = news.pid;
      life.started({ pid: news.pid, pipes: life.pipes, exited: life.exited.promise });
    } else if (pipe !== undefined) {
      life.pipes.push(pipe);
      // Only when the nursery hears this it has certainly let go of them, and reads nothing from them.
      if (life.pipes.length === life.wanted) this.#child.send({ taken: news.id } satisfies Taken, () => {});
    }
  }

  #fail(id: number, cause: Error): void {
    const life = this.#lives.get(id);
    if (life === undefined) return;
    life.failed(cannotStart(cause));
    this.#settle(id, life, { code: null, isOrphan: false });
  }

  /** The nursery is gone. What it has started goes on, as nobody's child, and somebody has to see when it ends. */
  async #orphan(id: number, life: Life): Promise<void> {
    life.failed(cannotStart(new Error('the process that starts others has ended')));
    if (life.pid !== undefined) while (isAlive(life.pid)) await sleep(lookMs);
    this.#settle(id, life, { code: null, isOrphan: true });
  }

  #settle(id: number, life: Life, end: End): void {
    life.exited.resolve(end);
    this.#lives.delete(id);
    this.#stayIfNeeded();
  }

  /** While nothing lives that came from it, it keeps nobody from ending. */
  #stayIfNeeded(): void {
    if (this.#lives.size === 0) this.#child.channel?.unref();
    else this.#child.channel?.ref();
  }
}

/** Whether a process runs, which one that nobody reaps does not. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

function cannotStart(cause: unknown): RunnerError {
  const why = cause instanceof Error ? cause.message : `${cause}`;
  return new RunnerError('host_unavailable', `a process could not be started: ${why}`, { cause });
}
