/** Until when a case is asked: the date that its author gave it, and which cases of a revision are in force at a moment. Pure. */
import { z } from 'zod';
import type { SealedCase } from './case.ts';

const wrongEnd = 'is a day as 2027-01-31, or an instant as 2027-01-31T12:00:00Z';

/** A day, which begins at midnight UTC, or an instant. From then on the case is not asked any more. */
export const expiresSchema = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })], { error: wrongEnd })
  // No database keeps the year 0, or one of five digits.
  .refine((end) => /^(?!0000)\d{4}-/.test(new Date(end).toISOString()), wrongEnd);

/** The moment from which a case is not asked any more; undefined for one that does not expire. */
export function expiresAt({ expires }: Pick<SealedCase, 'expires'>): Date | undefined {
  // A day without a time is read as its beginning in UTC.
  return expires === undefined ? undefined : new Date(expires);
}

/** The cases of a revision that are asked at one moment: their positions in the revision, and how many of them can prove something. */
export type InForce = { positions: number[]; proving: number };

/**
 * Which cases are in force at a moment. A case that has expired is neither run nor required; a tripwire proves nothing. The later the
 * moment, the fewer they are: what is in force then was in force at every moment before.
 */
export function inForce({ cases }: { cases: SealedCase[] }, at: Date): InForce {
  const positions = cases.flatMap((testCase, position) => {
    const until = expiresAt(testCase);
    return until === undefined || at < until ? [position] : [];
  });
  const proving = positions.filter((position) => cases[position] !== undefined && proves(cases[position]));
  return { positions, proving: proving.length };
}

/** The positions of the cases that are not asked any more at a moment. */
export function expiredPositions({ cases }: { cases: SealedCase[] }, at: Date): number[] {
  const asked = new Set(inForce({ cases }, at).positions);
  return [...cases.keys()].filter((position) => !asked.has(position));
}

/** The moment from which no case is in force that can prove something; undefined where there will always be one. */
export function spentAt({ cases }: { cases: SealedCase[] }): Date | undefined {
  const ends = cases.filter(proves).map(expiresAt);
  const known = ends.flatMap((end) => (end === undefined ? [] : [end.getTime()]));
  return ends.length === known.length && known.length > 0 ? new Date(Math.max(...known)) : undefined;
}

/** Whether a case, or one of its steps, requires something that an honest candidate has to do for it. */
function proves({ expect, sameAs, relate, steps = [] }: SealedCase): boolean {
  if (sameAs !== undefined) return true;
  const expectations = [expect, ...steps.map((step) => step.expect)];
  return relate === true || expectations.some((each) => each !== undefined && !('tripwire' in each));
}
