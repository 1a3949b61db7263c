/** Asks the database at which moment it is, so that what was read at the same one need not be read again (see `kept-answers.ts`). */
import type { Moment } from './kept-answers.ts';

/**
 * The snapshot of a transaction names the oldest and the newest transaction and those between that go on, in 64 bits: a commit changes
 * it. A server that is started again, from a backup perhaps, or whose processes start again after one of them was killed, gives numbers
 * that were not on its disk to other transactions. So when it was started is part of the moment, and when it began to count what it
 * does, which it does anew after a crash.
 */
export const momentStatement = `SELECT concat_ws(' ', pg_current_snapshot(), extract(epoch FROM pg_postmaster_start_time()),
  extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time())) AS moment`;

/** A database that nobody but this process can reach, and that does nothing but what it is asked. */
export type Alone = {
  /** How many messages have gone to it so far. */
  messages(): number;
  /** How many of them one question for the moment takes. */
  messagesPerQuestion: number;
};

export class Moments {
  readonly #ask: () => Promise<Moment>;
  readonly #alone: Alone | undefined;
  #asking: Promise<Moment> | undefined;
  #next: Promise<Moment> | undefined;
  /** The last answer, and how many messages had gone to the database when it was given. */
  #known: { moment: Promise<Moment>; messages: number } | undefined;

  /**
   * `ask` runs `momentStatement`, on its own and in no transaction. With `alone` it is not asked again before something else was asked
   * of the database.
   */
  constructor(ask: () => Promise<Moment>, alone?: Alone) {
    this.#ask = ask;
    this.#alone = alone;
  }

  /** The moment at some time after this call. Those who ask while the database is being asked share the question after it. */
  now(): Promise<Moment> {
    if (this.#known !== undefined && this.#known.messages === this.#alone?.messages())
      return this.#known.moment;
    if (this.#asking === undefined) return this.#begin();
    const begin = () => this.#begin();
    this.#next ??= this.#asking.then(begin, begin);
    return this.#next;
  }

  #begin(): Promise<Moment> {
    this.#next = undefined;
    const before = this.#alone?.messages();
    const asking = this.#ask()
      .then((moment) => {
        const messages = this.#alone?.messages();
        // If anything else was asked meanwhile, something may have been committed after the answer.
        if (messages !== undefined && messages - (before ?? 0) === this.#alone?.messagesPerQuestion)
          this.#known = { moment: Promise.resolve(moment), messages };
        return moment;
      })
      .finally(() => {
        if (this.#asking === asking) this.#asking = undefined;
      });
    this.#asking = asking;
    return asking;
  }
}
