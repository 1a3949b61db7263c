/**
 * Whether a build took too much processor time: at most so many times what a reference took for the same, measured in the same score. A
 * ratio holds on every machine, where a time would not.
 */
import type { ObservedCase } from '../../runners/protocol.ts';

/**
 * Below this nobody is over any budget, in milliseconds: of what is so short, collecting garbage and compiling are too large a part. A
 * case should give its budget enough to do: a few hundred milliseconds for what it is meant to catch.
 */
export const budgetFloorMs = 20;

/** What is wrong with the time of a build, or `''`. A time that was not measured is no time within a budget. */
export function overBudget(
  within: number,
  build: Pick<ObservedCase, 'cpuMs'>,
  reference: Pick<ObservedCase, 'cpuMs'> & { name: string },
): string {
  const [took, allowed] = [build.cpuMs ?? Number.NaN, reference.cpuMs ?? Number.NaN];
  if (took <= Math.max(budgetFloorMs, within * allowed)) return '';
  if (Number.isNaN(took) || Number.isNaN(allowed)) return 'its processor time was not measured';
  return `it took ${told(took)} of processor time, more than ${within} times the ${told(allowed)} of reference ${reference.name}`;
}

function told(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
