/** From what a reference made of a case to what is required of everybody else. Pure. */
import type { ObservedCase } from '../../runners/protocol.ts';
import type { SealedCase } from '../../suites/case.ts';
import type { Reference } from '../../suites/reference.ts';

/** The name of the reference that a case is compared with: for its output, or else for its time alone. */
export function comparedWith({ sameAs, within }: SealedCase, references: Reference[]): string | undefined {
  if (sameAs !== undefined) return sameAs;
  return within === undefined ? undefined : references.find(({ verdict }) => verdict === 'merge')?.name;
}

/** Whether a reference ended in a way that others can be compared with. */
export function isComparable({ observation: { outcome } }: ObservedCase): boolean {
  return outcome === 'returned' || outcome === 'threw';
}

/** The case as if it had been written with what the reference made of it: the same value, or an error of the same name. */
export function requireSame(testCase: SealedCase, { observation }: ObservedCase): SealedCase {
  if (observation.outcome === 'returned') {
    return { ...testCase, expect: { equals: JSON.parse(observation.value) } };
  }
  if (observation.outcome === 'threw') {
    return { ...testCase, expect: { throws: { name: observation.error.name } } };
  }
  throw new Error(`nobody is compared with what ended as ${observation.outcome}`);
}
