/**
 * Hears what PostgreSQL's `NOTIFY` tells, on a connection of its own, for as long as the process runs. The driver's own `listen` gives
 * up for good when the database is away for more than a moment, and does not notice a connection that is open on this side alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { within } from './within.ts';

/** How often it is asked whether the connection still listens, and how long the answer may take, in milliseconds. */
const checkMs = 5_000;

type Heard = (told: string) => void;

export class Listener {
  readonly #open: () => postgres.Sql;
  readonly #channels = new Map<string, Heard[]>();
  readonly #closing = new AbortController();
  #connection: postgres.Sql | undefined;
  #watching: Promise<void> | undefined;

  constructor(databaseUrl: string, options: postgres.Options<Record<string, never>>) {
    // The driver has this hook for its own `listen`, and leaves it out of its types.
    const hearing = { onnotify: (channel: string, told: string) => this.#tell(channel, told) };
    const lasting = { max: 1, idle_timeout: 0, max_lifetime: null, fetch_types: false };
    this.#open = () => postgres(databaseUrl, { ...options, ...lasting, ...hearing });
  }

  /** Calls `heard` with what is told on a channel from now on, and with `''` whenever something may have been missed. */
  async listen(channel: string, heard: Heard): Promise<void> {
    this.#channels.set(channel, [...(this.#channels.get(channel) ?? []), heard]);
    await this.#check();
    this.#watching ??= this.#watch();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#watching;
    await this.#connection?.end({ timeout: 1 });
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleep(checkMs, undefined, { signal, ref: false }).catch(() => {});
      if (!signal.aborted) await this.#check().catch(() => {});
    }
  }

  /** Sees that the connection is there and listens to every channel; if it had to be made anew, something may have been missed. */
  async #check(): Promise<void> {
    this.#connection ??= this.#open();
    const connection = this.#connection;
    try {
      const rows = await within(checkMs, connection`SELECT pg_listening_channels() AS channel`);
      const heard = new Set(rows.map(({ channel }) => channel));
      const missing = [...this.#channels.keys()].filter((channel) => !heard.has(channel));
      for (const channel of missing) await within(checkMs, connection`LISTEN ${connection(channel)}`);
      for (const channel of missing) this.#tell(channel, '');
    } catch (error) {
      this.#connection = undefined;
      void connection.end({ timeout: 0 });
      throw error;
    }
  }

  #tell(channel: string, told: string): void {
    for (const heard of this.#channels.get(channel) ?? []) heard(told);
  }
}
