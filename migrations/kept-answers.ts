/**
 * Answers of the database that are kept in memory for as long as it provably still gives them: while it is at the moment at which they
 * were read, and no clock has changed them. Where there is any doubt it is asked again.
 */
import { LRUCache } from 'lru-cache';

/**
 * What is committed now, as a text: while it is the same, nothing was committed in between. See `moments.ts`.
 */
export type Moment = string;

/** What was read, and until when it holds by the clock, in milliseconds since the epoch, if nothing is committed before. */
export type Lasting<Answer> = { answer: Answer; untilMs: number };

type Kept<Answer> = Lasting<Answer> & { moment: Moment; fromMs: number };

export class KeptAnswers<Answer> {
  readonly #kept: LRUCache<string, Kept<Answer>>;

  /** Keeps the answers to so many questions. */
  constructor(max: number) {
    this.#kept = new LRUCache({ max });
  }

  /**
   * The answer to a question as of a moment that the caller has just asked for. An answer that was read after an equal moment was read
   * from the same state, because between equal moments nothing is committed. What `read` throws is not kept.
   */
  async ask(question: string, moment: Moment, read: () => Promise<Lasting<Answer>>): Promise<Answer> {
    const kept = this.#kept.get(question);
    const nowMs = Date.now();
    // A clock that was put back makes what was read before it doubtful.
    if (kept?.moment === moment && kept.fromMs <= nowMs && nowMs < kept.untilMs) return kept.answer;
    const fresh = await read();
    this.#kept.set(question, { ...fresh, moment, fromMs: nowMs });
    return fresh.answer;
  }
}
