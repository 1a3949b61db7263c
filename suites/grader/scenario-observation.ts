/**
 * What a realm tells of a scenario, read where it is graded. It was written beside hostile code, so it is exactly of this form, with
 * a record for each step and a count for each exchange, or it is nothing. The small flavour of zod is for the grader's process, which
 * loads this.
 */
import * as z from 'zod/mini';
import type { Observation } from '../../runners/protocol.ts';

const stepObservationSchema = z.discriminatedUnion('outcome', [
  z.strictObject({ outcome: z.literal('returned'), value: z.unknown() }),
  z.strictObject({
    outcome: z.literal('threw'),
    error: z.strictObject({ name: z.string(), message: z.string() }),
  }),
  /** Set-up that returned. */
  z.strictObject({ outcome: z.literal('done') }),
  /** It takes an output that there is not. */
  z.strictObject({ outcome: z.literal('not_called'), detail: z.string() }),
]);

const scenarioObservationSchema = z.strictObject({
  steps: z.array(stepObservationSchema),
  /** How often each exchange was made. */
  requests: z.array(z.int().check(z.nonnegative())),
});

/** How one step ended. Of one that returned, `value` is carried JSON text, as in any observation. */
export type StepObservation =
  | Extract<Observation, { outcome: 'returned' | 'threw' }>
  | { outcome: 'done' }
  | { outcome: 'not_called'; detail: string };

export type ScenarioObservation = { steps: StepObservation[]; requests: number[] };

/** Reads what was observed of a scenario of so many steps and exchanges; undefined if it is anything else. */
export function readScenarioObservation(
  text: string,
  counts: { steps: number; exchanges: number },
): ScenarioObservation | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { success, data } = scenarioObservationSchema.safeParse(value);
  if (!success || data.steps.length !== counts.steps || data.requests.length !== counts.exchanges) {
    return undefined;
  }
  const steps = data.steps.map(
    (step): StepObservation =>
      step.outcome === 'returned' ? { outcome: 'returned', value: JSON.stringify(step.value) } : step,
  );
  return { steps, requests: data.requests };
}
