/**
 * Hosts started ahead of need, so that their start-up is off the critical path. A lease takes a host out; a host that
 * has run a candidate is never put back.
 */
import type { HostCode } from './bundle.ts';
import { RunnerError } from './errors.ts';
import { Host } from './host.ts';

export type PoolOptions = {
  code: HostCode;
  /** How many ready hosts are kept. */
  size: number;
  /** Isolates of this size are made ahead, in MiB. */
  isolateMb: number;
};

export class HostPool {
  readonly #options: PoolOptions;
  readonly #ready: Host[] = [];
  readonly #starting = new Set<Promise<void>>();
  readonly #leased = new Set<Host>();
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** How many hosts could be leased at once without waiting. */
  get readyCount(): number {
    return this.#ready.length;
  }

  get pids(): number[] {
    return [...this.#ready, ...this.#leased].map((host) => host.pid);
  }

  /** Fills the pool and waits until it is full. Throws `host_unavailable`. */
  async warm(): Promise<void> {
    this.#refill();
    await Promise.all(this.#starting);
    if (this.#ready.length < this.#options.size && !this.#closed) {
      throw new RunnerError('host_unavailable', 'runner hosts do not start on this machine');
    }
  }

  /** A ready host, for the caller alone. It must be given back with `end` or `giveBack`. Throws `host_unavailable`. */
  async lease(): Promise<Host> {
    if (this.#closed) throw closed();
    const host = this.#ready.shift() ?? (await this.#start());
    if (this.#closed) {
      host.kill();
      throw closed();
    }
    this.#leased.add(host);
    return host;
  }

  /** Ends a leased host: what has run a candidate runs nothing else. */
  async end(host: Host): Promise<void> {
    host.kill();
    await host.exited;
    this.#leased.delete(host);
    this.#refill();
  }

  /** Takes back a leased host in which nothing foreign has run. */
  giveBack(host: Host): void {
    this.#leased.delete(host);
    this.#keep(host);
  }

  /** Ends every host. Leases under way end as if their hosts had died, and callers hear `runners_closed`. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#starting);
    const hosts = [...this.#ready, ...this.#leased];
    for (const host of hosts) host.kill();
    await Promise.all(hosts.map((host) => host.exited));
  }

  get closed(): boolean {
    return this.#closed;
  }

  #start(): Promise<Host> {
    return Host.start(this.#options.code, this.#options.isolateMb);
  }

  #keep(host: Host): void {
    if (this.#closed) {
      host.kill();
      return;
    }
    this.#ready.push(host);
    void host.exited.then(() => {
      const index = this.#ready.indexOf(host);
      if (index !== -1) this.#ready.splice(index, 1);
    });
  }

  /** Starting hosts takes the cores that a score needs, so it waits until none is under way. */
  #refill(): void {
    if (this.#leased.size > 0 || this.#closed) return;
    while (this.#ready.length + this.#starting.size < this.#options.size) {
      const starting: Promise<void> = this.#start()
        .then(
          (host) => this.#keep(host),
          // The next lease tries again, and reports it.
          () => {},
        )
        .finally(() => this.#starting.delete(starting));
      this.#starting.add(starting);
    }
  }
}

function closed(): RunnerError {
  return new RunnerError('runners_closed', 'the service is shutting down');
}
