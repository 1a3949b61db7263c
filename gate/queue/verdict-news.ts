/** Wakes those who wait for the verdict of a score: with the score itself where it was decided in this process, else to look for it. */
import type { OpenDatabase } from '../../migrations/open-database.ts';
import type { ScoreRecord } from '../history.ts';

type Wake = (decided: ScoreRecord | undefined) => void;

/** Somebody who waits. To be stopped, or it is kept for ever. */
export type Waiting = {
  /**
   * Resolves to the decided score, or to undefined when it should be looked for: when there are news, also of before this call, or after
   * so many milliseconds.
   */
  next(ms: number): Promise<ScoreRecord | undefined>;
  stop(): void;
};

export class VerdictNews {
  readonly #waiting = new Map<string, Set<Wake>>();

  /** Hears of verdicts that are appended by whatever process. */
  async listen(database: OpenDatabase): Promise<void> {
    await database.listen('holdback_verdicts', (score) => {
      if (score === '') this.wakeAll();
      // Where it was decided in this process, the score itself is told in this turn, and need not be looked for.
      else setImmediate(() => this.#wake(score, undefined));
    });
  }

  /** Begins to wait: what is told from now on is heard. */
  wait(score: string): Waiting {
    let news: { decided: ScoreRecord | undefined } | undefined;
    let hear: (() => void) | undefined;
    const wake: Wake = (decided) => {
      // Whoever has heard of the score itself needs no more.
      news = { decided: decided ?? news?.decided };
      hear?.();
    };
    const others = this.#waiting.get(score) ?? new Set();
    this.#waiting.set(score, others.add(wake));
    return {
      next: async (ms) => {
        if (news === undefined)
          await new Promise<void>((heard) => {
            const late = setTimeout(heard, ms);
            hear = () => {
              clearTimeout(late);
              heard();
            };
          });
        const told = news;
        news = undefined;
        hear = undefined;
        return told?.decided;
      },
      stop: () => {
        others.delete(wake);
        if (others.size === 0 && this.#waiting.get(score) === others) this.#waiting.delete(score);
      },
    };
  }

  /** Tells of a score that was decided here. */
  tell(decided: ScoreRecord): void {
    this.#wake(decided.id, decided);
  }

  /** Has everybody look for what they wait for. */
  wakeAll(): void {
    for (const score of this.#waiting.keys()) this.#wake(score, undefined);
  }

  #wake(score: string, decided: ScoreRecord | undefined): void {
    for (const wake of this.#waiting.get(score) ?? []) wake(decided);
  }
}
