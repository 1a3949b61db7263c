/**
 * Hears what PostgreSQL's `NOTIFY` tells, and shows others how this process is set, on a connection of its own, for as long as the process
 * runs, however often the connection is lost or turns out to be open on this side alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { watchedSocket } from './watched-socket.ts';
import { within } from './within.ts';

/** How often it is asked whether the connection still listens, and how long the answer may take, in milliseconds. */
const checkMs = 5_000;

/** How this process is set is a lock that all may share, of this number and the value's. Any constant will do. */
const settingLock = 7_276_557;

type Heard = (told: string) => void;

export class Listener {
  readonly #databaseUrl: string;
  readonly #channels = new Map<string, Heard[]>();
  readonly #closing = new AbortController();
  #connection: pg.Client | undefined;
  #setting: { value: number; shownOn: pg.Client | undefined } | undefined;
  #watching: Promise<void> | undefined;

  constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl;
  }

  /** Calls `heard` with what is told on a channel from now on, and with `''` whenever something may have been missed. */
  async listen(channel: string, heard: Heard): Promise<void> {
    this.#channels.set(channel, [...(this.#channels.get(channel) ?? []), heard]);
    await this.#check();
    this.#watching ??= this.#watch();
  }

  /** Shows others a value that this process is set to from now on, and answers the values that differ from it of those that show one. */
  async show(value: number): Promise<number[]> {
    this.#setting = { value, shownOn: undefined };
    const connection = await this.#check();
    this.#watching ??= this.#watch();
    const { rows } = await within(
      checkMs,
      connection.query<{ value: number }>(
        `SELECT DISTINCT objid::int AS value FROM pg_locks JOIN pg_database ON pg_database.oid = database
        WHERE locktype = 'advisory' AND datname = current_database() AND objsubid = 2 AND classid = $1 AND objid <> $2`,
        [settingLock, value],
      ),
    );
    return rows.map((row) => row.value);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    // An answer that is being waited for may never come.
    this.#drop(this.#connection);
    await this.#watching;
    this.#drop(this.#connection);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleep(checkMs, undefined, { signal, ref: false }).catch(() => {});
      if (!signal.aborted) await this.#check().catch(() => {});
    }
  }

  /**
   * Sees that the connection is there, listens to every channel, and shows the setting; if it had to be made anew, something may have been
   * missed.
   */
  async #check(): Promise<pg.Client> {
    const connection = this.#connection ?? this.#open();
    try {
      const { rows } = await within(
        checkMs,
        connection.query<{ channel: string }>('SELECT pg_listening_channels() AS channel'),
      );
      const heard = new Set(rows.map(({ channel }) => channel));
      const missing = [...this.#channels.keys()].filter((channel) => !heard.has(channel));
      for (const channel of missing)
        await within(checkMs, connection.query(`LISTEN ${connection.escapeIdentifier(channel)}`));
      const setting = this.#setting;
      if (setting !== undefined && setting.shownOn !== connection) {
        await within(
          checkMs,
          connection.query('SELECT pg_advisory_lock_shared($1, $2)', [settingLock, setting.value]),
        );
        setting.shownOn = connection;
      }
      for (const channel of missing) this.#tell(channel, '');
      return connection;
    } catch (error) {
      this.#drop(connection);
      throw error;
    }
  }

  #open(): pg.Client {
    const connection = new pg.Client({ connectionString: this.#databaseUrl, stream: watchedSocket });
    this.#connection = connection;
    connection.on('notification', ({ channel, payload }) => this.#tell(channel, payload ?? ''));
    // Looked for anew at the next check.
    connection.on('error', () => this.#drop(connection));
    connection.connect().catch(() => this.#drop(connection));
    return connection;
  }

  #drop(connection: pg.Client | undefined): void {
    if (this.#connection === connection) this.#connection = undefined;
    connection?.end().catch(() => {});
  }

  #tell(channel: string, told: string): void {
    for (const heard of this.#channels.get(channel) ?? []) heard(told);
  }
}
