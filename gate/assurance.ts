/** What a green proves. */
export function failureRateAtMost({
  cases,
  bits,
  delta,
}: {
  cases: number;
  bits: number;
  delta: number;
}): number {
  return cases === 0 ? 1 : -Math.expm1((Math.log(delta) - bits * Math.LN2) / cases);
}
