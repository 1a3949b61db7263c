/**
 * The shape of what a discount build is given and what it answers, shared by both builds, the visible tests
 * and the holdback suite. Types alone: nothing of this file is left at run time, so every build stays
 * self-contained. The meaning of each field is in README.md.
 */

export type Item = { sku: string; category: string; unitPriceCents: number; quantity: number };

type Terms = {
  code: string;
  startsAt?: string;
  endsAt?: string;
  minimumSpendCents?: number;
  excludedCategories?: string[];
  usesPerCustomer?: number;
  exclusive?: boolean;
};

export type Campaign = Terms &
  (
    | { kind: 'percent'; percent: number; maximumDiscountCents?: number }
    | { kind: 'fixed'; amountCents: number }
    | { kind: 'freeShipping' }
    | { kind: 'buyXGetY'; buy: number; free: number }
  );

export type Order = {
  at: string;
  codes: string[];
  cart: { items: Item[]; shippingCents: number };
  customer: { id: string; usedCodes: string[] };
  campaigns: Campaign[];
  ask?: 'receipt' | 'rate';
};

export type Reason =
  | 'unknown'
  | 'duplicate'
  | 'not_started'
  | 'expired'
  | 'used_up'
  | 'minimum_spend'
  | 'not_combinable'
  | 'no_effect';

export type Receipt = {
  subtotalCents: number;
  shippingCents: number;
  discountCents: number;
  totalCents: number;
  applied: { code: string; discountCents: number }[];
  rejected: { code: string; reason: Reason }[];
};
