/**
 * One host process, seen from the parent: how it is started with nothing but its own code, how it is asked, and how
 * it is ended. SIGKILL to its process group is the only containment that counts.
 */
import { readdirSync, realpathSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { HostCode } from './bundle.ts';
import { RunnerError } from './errors.ts';
import { beginLine, readyLine } from './host/greeting.ts';
import { killOf } from './kill-of.ts';
import { type End, type Started, startProcess } from './nursery/nursery.ts';
import { childOf, innermost } from './walls/innermost.ts';
import type { Walls } from './walls/walls.ts';

/** A host that is not ready after this long is given up, in milliseconds. */
const readyMsMax = 60_000;

/** Address space of a host, in KiB: a backstop behind the memory poll. Node 26 does not start with less than 3 GiB. */
const addressSpaceKib = 6 << 20;

/** Of 0 to 19, where 0 is usual: a tenth of what a score's host gets when both want the same core. */
const yieldingNice = 10;

/** What is called off while it is being started is waited for so long, in milliseconds. */
const calledOffMs = 2_000;

/** The parent of a host that was killed has this long to reap it, in milliseconds; then all of them are killed. */
const reapMsMax = 1_000;

/**
 * For glibc, which else asks the system for a few pages at a time and soon gives them back: the engine, which compiles a build in
 * such memory, then waits for the same pages again and again. What is large still goes back at once (mallopt(3)).
 */
const memoryByMegabyte = [
  'glibc.malloc.top_pad=1048576',
  'glibc.malloc.trim_threshold=16777216',
  'glibc.malloc.mmap_threshold=4194304',
].join(':');

/** Walls know Node by where it lies and not by a link to it. */
const node = realpathSync(process.execPath);

const newline = 10;

export type LineReader = {
  onLine(line: string): void;
  /** The channel ended, or a line was longer than `bytesMax`. */
  onEnd(reason: 'ended' | 'line_too_long'): void;
  bytesMax: number;
};

export class Host {
  readonly #outerPid: number;
  readonly #walls: Walls;
  #pid: number;
  /** Settles when the process is gone and has been reaped. */
  readonly exited: Promise<void>;
  readonly #input: Writable;
  #reader: LineReader | undefined;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #ended = false;
  #isGone = false;
  #wasTakenAlong = false;

  private constructor(
    pid: number,
    walls: Walls,
    { input, channel, exited }: { input: Writable; channel: Readable; exited: Promise<End> },
  ) {
    this.#outerPid = pid;
    this.#walls = walls;
    this.#pid = pid;
    this.#input = input;
    this.exited = exited.then(({ isOrphan }) => {
      input.destroy();
      this.#isGone = true;
      this.#wasTakenAlong = isOrphan;
    });
    // A host that dies while it is being written to must not bring the service down.
    input.on('error', () => {});
    channel.on('error', () => {});
    channel.on('data', (chunk: Buffer) => this.#take(chunk));
    channel.once('close', () => this.#end('ended'));
    // It may have been, while it was handed over.
    if (channel.destroyed) this.#end('ended');
  }

  /** Starts a host behind walls and waits until it is ready for a job. Throws `host_unavailable`, also when it is called off before. */
  static async start(code: HostCode, isolateMb: number, walls: Walls, calledOff: AbortSignal): Promise<Host> {
    const command = walls.around([node, ...flags(code, isolateMb)], code.folder);
    const starting = startProcess({
      command: ['/bin/sh', '-c', limitsScript, 'sh', ...command],
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
      environment: { TZ: 'UTC', LC_ALL: 'en_US.UTF-8', LIBC: 'glibc', GLIBC_TUNABLES: memoryByMegabyte },
    });
    const { pid, pipes, exited } = await unlessCalledOff(starting, calledOff);
    const [input, channel] = pipes;
    if (input === undefined || channel === undefined)
      throw new RunnerError('host_unavailable', 'a runner host has no channels');
    const host = new Host(pid, walls, { input, channel, exited });
    try {
      await host.#ready(calledOff);
    } catch (error) {
      // Whoever hears that it failed may count on its being gone.
      await host.exited;
      throw error;
    }
    return host;
  }

  /** The process that runs Node: walls may have parents of their own around it. */
  get pid(): number {
    return this.#pid;
  }

  /** Whether its channel has closed: nothing can be asked of it any more. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Of one that is gone: whether it may have ended because what had started it did. */
  get wasTakenAlong(): boolean {
    return this.#wasTakenAlong;
  }

  /** Sends a job, one line. */
  send(job: string): void {
    this.#input.write(`${job}\n`);
  }

  /** From now on lines go to this reader. */
  read(reader: LineReader): void {
    this.#reader = reader;
    if (this.#ended) reader.onEnd('ended');
  }

  /** Lets whatever else runs on the machine go first. */
  yieldCores(): void {
    try {
      // On Linux each thread has a priority of its own.
      for (const thread of readdirSync(`/proc/${this.pid}/task`)) setPriority(Number(thread), yieldingNice);
    } catch {
      // It is gone already.
    }
  }

  kill(): void {
    if (this.#isGone) return;
    // The first process of a namespace takes with it whatever was started there, and its parent, which reaps it, ends by itself.
    const first = this.#walls.means.processes === 'namespace' ? this.#firstOfNamespace() : undefined;
    if (first === undefined) {
      this.#killGroup();
      return;
    }
    killOf(first);
    const late = setTimeout(() => this.#killGroup(), reapMsMax);
    void this.exited.then(() => clearTimeout(late));
  }

  #firstOfNamespace(): number | undefined {
    try {
      return childOf(this.#outerPid);
    } catch {
      // Which it is cannot be seen; the others will do.
      return undefined;
    }
  }

  #killGroup(): void {
    if (!this.#isGone) killOf(-this.#outerPid);
  }

  #ready(calledOff: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        calledOff.removeEventListener('abort', noLonger);
      };
      const fail = (why: string) => {
        settle();
        this.kill();
        reject(new RunnerError('host_unavailable', `a runner host did not become ready: ${why}`));
      };
      const noLonger = () => fail('it is no longer needed');
      const timer = setTimeout(() => fail('it took too long'), readyMsMax);
      if (calledOff.aborted) return noLonger();
      calledOff.addEventListener('abort', noLonger);
      this.send(beginLine);
      this.read({
        bytesMax: 64,
        onLine: (line) => {
          if (line !== readyLine) return fail('it answered something else');
          try {
            this.#pid = innermost(this.#outerPid);
          } catch (error) {
            return fail(`it cannot be seen which process it is: ${error}`);
          }
          settle();
          resolve();
        },
        onEnd: () => fail('it ended'),
      });
    });
  }

  #take(chunk: Buffer): void {
    for (let rest = chunk; rest.length > 0 && !this.#ended; ) {
      const end = rest.indexOf(newline);
      const part = end === -1 ? rest : rest.subarray(0, end);
      if (part.length > 0) this.#pending.push(part);
      this.#pendingBytes += part.length;
      if (this.#pendingBytes > (this.#reader?.bytesMax ?? 0)) {
        this.#end('line_too_long');
        return;
      }
      if (end === -1) return;
      const [only = part] = this.#pending;
      const whole = this.#pending.length > 1 ? Buffer.concat(this.#pending) : only;
      const line = whole.toString('utf8');
      this.#pending = [];
      this.#pendingBytes = 0;
      this.#reader?.onLine(line);
      rest = rest.subarray(end + 1);
    }
  }

  #end(reason: 'ended' | 'line_too_long'): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reader?.onEnd(reason);
  }
}

/** What is being started, but not for long once it is called off; what comes later is ended. */
async function unlessCalledOff(starting: Promise<Started>, calledOff: AbortSignal): Promise<Started> {
  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const giveUpSoon = () => {
    timer = setTimeout(
      () => reject(new RunnerError('host_unavailable', 'a runner host is not started and no longer needed')),
      calledOffMs,
    );
  };
  if (calledOff.aborted) giveUpSoon();
  else calledOff.addEventListener('abort', giveUpSoon, { once: true });
  try {
    return await Promise.race([starting, gaveUp]);
  } catch (error) {
    starting.then(
      ({ pid }) => killOf(-pid),
      () => {},
    );
    throw error;
  } finally {
    clearTimeout(timer);
    calledOff.removeEventListener('abort', giveUpSoon);
  }
}

/** No core dumps, bounded address space; then the shell becomes the host. */
const limitsScript = `unset PWD OLDPWD; ulimit -c 0; ulimit -v ${addressSpaceKib}; exec "$@"`;

function flags({ folder }: HostCode, isolateMb: number): string[] {
  return [
    '--permission',
    `--allow-fs-read=${folder}`,
    '--allow-worker',
    '--allow-addons',
    '--no-warnings',
    // isolated-vm requires it.
    '--no-node-snapshot',
    // One thread beside its own to collect and compile on: the other cores are for other hosts.
    '--v8-pool-size=1',
    // 128 MiB of WebAssembly memory, and no reservation of address space for it.
    '--wasm-max-mem-pages=2048',
    '--disable-wasm-trap-handler',
    join(folder, 'main.cjs'),
    `${isolateMb}`,
  ];
}
