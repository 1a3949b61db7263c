/**
 * What a green proves. "Every case passed" becomes a number that a person can weigh: the rate at which the candidate may
 * still fail on inputs like the suite's, for all that its author had learnt of the suite by then. Pure arithmetic.
 *
 * The claim. A suite has n cases, b bits have been disclosed about them, the verdict on this candidate included, and the
 * verdict is green. Then, with confidence 1 − δ, the candidate fails on at most a share of
 *
 *     ε = 1 − (δ / 2^b)^(1/n)
 *
 * of the inputs of the kind that the cases were drawn from.
 *
 * Why. A candidate that fails on a share p of those inputs passes n independent cases with probability (1 − p)^n. Were it
 * fixed before the cases were drawn, p > 1 − δ^(1/n) would get a green with probability below δ, and that would be all.
 * But its author saw earlier verdicts on the same cases and chose what to try next. Write down everything that was
 * disclosed, this green included, as one record. The records that end in a green form a code: none is the beginning of
 * another, as the author stops at the green that counts. The charges of a record are its length b, and charges are such that
 * 2^−b summed over the records is at most 1 (Kraft's inequality; `charge.ts` says why), so at most 2^b records are of length
 * b or less. A record determines the candidate that got the green, for the author is a procedure: so feedback of b bits can
 * single out at most 2^b candidates, and they are fixed before the cases are drawn. To the candidate of a record of b bits
 * allot a risk of δ / 2^b. It is wrongly green with at most that probability if p > 1 − (δ / 2^b)^(1/n), and by the union
 * bound the probability that any of them is, is at most Σ δ / 2^b ≤ δ. Nothing here needs b to be known beforehand, and an
 * author who throws dice, or many authors who tell each other everything, are a procedure as well.
 *
 * It assumes that
 * - the cases were drawn independently from the inputs in question. What QA writes by hand leans towards the hard ones, which
 *   makes the number cautious for everyday inputs; cases that repeat one another count once, not n times, and a case that
 *   generates its inputs is one case however many it makes, because they are all of the one kind that it was written for;
 * - the candidate is deterministic, and treats a case the same whenever it meets it (realms are seeded and fresh);
 * - all that anybody learnt of the cases is in b: a leaked suite proves nothing, and a case that a person was shown counts as
 *   known;
 * - one green is relied upon. Each green of many is right with confidence 1 − δ; that all of them are is a larger claim.
 *
 * It says nothing of kinds of inputs that the suite's author did not think of, nor of what an expectation does not look at.
 */

/** How often a claim may be wrong, unless the reader says otherwise. */
export const deltaDefault = 0.05;

/** A suite of `cases` cases, of which `bits` bits were disclosed; claims may be wrong with probability `delta`. */
export type Evidence = { cases: number; bits: number; delta: number };

/**
 * The share of inputs, 0 to 1, on which a candidate with a green fails at most, with confidence 1 − `delta`. 1 says that
 * nothing is proved. Throws RangeError for what is no evidence: cases that are no whole number of at least 0, bits below 0,
 * a delta that is not between 0 and 1.
 */
export function failureRateAtMost({ cases, bits, delta }: Evidence): number {
  requireWhole('cases', cases);
  requireBitsAndDelta(bits, delta);
  if (cases === 0) return 1;
  // 1 − exp(x) where x is close to 0 would lose every digit; expm1 keeps them.
  return -Math.expm1(-surprise(bits, delta) / cases);
}

/**
 * The least number of cases with which a green proves a failure rate of at most `rate`, though `bits` bits were disclosed.
 * Infinity where it is too large to be counted. Throws RangeError, also for a rate that is not above 0.
 */
export function casesNeeded({ rate, bits, delta }: { rate: number; bits: number; delta: number }): number {
  if (!(rate > 0 && rate <= 1)) throw new RangeError(`rate is above 0 and at most 1, not ${rate}`);
  requireBitsAndDelta(bits, delta);
  if (rate === 1) return 0;
  const estimate = Math.ceil(surprise(bits, delta) / -Math.log1p(-rate));
  if (!(estimate < Number.MAX_SAFE_INTEGER)) return Number.POSITIVE_INFINITY;
  // Rounding can miss by one; the answer is to be exactly where the other function turns.
  let cases = Math.max(estimate, 1);
  while (failureRateAtMost({ cases, bits, delta }) > rate) cases++;
  while (cases > 1 && failureRateAtMost({ cases: cases - 1, bits, delta }) <= rate) cases--;
  return cases;
}

/** −ln(δ / 2^b): as a sum, because 2^b has no number where b is large. */
function surprise(bits: number, delta: number): number {
  return bits * Math.LN2 - Math.log(delta);
}

function requireWhole(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new RangeError(`${name} is a whole number of at least 0, not ${value}`);
}

function requireBitsAndDelta(bits: number, delta: number): void {
  if (!(bits >= 0)) throw new RangeError(`bits is at least 0, not ${bits}`);
  if (!(delta > 0 && delta < 1)) throw new RangeError(`delta is between 0 and 1, not ${delta}`);
}
