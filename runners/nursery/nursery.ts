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
import { madeOnce } from '../made-once.ts';
import { type Birth, lifelineFd, type Reply } from './message.ts';
import { newsSchema } from './news.ts';

/** What has not been started after so long is abandoned; a nursery that does not hear of that either is ended, in milliseconds. */
const startMsMax = 30_000;

/** How often it is looked whether what nobody can wait for has ended, in milliseconds. */
const lookMs = 20;

/** How often it is looked whether the nursery tells what has ended, in milliseconds. */
const checkMs = 1_000;

/** What walls take along with the nursery has ended after so long, in milliseconds. */
const takenAlongMs = 1_000;

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
  /** Whether it was gone at the last look, and the nursery has not told so. */
  isGone: boolean;
};

let nursery: Promise<Nursery> | undefined;

/** Its code, which stays what it was when this process began. */
const readCode = madeOnce(bundleNursery);

/** Starts a program in a process group of its own, in the root folder. Throws `host_unavailable`. */
export async function startProcess(asked: Omit<Birth, 'id'>): Promise<Started> {
  const first = await open();
  try {
    return await first.start(asked);
  } catch (error) {
    if (!first.hasEnded) throw error;
    // What it may have started all the same has nobody at its pipes, and so it ends.
    return (await open()).start(asked);
  }
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

/** The small process, seen from this one, and all that it has started. */
class Nursery {
  readonly #child: ChildProcess;
  readonly #lives = new Map<number, Life>();
  readonly #forget: () => void;
  #last = 0;
  #hasEnded = false;

  private constructor(child: ChildProcess, forget: () => void) {
    this.#child = child;
    this.#forget = forget;
    child.on('message', (news, handle) => this.#hear(news, handle instanceof Socket ? handle : undefined));
    // It cannot be told anything any more, which may be heard before its end is.
    child.once('disconnect', () => this.#end());
    child.once('exit', () => this.#end());
    const checking = setInterval(() => this.#check(), checkMs).unref();
    // What it has told before has been heard then.
    child.once('close', () => {
      clearInterval(checking);
      for (const [id, life] of this.#lives) this.#orphan(id, life);
    });
    child.on('error', () => {});
    // Nothing comes by it, and nobody stays for it.
    const lifeline = child.stdio[lifelineFd];
    if (lifeline instanceof Socket) lifeline.on('error', () => {}).unref();
    this.#stayIfNeeded();
    child.unref();
  }

  /** Opens one; `forget` is called when nothing can be started from it any more. */
  static async open(forget: () => void): Promise<Nursery> {
    try {
      const text = await readCode();
      const child = spawn(process.execPath, ['-'], {
        // The last is the lifeline.
        stdio: ['pipe', 'ignore', 'inherit', 'ipc', 'pipe'],
        // So that a signal from a terminal ends the service alone, which ends what it has started in its own order.
        detached: true,
        cwd: '/',
        env: {},
      });
      if (child.pid === undefined) throw (await once(child, 'error'))[0];
      child.stdin?.on('error', () => {});
      child.stdin?.end(text);
      return new Nursery(child, forget);
    } catch (cause) {
      forget();
      throw cannotStart(cause);
    }
  }

  /** Whether nothing can be started from it any more. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  start(asked: Omit<Birth, 'id'>): Promise<Started> {
    const id = ++this.#last;
    const late = [
      setTimeout(() => this.#child.send({ abandoned: id } satisfies Reply, () => {}), startMsMax),
      setTimeout(() => this.#child.kill('SIGKILL'), 2 * startMsMax),
    ];
    return new Promise<Started>((started, failed) => {
      this.#lives.set(id, {
        wanted: asked.stdio.filter((kind) => kind === 'pipe').length,
        pid: undefined,
        pipes: [],
        started,
        failed,
        exited: Promise.withResolvers(),
        isGone: false,
      });
      this.#stayIfNeeded();
      this.#child.send({ id, ...asked } satisfies Birth, (error) => {
        if (error === null) return;
        this.#end();
        this.#fail(id, error);
      });
    }).finally(() => {
      for (const timer of late) clearTimeout(timer);
    });
  }

  #end(): void {
    this.#hasEnded = true;
    this.#forget();
  }

  #hear(told: unknown, pipe: Socket | undefined): void {
    const news = newsSchema.parse(told);
    const life = this.#lives.get(news.id);
    if (life === undefined) {
      pipe?.destroy();
      return;
    }
    if ('failed' in news) this.#fail(news.id, new Error(news.failed));
    else if ('exited' in news) {
      // To whoever has it, the first of these is no news.
      life.failed(cannotStart(new Error('it ended at once')));
      this.#settle(news.id, life, { code: news.exited, isOrphan: false });
    } else if ('pid' in news) {
      life.pid = news.pid;
      life.started({ pid: news.pid, pipes: life.pipes, exited: life.exited.promise });
    } else if (pipe !== undefined) {
      // Whoever gets them has not got them yet.
      pipe.on('error', () => {});
      life.pipes.push(pipe);
      // Only when the nursery hears this it has certainly let go of them, and reads nothing from them.
      if (life.pipes.length === life.wanted) this.#child.send({ taken: news.id } satisfies Reply, () => {});
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
    const orphanedMs = performance.now();
    life.failed(cannotStart(new Error('the process that starts others has ended')));
    if (life.pid !== undefined) while (isAlive(life.pid)) await sleep(lookMs);
    this.#settle(id, life, { code: null, isOrphan: performance.now() - orphanedMs < takenAlongMs });
  }

  /** A nursery that does not tell for a while what has ended, because it is stopped, say, is of no use. */
  #check(): void {
    for (const life of this.#lives.values()) {
      const isGone = life.pid !== undefined && !isAlive(life.pid);
      if (isGone && life.isGone) this.#child.kill('SIGKILL');
      life.isGone = isGone;
    }
  }

  #settle(id: number, life: Life, end: End): void {
    // Of what was not wholly handed over nobody has the pipes.
    if (life.pid === undefined) for (const pipe of life.pipes) pipe.destroy();
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

/** Whether a process runs, which one that nobody reaps does not, where the system tells. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }
}

function cannotStart(cause: unknown): RunnerError {
  const why = cause instanceof Error ? cause.message : `${cause}`;
  return new RunnerError('host_unavailable', `a process could not be started: ${why}`, { cause });
}
