/** Long computations in steps: run to their end at once, or in turns with everything else that the service has to do. */
import { setImmediate } from 'node:timers/promises';

/** The result of a computation, at once. */
export function endOf<Result>(steps: Generator<void, Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The result of a computation; after each step what waits meanwhile has its turn, above all the watch over hosts. */
export async function endInTurns<Result>(steps: Generator<void, Result>): Promise<Result> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await setImmediate();
  }
}
