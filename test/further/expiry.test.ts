/** Cases that expire: which are in force at a moment, and what becomes of verdicts that were decided when more of them were. Pure. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideAgain, type Lapse, lapseOf } from '../../gate/decide.ts';
import { type SealedCase, sealedCaseSchema } from '../../suites/case.ts';
import { expiresAt, expiresSchema, inForce, spentAt } from '../../suites/expiry.ts';

const instant = fc.date({ min: new Date('2026-01-01'), max: new Date('2028-01-01'), noInvalidDate: true });
const expires = fc.oneof(
  fc.constant(undefined),
  instant.map((date) => date.toISOString()),
  instant.map((date) => date.toISOString().slice(0, 10)),
);
const testCase: fc.Arbitrary<SealedCase> = fc.record({
  name: fc.string({ minLength: 1 }),
  input: fc.constant('1'),
  expect: fc.constantFrom<SealedCase['expect']>({ equals: 1 }, { predicate: true }, { tripwire: 'secret' }),
  tags: fc.constant([]),
  expires,
});
const cases = fc.array(testCase, { maxLength: 8 });

describe('a case', () => {
  test('of a day is asked until that day begins in UTC, one of an instant until that instant', () => {
    const until = (text: string) => expiresAt({ expires: text })?.toISOString();
    expect(until('2027-01-31')).toBe('2027-01-31T00:00:00.000Z');
    expect(until('2027-01-31T12:00:00+01:00')).toBe('2027-01-31T11:00:00.000Z');
    const one = {
      cases: [{ name: 'a', input: '1', expect: { equals: 1 }, tags: [], expires: '2027-01-31' }],
    };
    expect(inForce(one, new Date('2027-01-30T23:59:59.999Z')).positions).toEqual([0]);
    expect(inForce(one, new Date('2027-01-31T00:00:00.000Z')).positions).toEqual([]);
  });

  test.each(['soon', '2027-02-30', '2027-1-1', '2027-01-31T12:00', '', 5, null])(
    'does not expire at %j',
    (end) => {
      const read = sealedCaseSchema.safeParse({
        name: 'a',
        input: '1',
        expect: { equals: 1 },
        tags: [],
        expires: end,
      });
      expect(read.success).toBe(false);
    },
  );
});

describe('the cases in force', () => {
  test('are those whose end has not come, in their order, and those that prove something are counted', () => {
    fc.assert(
      fc.property(cases, instant, (all, at) => {
        const { positions, proving } = inForce({ cases: all }, at);
        const expected = [...all.keys()].filter((position) => {
          const end = all[position]?.expires;
          return end === undefined || Date.parse(end) > at.getTime();
        });
        expect(positions).toEqual(expected);
        expect(proving).toBe(
          expected.filter((position) => !('tripwire' in (all[position]?.expect ?? {}))).length,
        );
      }),
    );
  });

  test('are at a later moment some of those at an earlier one', () => {
    fc.assert(
      fc.property(cases, instant, instant, (all, one, other) => {
        const [early, late] = one < other ? [one, other] : [other, one];
        const earlier = inForce({ cases: all }, early).positions;
        expect(earlier).toEqual(expect.arrayContaining(inForce({ cases: all }, late).positions));
      }),
    );
  });

  test('prove nothing any more exactly from the moment that is known without opening the revision', () => {
    fc.assert(
      fc.property(cases, instant, (all, at) => {
        const spent = spentAt({ cases: all });
        fc.pre(all.some(({ expect: wanted = {} }) => !('tripwire' in wanted)));
        expect(spent !== undefined && spent <= at).toBe(inForce({ cases: all }, at).proving === 0);
      }),
    );
  });
});

describe('a verdict that was decided when other cases were in force', () => {
  const lapse = (suite: string): fc.Arbitrary<Lapse> =>
    fc.record({
      suite: fc.constant(suite),
      before: fc.integer({ min: 0, max: 5 }),
      after: fc.integer({ min: 0, max: 5 }),
      isSpent: fc.boolean(),
    });
  const required = ['a', 'b'];
  const lapses = fc.tuple(lapse('a'), lapse('b'));
  const earlier = (reason: 'green' | 'red') => ({
    verdict: reason === 'green' ? 'merge' : 'block',
    reason,
    revisions: required.map((suite) => ({ suite, revision: 1 })),
    passed: 4,
    total: 4,
  });
  const again = (reason: 'green' | 'red', since: Lapse[]) =>
    decideAgain(required, earlier(reason).revisions, earlier(reason), since)?.reason;

  test('is repeated as green only if no case is asked that was not asked then', () => {
    fc.assert(
      fc.property(lapses, (since) => {
        const holds = since.every(({ before, after, isSpent }) => after <= before && after > 0 && !isSpent);
        expect(again('green', since)).toBe(holds ? 'green' : undefined);
      }),
    );
  });

  test('is repeated as red only if every case is asked that was asked then', () => {
    fc.assert(
      fc.property(lapses, (since) => {
        const holds = since.every(({ before, after, isSpent }) => after >= before && !isSpent);
        expect(again('red', since)).toBe(holds ? 'red' : undefined);
      }),
    );
  });

  test('is repeated by nothing that is not known of each required suite, once', () => {
    const same = (suite: string): Lapse => ({ suite, before: 2, after: 2, isSpent: false });
    expect(again('green', [same('a'), same('b')])).toBe('green');
    for (const since of [
      [],
      [same('a')],
      [same('a'), same('a')],
      [same('a'), same('b'), same('b')],
      [same('a'), same('c')],
    ]) {
      expect(again('green', since)).toBeUndefined();
      expect(again('red', since)).toBeUndefined();
      expect(lapseOf(required, 'green', since)).toBe('not_scored');
    }
    expect(again('green', [same('a'), { ...same('b'), after: Number.NaN }])).toBeUndefined();
    expect(again('red', [same('a'), { ...same('b'), before: Number.NaN }])).toBeUndefined();
  });
});

test('an end is in a year that databases know', () => {
  for (const end of ['2027-01-31', '9999-12-31', '0001-01-01T00:00:00Z'])
    expect(expiresSchema.safeParse(end).success, end).toBe(true);
  for (const end of ['0000-12-31', '9999-12-31T23:59:59-23:59', '0001-01-01T00:00:00+23:59'])
    expect(expiresSchema.safeParse(end).success, end).toBe(false);
});
