/** Asks the database at which moment it is, so that what was read at the same one need not be read again (see `kept-answers.ts`). */
import type { Moment } from './kept-answers.ts';

/**
 * The snapshot of a transaction names the oldest and the newest transaction and those between that go on, in 64 bits: a commit changes
 * it. A server that is restarted, from a backup perhaps, may count some transactions again, so its start is part of the moment.
 */
export const momentStatement =
  "SELECT pg_current_snapshot()::text || ' ' || extract(epoch FROM pg_postmaster_start_time()) AS moment";

export class Moments {
  readonly #ask: () => Promise<Moment>;
  #asking: Promise<Moment> | undefined;
  #next: Promise<Moment> | undefined;

  /** `ask` runs `momentStatement`, on its own and in no transaction. */
  constructor(ask: () => Promise<Moment>) {
    this.#ask = ask;
  }

  /** The moment at some time after this call. Those who ask while the database is being asked share the question after it. */
  now(): Promise<Moment> {
    if (this.#asking === undefined) return this.#begin();
    const begin = () => this.#begin();
    this.#next ??= this.#asking.then(begin, begin);
    return this.#next;
  }

  #begin(): Promise<Moment> {
    this.#next = undefined;
    const asking = this.#ask().finally(() => {
      if (this.#asking === asking) this.#asking = undefined;
    });
    this.#asking = asking;
    return asking;
  }
}
