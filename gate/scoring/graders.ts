/**
 * How graders are asked: items go to a process of the pool until each has its answer, whatever becomes of the process. No candidate
 * ever runs in one, so a grader that ended well is used again.
 */
import { RunnerError } from '../../runners/errors.ts';
import type { HostPool } from '../../runners/pool.ts';
import { type JobEnd, supervise } from '../../runners/supervise.ts';
import type { GraderJob } from '../../suites/grader/protocol.ts';

/** An expectation has this long to answer for one case, in milliseconds of its own time. */
export const expectationMsMax = 2_000;
const graderMbMax = 768;
const gradeBytesMax = 1 << 20;
/** Fewer items than this are not worth a grader of their own. */
const itemsPerGraderMin = 200;
/** Items are sent in batches of about this many characters, so that neither side holds a whole large score twice. */
const batchCharsMax = 8 << 20;
/** Expectations that hang or crash are worked around this often in one score. */
const mishapsMax = 5;
/** So many graders may stand still for one asking: all that were ready, if the system has stopped them. */
const standstillsMax = 4;

/** Why an item has no answer. */
export type Mishap = 'timed_out' | 'ended' | 'not_asked';
/** What became of one item: its answer, or that it took too long, or that the grader's process ended at it. */
export type Answer = { text: string } | { mishap: Mishap };

export class Graders {
  readonly #pool: HostPool;

  constructor(pool: HostPool) {
    this.#pool = pool;
  }

  /** Asks several graders at once, each about a part of the items. */
  async askSeveral<Item>(
    items: Item[],
    job: (items: Item[]) => GraderJob,
    answerBytesMax = gradeBytesMax,
    itemsMin = itemsPerGraderMin,
  ): Promise<Answer[]> {
    if (items.length === 0) return [];
    const parts = Math.max(1, Math.min(this.#pool.size, Math.floor(items.length / itemsMin)));
    const length = Math.ceil(items.length / parts);
    const asked = Array.from({ length: parts }, (_, part) =>
      this.ask(items.slice(part * length, (part + 1) * length), job, answerBytesMax),
    );
    return (await Promise.all(asked)).flat();
  }

  /**
   * Asks about items until each has its answer. A grader runs none but our own and the authors' code, so one that dies is
   * asked again once at the same item; what ends two of them, or takes too long, is to blame itself. That may be what a
   * candidate wanted of its output, so after a few of these the rest is not asked, which is no pass.
   */
  async ask<Item>(
    items: Item[],
    job: (items: Item[]) => GraderJob,
    answerBytesMax = gradeBytesMax,
  ): Promise<Answer[]> {
    const answers: Answer[] = [];
    let mishaps = 0;
    let diedAt = -1;
    let standstills = 0;
    while (answers.length < items.length) {
      if (mishaps > mishapsMax) {
        answers.push({ mishap: 'not_asked' });
        continue;
      }
      const batch = firstBatch(items.slice(answers.length));
      const end = await this.#askOnce(batch.length, job(batch), answerBytesMax, (text) =>
        answers.push({ text }),
      );
      if (end.end === 'done') continue;
      const at = answers.length;
      // A module has nothing to wait for: what holds its process up is none of its doing, nor the candidate's.
      if (end.why === 'standstill') {
        if (++standstills > standstillsMax) throw new RunnerError('host_lost', 'graders do nothing');
        continue;
      }
      if (end.why === 'died' && diedAt !== at) {
        diedAt = at;
        continue;
      }
      mishaps++;
      answers.push({ mishap: end.why === 'case_time' ? 'timed_out' : 'ended' });
    }
    return answers;
  }

  async #askOnce(
    count: number,
    job: GraderJob,
    answerBytesMax: number,
    onAnswer: (text: string) => void,
  ): Promise<JobEnd> {
    const host = await this.#pool.lease();
    let end: JobEnd | undefined;
    try {
      end = await supervise(host, {
        line: JSON.stringify(job),
        count,
        answerBytesMax,
        limits: {
          caseMs: expectationMsMax,
          scoreMs: expectationMsMax * Math.max(count, 60),
          hostMb: graderMbMax,
        },
        onAnswer: (_index, _durationMs, text) => onAnswer(text),
      });
    } finally {
      if (end?.end === 'done') this.#pool.giveBack(host);
      else this.#pool.end(host);
    }
    this.#pool.throwIfClosed();
    return end;
  }
}

/** As many of the first items as are sent at once; one at least. */
function firstBatch<Item>(items: Item[]): Item[] {
  let characters = 0;
  const end = items.findIndex((item, index) => {
    characters += JSON.stringify(item).length;
    return index > 0 && characters > batchCharsMax;
  });
  return end === -1 ? items : items.slice(0, end);
}
