/** Waits for an answer, but not for ever: a database that is cut off, or its driver, may never give one. */
import { setTimeout as sleep } from 'node:timers/promises';

/** The answer, if it comes in time. Throws what `asking` throws, and an Error if it takes longer than `ms`; what was asked may still happen. */
export async function within<Answer>(ms: number, asking: PromiseLike<Answer>): Promise<Answer> {
  const timeout = new AbortController();
  const late = sleep(ms, undefined, { signal: timeout.signal, ref: false }).then(() => {
    throw new Error(`the database does not answer within ${ms} ms`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([asking, late]);
  } finally {
    timeout.abort();
  }
}
