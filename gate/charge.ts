/** What a disclosed verdict may have taught about the cases it used, in bits. */
import type { Disclosure } from './gate.ts';

export type Charged = {
  /** What the gate discloses to `ci` and `harness`. */
  disclosure: Disclosure;
  /** How many cases were scored. */
  cases: number;
  /** The time slot in which the verdict was published, from 1. */
  slot: number;
};

/** The charge of one score, in bits. */
export function chargeOf({ disclosure, cases, slot }: Charged): number {
  const told = { verdict: 1, counts: Math.log2(cases + 1), names: cases };
  return told[disclosure] + Math.log2(slot) + Math.log2(slot + 1);
}
