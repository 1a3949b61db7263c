/**
 * What disclosing one score costs: how many bits of the cases it may give away. Charges are what exposure budgets are spent
 * on, and what `assurance.ts` reckons with. Pure arithmetic.
 *
 * A reader learns two things: what the gate discloses, and when. Each is a code, and a code may have words of the lengths
 * that its charges are if 2^−charge summed over all that could have been disclosed is at most 1 (Kraft's inequality). Only
 * these sums matter to the proof, so that a length need be no whole number.
 * - What: a verdict is one of 2, so each costs 1 bit: 2 · 2^−1 = 1. The number of cases that passed is one of cases + 1, and
 *   costs log2(cases + 1). The names of those that failed are one of 2^cases, and cost one bit a case. Both tell the verdict.
 *   The reasons of a block besides `red` tell of budgets, policies and failures of ours, nothing of a case.
 * - When: verdicts are published on the borders of time slots, so that a duration tells no more than the number k of its
 *   slot. k costs log2(k(k + 1)) bits: 1 for the first slot, in which almost every score ends, and more the later it is.
 *   Σ 1/(k(k + 1)) = Σ (1/k − 1/(k + 1)) = 1 over all k from 1, however long somebody lets a candidate wait.
 * The product of two such sums is at most 1, and so is that of a whole sequence of scores: charges add up.
 */
import type { Disclosure } from '../gate.ts';

/** What was disclosed of a score about one suite of `cases` cases, in the `slot`-th time slot, counted from 1. */
export type DisclosedPart = { disclosure: Disclosure; cases: number; slot: number };

/** The charge in bits. Throws RangeError for cases that are no whole number from 0, and a slot that is none from 1. */
export function chargeOf({ disclosure, cases, slot }: DisclosedPart): number {
  if (!Number.isSafeInteger(cases) || cases < 0) {
    throw new RangeError(`cases is a whole number of at least 0, not ${cases}`);
  }
  if (!Number.isSafeInteger(slot) || slot < 1) {
    throw new RangeError(`slot is a whole number of at least 1, not ${slot}`);
  }
  // As a sum, because the product of two large numbers is rounded.
  return bitsOf(disclosure, cases) + Math.log2(slot) + Math.log2(slot + 1);
}

function bitsOf(disclosure: Disclosure, cases: number): number {
  switch (disclosure) {
    case 'verdict':
      return 1;
    case 'counts':
      return Math.log2(cases + 1);
    case 'names':
      return cases;
  }
}
