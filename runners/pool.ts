/**
 * Hosts started ahead of need, so that their start-up is off the critical path. A lease takes a host out; a host that
 * has run a candidate is never put back.
 */
import type { HostCode } from './bundle.ts';
import { RunnerError } from './errors.ts';
import { Host } from './host.ts';
import { noWalls, type Walls } from './walls/walls.ts';

export type PoolOptions = {
  code: HostCode;
  /** How many ready hosts are kept, until `keep` says otherwise. */
  size: number;
  /** Isolates of this size are made ahead, in MiB. */
  isolateMb: number;
  /** What hosts are started behind, besides Node's own permissions; without it, nothing. */
  walls?: Walls;
};

/** Hosts that ended are followed by grading, the verdict and often the next score: so long nothing is started, in milliseconds. */
const refillMs = 60;

/** Where no host starts it is tried again so much later, in milliseconds: what is not ready is asked for nothing that would try it. */
const retryMs = 2_000;

/** To end a process takes a core that grading its answers and telling the verdict need: so long that waits, in milliseconds. */
const lingerMs = 150;

export class HostPool {
  readonly #options: PoolOptions;
  #size: number;
  readonly #ready: Host[] = [];
  readonly #starting = new Set<Promise<void>>();
  readonly #leased = new Set<Host>();
  #refill: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #waiting = 0;
  #canStart = true;
  #startedCount = 0;
  #failedCount = 0;
  readonly #closing = new AbortController();

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#size = options.size;
  }

  /** How many hosts are kept ready. */
  get size(): number {
    return this.#size;
  }

  /** Starts hosts until so many are ready or starting, and waits for these. Whoever leases one hears whether they start. */
  async prestart(count: number): Promise<void> {
    while (!this.closed && this.#ready.length + this.#starting.size < count) this.#startOne();
    await Promise.allSettled(this.#starting);
  }

  /** Keeps so many hosts ready from now on, and no more. */
  keep(size: number): void {
    this.#size = size;
    void Promise.allSettled(this.#starting).then(() => {
      for (const host of this.#ready.splice(this.#size + this.#waiting)) host.kill();
      this.#refillSoon();
    });
  }

  /** How many hosts could be leased at once without waiting. */
  get readyCount(): number {
    return this.#ready.length;
  }

  /** How many hosts are leased. */
  get leasedCount(): number {
    return this.#leased.size;
  }

  /** How many hosts became ready so far, and how many that were started did not. */
  get startedCount(): number {
    return this.#startedCount;
  }

  get failedCount(): number {
    return this.#failedCount;
  }

  /** Whether the last host that was started became ready. */
  get canStart(): boolean {
    return this.#canStart;
  }

  get pids(): number[] {
    return [...this.#ready, ...this.#leased].map((host) => host.pid);
  }

  /** Waits until so many hosts are ready, or all that are kept; the others follow. Throws `host_unavailable`. */
  async warm(count = this.#size): Promise<void> {
    while (this.#ready.length < count && !this.closed) {
      void this.prestart(count);
      await Promise.all(this.#starting).catch(this.#unlessClosed);
    }
    this.#refillSoon();
  }

  /** A ready host, for the caller alone. It must be given back with `end` or `giveBack`. Throws `host_unavailable`. */
  async lease(): Promise<Host> {
    this.throwIfClosed();
    const host = await this.#take();
    this.#leased.add(host);
    return host;
  }

  /** Ends a leased host, in a moment: what has run a candidate runs nothing else. Nobody has to wait until it is gone. */
  end(host: Host): void {
    const linger = setTimeout(() => host.kill(), lingerMs);
    void host.exited.then(() => {
      clearTimeout(linger);
      this.#leased.delete(host);
      this.#refillSoon();
    });
  }

  /** Takes back a leased host in which nothing foreign has run. */
  giveBack(host: Host): void {
    this.#leased.delete(host);
    this.#keep(host);
  }

  /** Ends every host, also one that is still starting. Leases under way end as if their hosts had died, and callers hear `runners_closed`. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#refill);
    clearTimeout(this.#retry);
    await Promise.allSettled(this.#starting);
    const hosts = [...this.#ready, ...this.#leased];
    for (const host of hosts) host.kill();
    await Promise.all(hosts.map((host) => host.exited));
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Throws `runners_closed` once it closes. */
  throwIfClosed(): void {
    if (this.closed) throw new RunnerError('runners_closed', 'the service is shutting down');
  }

  async #take(): Promise<Host> {
    this.#waiting++;
    try {
      for (;;) {
        const host = this.#ready.shift();
        if (host !== undefined) return host;
        // One is started for each caller that waits; whichever is ready first will do.
        if (this.#starting.size < this.#waiting) this.#startOne();
        await Promise.race(this.#starting).catch(this.#unlessClosed);
        this.throwIfClosed();
      }
    } finally {
      this.#waiting--;
    }
  }

  #startOne(): void {
    const { code, isolateMb, walls = noWalls } = this.#options;
    const starting: Promise<void> = Host.start(code, isolateMb, walls, this.#closing.signal)
      .then((host) => {
        this.#canStart = true;
        this.#startedCount++;
        this.#keep(host);
        void host.exited.then(() => this.#forget(host));
      })
      .finally(() => this.#starting.delete(starting));
    this.#starting.add(starting);
    // Whoever waits hears of a failure; when nobody does, the next lease tries again and reports it.
    starting.catch(() => {
      this.#canStart = false;
      if (this.closed) return;
      this.#failedCount++;
      this.#retrySoon();
    });
  }

  #retrySoon(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      if (!this.#canStart && this.#starting.size === 0 && !this.closed) this.#startOne();
    }, retryMs);
    this.#retry.unref();
  }

  /** A host that was called off because the pool closes is nobody's failure. */
  readonly #unlessClosed = (error: unknown): void => {
    if (!this.closed) throw error;
  };

  #keep(host: Host): void {
    if (this.closed) host.kill();
    else if (!host.hasEnded) this.#ready.push(host);
  }

  #forget(host: Host): void {
    const index = this.#ready.indexOf(host);
    if (index !== -1) this.#ready.splice(index, 1);
  }

  /**
   * Starting hosts takes the cores and the attention that a score needs, so it waits until none has been under way for a
   * moment, and then starts one after the other.
   */
  #refillSoon(): void {
    clearTimeout(this.#refill);
    this.#refill = setTimeout(() => this.#refillNow(), refillMs);
    this.#refill.unref();
  }

  #refillNow(): void {
    if (this.#leased.size > 0 || this.closed || this.#ready.length >= this.#size) return;
    void this.prestart(Math.min(this.#ready.length + 1, this.#size));
    Promise.all(this.#starting).then(
      () => this.#refillNow(),
      () => {},
    );
  }
}
