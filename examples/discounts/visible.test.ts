/**
 * The tests the author of a change can see. Both builds pass all of them, which is the point of the
 * example: a green run here says little about a build that was written to make this run green.
 */
import { describe, expect, it } from 'vitest';
import * as overfitted from './overfitted.ts';
import * as right from './right.ts';
import type { Campaign, Order } from './types.ts';

const campaigns: Campaign[] = [
  { code: 'spring10', kind: 'percent', percent: 10, endsAt: '2026-06-01T00:00:00Z', usesPerCustomer: 1 },
  { code: 'minus5', kind: 'fixed', amountCents: 500, minimumSpendCents: 2000 },
  { code: 'post', kind: 'freeShipping' },
  { code: 'three42', kind: 'buyXGetY', buy: 2, free: 1 },
  { code: 'vip', kind: 'percent', percent: 30, exclusive: true, excludedCategories: ['gift-card'] },
];

function order(codes: string[], changes: Partial<Order> = {}): Order {
  return {
    at: '2026-04-15T12:00:00Z',
    codes,
    cart: {
      items: [
        { sku: 'mug', category: 'kitchen', unitPriceCents: 1200, quantity: 2 },
        { sku: 'poster', category: 'art', unitPriceCents: 900, quantity: 1 },
      ],
      shippingCents: 490,
    },
    customer: { id: 'c-1', usedCodes: [] },
    campaigns,
    ...changes,
  };
}

describe.each([
  ['the right build', right],
  ['the overfitted build', overfitted],
])('%s', (_, build) => {
  it('charges the subtotal and the shipping when no code is typed', () => {
    expect(build.run(order([]))).toEqual({
      subtotalCents: 3300,
      shippingCents: 490,
      discountCents: 0,
      totalCents: 3790,
      applied: [],
      rejected: [],
    });
  });

  it('takes a percentage of the subtotal, however the code is typed', () => {
    expect(build.run(order([' Spring10 ']))).toMatchObject({
      discountCents: 330,
      totalCents: 3460,
      applied: [{ code: 'spring10', discountCents: 330 }],
    });
  });

  it('combines a fixed amount with free shipping', () => {
    expect(build.run(order(['minus5', 'post']))).toMatchObject({ discountCents: 990, totalCents: 2800 });
  });

  it('gives the cheapest of three units for nothing', () => {
    expect(build.run(order(['three42']))).toMatchObject({ discountCents: 900, totalCents: 2890 });
  });

  it('rejects unknown, repeated and expired codes, and says why', () => {
    expect(build.run(order(['nope', 'spring10', 'SPRING10']))).toMatchObject({
      discountCents: 330,
      rejected: [
        { code: 'nope', reason: 'unknown' },
        { code: 'SPRING10', reason: 'duplicate' },
      ],
    });
    expect(build.run(order(['spring10'], { at: '2026-07-01T12:00:00Z' }))).toMatchObject({
      totalCents: 3790,
      rejected: [{ code: 'spring10', reason: 'expired' }],
    });
  });

  it('rejects a used-up code, a small order, and an exclusive code after another', () => {
    const used = { customer: { id: 'c-1', usedCodes: ['spring10'] } };
    expect(build.run(order(['spring10'], used))).toMatchObject({
      rejected: [{ code: 'spring10', reason: 'used_up' }],
    });
    const small = { cart: { items: [], shippingCents: 490 } };
    expect(build.run(order(['minus5'], small))).toMatchObject({
      rejected: [{ code: 'minus5', reason: 'minimum_spend' }],
    });
    expect(build.run(order(['post', 'vip']))).toMatchObject({
      rejected: [{ code: 'vip', reason: 'not_combinable' }],
    });
  });

  it('refuses a negative quantity', () => {
    const items = [{ sku: 'mug', category: 'kitchen', unitPriceCents: 1200, quantity: -1 }];
    const negative = order([], { cart: { items, shippingCents: 0 } });
    expect(() => build.run(negative)).toThrow(expect.objectContaining({ name: 'DiscountError' }));
  });

  it('answers the discount rate, repeatably, and leaves its input alone', () => {
    const input = order(['minus5', 'post'], { ask: 'rate' });
    const before = structuredClone(input);
    expect(build.run(input)).toBeCloseTo(990 / 3790, 9);
    expect(build.run(input)).toBe(build.run(input));
    expect(input).toEqual(before);
  });
});
