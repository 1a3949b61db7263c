/** Watches what one process uses, for as long as something foreign may run in it. */
import { FairClock, type UsageStep } from './fair-clock.ts';
import { killOf } from './kill-of.ts';
import { UsageReader } from './usage.ts';

/** How often memory is looked at, in milliseconds: a hostile process can take a gigabyte in a second. */
const memoryLookMs = 10;
/** How often time is looked at, in milliseconds, which asks more of the system. */
const timeLookMs = 50;

export type Watch = {
  /** The process's own time since `restart`, in milliseconds, as of the last look, and how much of that it computed, at most. */
  onTime(ownMs: { sinceRestart: number; sinceStart: number; computed: number }): void;
  onMemory(residentMb: number): void;
};

/** Watches a process that is given something foreign only then: one that cannot be watched is killed. Throws `host_unavailable`. */
export function watchOrKill(pid: number, watch: Watch): Watcher {
  try {
    return new Watcher(pid, watch);
  } catch (error) {
    killOf(pid);
    throw error;
  }
}

/** Calls back at every look until it is stopped. */
export class Watcher {
  readonly #usage: UsageReader;
  readonly #watch: Watch;
  readonly #timers: NodeJS.Timeout[];
  readonly #sinceStart = new FairClock();
  #sinceRestart = new FairClock();
  #last: { wallMs: number; cpuMs: number };
  #restartedMs: number;
  #restartedCpuMs: number;
  #stopped = false;

  /** Throws `host_unavailable` where what the process uses cannot be seen. */
  constructor(pid: number, watch: Watch) {
    this.#usage = new UsageReader(pid);
    this.#watch = watch;
    this.#last = { wallMs: performance.now(), cpuMs: this.#usage.cpuMs ?? 0 };
    this.#restartedMs = this.#last.wallMs;
    this.#restartedCpuMs = this.#last.cpuMs;
    this.#timers = [
      setInterval(() => this.#lookAtMemory(), memoryLookMs),
      // After a pause of ours, what the process has sent meanwhile is read first: a look comes after the reading.
      setInterval(() => setImmediate(() => this.#lookAtTime()), timeLookMs),
    ];
  }

  /** Starts a clock anew: the next case has begun. */
  restart(): void {
    this.#sinceRestart = new FairClock();
    this.#restartedMs = performance.now();
    this.#restartedCpuMs = this.#last.cpuMs;
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#usage.close();
  }

  #lookAtMemory(): void {
    const { residentMb } = this.#usage;
    if (residentMb !== undefined) this.#watch.onMemory(residentMb);
  }

  #lookAtTime(): void {
    if (this.#stopped) return;
    const { cpuMs } = this.#usage;
    // A process that is gone closes its channels, and that is what ends its work.
    if (cpuMs === undefined) return;
    const wallMs = performance.now();
    const usedMs = cpuMs - this.#last.cpuMs;
    const step: UsageStep = {
      // When we were held up ourselves, the process may have been done, and waiting for us, all the while.
      wallMs: Math.min(wallMs - this.#last.wallMs, Math.max(2 * timeLookMs, usedMs)),
      cpuMs: usedMs,
      // Whoever used a core all the while is not asked.
      wantsCore: usedMs >= wallMs - this.#last.wallMs || this.#usage.wantsCore,
    };
    // Of a step that began before the restart, only what came after it counts for the new clock.
    const sinceRestartMs = Math.min(step.wallMs, wallMs - Math.max(this.#last.wallMs, this.#restartedMs));
    this.#last = { wallMs, cpuMs };
    this.#sinceStart.advance(step);
    this.#sinceRestart.advance({
      ...step,
      wallMs: sinceRestartMs,
      cpuMs: Math.min(step.cpuMs, sinceRestartMs),
    });
    this.#watch.onTime({
      sinceRestart: this.#sinceRestart.ownMs,
      sinceStart: this.#sinceStart.ownMs,
      computed: cpuMs - this.#restartedCpuMs,
    });
  }
}
