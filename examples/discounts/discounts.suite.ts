/**
 * The holdback suite of the discount example: what README.md specifies and the visible tests leave open. It
 * promises that every expectation follows from the written rules (the number of the rule is in the case's
 * name), and that the module stands alone: it is sent to the service as one text and evaluated in an
 * isolate.
 */
import overfitted from 'build:./overfitted.ts';
import right from 'build:./right.ts';
import { defineSuite } from '../../suites/authoring/define-suite.ts';
import type { Campaign, Item, Order, Receipt } from './types.ts';

const NOON = '2026-04-15T12:00:00Z';
const LARGEST = 9_007_199_254_740_991;

const mug: Item = { sku: 'mug', category: 'kitchen', unitPriceCents: 1000, quantity: 1 };
const card: Item = { sku: 'card', category: 'gift-card', unitPriceCents: 5000, quantity: 1 };

const tenPercent: Campaign = { code: 'ten', kind: 'percent', percent: 10 };
const fiveOff: Campaign = { code: 'five', kind: 'fixed', amountCents: 500 };
const freeShipping: Campaign = { code: 'post', kind: 'freeShipping' };
const threeForTwo: Campaign = { code: 'three42', kind: 'buyXGetY', buy: 2, free: 1 };

type Parts = {
  codes: string[];
  campaigns: Campaign[];
  items?: Item[];
  shippingCents?: number;
  usedCodes?: string[];
  at?: string;
  ask?: Order['ask'];
};

/** One mug for 10.00, free of shipping, bought at noon; a case names only what matters to it. */
function order(parts: Parts): Order {
  const {
    codes,
    campaigns,
    items = [mug],
    shippingCents = 0,
    usedCodes = [],
    at = NOON,
    ask = 'receipt',
  } = parts;
  return { at, codes, cart: { items, shippingCents }, customer: { id: 'c-1', usedCodes }, campaigns, ask };
}

function line(unitPriceCents: number, quantity: number, category = 'kitchen'): Item {
  return { sku: `sku-${unitPriceCents}`, category, unitPriceCents, quantity };
}

function percent(value: number, terms: Partial<Campaign & { kind: 'percent' }> = {}): Campaign {
  return { ...terms, code: 'deal', kind: 'percent', percent: value };
}

function rejection(code: string, reason: Receipt['rejected'][number]['reason']) {
  return { discountCents: 0, applied: [], rejected: [{ code, reason }] };
}

/** What holds for every receipt, whatever its codes. */
function isSound(receipt: Receipt | number, input: Order): receipt is Receipt {
  if (typeof receipt === 'number') return false;
  const { subtotalCents, shippingCents, discountCents, totalCents, applied, rejected } = receipt;
  const amounts = [subtotalCents, shippingCents, discountCents, totalCents];
  const sum = applied.reduce((cents, entry) => cents + entry.discountCents, 0);
  return (
    amounts.every((cents) => Number.isSafeInteger(cents) && cents >= 0 && !Object.is(cents, -0)) &&
    totalCents === subtotalCents + shippingCents - discountCents &&
    discountCents === sum &&
    applied.every((entry) => entry.discountCents > 0) &&
    new Set(applied.map((entry) => entry.code)).size === applied.length &&
    rejected.every((entry) => input.codes.includes(entry.code)) &&
    applied.length + rejected.length === input.codes.length
  );
}

const receiptSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['subtotalCents', 'shippingCents', 'discountCents', 'totalCents', 'applied', 'rejected'],
  properties: {
    subtotalCents: { type: 'integer', minimum: 0 },
    shippingCents: { type: 'integer', minimum: 0 },
    discountCents: { type: 'integer', minimum: 0 },
    totalCents: { type: 'integer', minimum: 0 },
    applied: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['code', 'discountCents'],
        properties: { code: { type: 'string' }, discountCents: { type: 'integer', minimum: 1 } },
      },
    },
    rejected: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['code', 'reason'],
        properties: {
          code: { type: 'string' },
          reason: {
            enum: [
              'unknown',
              'duplicate',
              'not_started',
              'expired',
              'used_up',
              'minimum_spend',
              'not_combinable',
              'no_effect',
            ],
          },
        },
      },
    },
  },
};

export default defineSuite<Order, Receipt | number>({
  name: 'discounts',
  references: [
    { name: 'right', build: right, verdict: 'merge' },
    { name: 'overfitted', build: overfitted, verdict: 'block' },
  ],
  cases: [
    {
      name: 'rule 8: an exact half of a cent is rounded up',
      input: order({ codes: ['ten'], campaigns: [tenPercent], items: [line(1005, 1)] }),
      expect: { matches: { discountCents: 101, totalCents: 904 } },
      tags: ['rounding', 'percent'],
    },
    {
      name: 'rule 8: a percentage is rounded once, not line by line',
      input: order({
        codes: ['ten'],
        campaigns: [tenPercent],
        items: [line(105, 1), line(205, 1), line(305, 1)],
      }),
      expect: { matches: { discountCents: 62, totalCents: 553 } },
      tags: ['rounding', 'percent'],
    },
    {
      name: 'rule 8: 4.1 percent of 15.00 is 61.5 cents, also where binary fractions fall short of it',
      input: order({ codes: ['deal'], campaigns: [percent(4.1)], items: [line(1500, 1)] }),
      expect: { matches: { discountCents: 62 } },
      tags: ['rounding', 'percent'],
    },
    {
      name: 'rule 8: two percentages are both taken of the original prices',
      input: order({
        codes: ['ten', 'deal'],
        campaigns: [tenPercent, percent(20)],
      }),
      expect: {
        matches: {
          totalCents: 700,
          applied: [
            { code: 'ten', discountCents: 100 },
            { code: 'deal', discountCents: 200 },
          ],
        },
      },
      tags: ['stacking', 'percent'],
    },
    {
      name: 'rule 8: a percentage is the same after a fixed amount, and the typed order is kept',
      input: order({ codes: ['five', 'ten'], campaigns: [tenPercent, fiveOff] }),
      expect: {
        strictEquals: {
          subtotalCents: 1000,
          shippingCents: 0,
          discountCents: 600,
          totalCents: 400,
          applied: [
            { code: 'five', discountCents: 500 },
            { code: 'ten', discountCents: 100 },
          ],
          rejected: [],
        },
      },
      tags: ['stacking'],
    },
    {
      name: 'rule 8: the maximum discount limits a percentage',
      input: order({ codes: ['deal'], campaigns: [percent(50, { maximumDiscountCents: 300 })] }),
      expect: { matches: { discountCents: 300 } },
      tags: ['cap', 'percent'],
    },
    {
      name: 'rules 8 and 9: a maximum discount of 0 is a maximum',
      input: order({ codes: ['deal'], campaigns: [percent(50, { maximumDiscountCents: 0 })] }),
      expect: { matches: rejection('deal', 'no_effect') },
      tags: ['cap', 'percent'],
    },
    {
      name: 'rule 8: lines of an excluded category do not count towards a percentage',
      input: order({
        codes: ['deal'],
        campaigns: [percent(10, { excludedCategories: ['gift-card'] })],
        items: [mug, card],
      }),
      expect: { matches: { subtotalCents: 6000, discountCents: 100 } },
      tags: ['exclusion', 'percent'],
    },
    {
      name: 'rule 8: a fixed amount takes off no more than the eligible lines are worth',
      input: order({
        codes: ['gone'],
        campaigns: [{ code: 'gone', kind: 'fixed', amountCents: 2500, excludedCategories: ['gift-card'] }],
        items: [mug, card],
      }),
      expect: { matches: { subtotalCents: 6000, discountCents: 1000, totalCents: 5000 } },
      tags: ['exclusion', 'cap'],
    },
    {
      name: 'rule 8: categories are compared exactly, and one named constructor is a category like any other',
      input: order({
        codes: ['deal'],
        campaigns: [percent(10, { excludedCategories: ['Kitchen', 'constructor'] })],
        items: [mug, line(700, 1, 'constructor')],
      }),
      expect: { matches: { discountCents: 100 } },
      tags: ['exclusion', 'prototype'],
    },
    {
      name: 'rule 9: the code that would go below zero is cut short, and the next has no effect',
      input: order({
        codes: ['deal', 'five', 'ten'],
        campaigns: [percent(80), fiveOff, tenPercent],
        shippingCents: 490,
      }),
      expect: {
        equals: {
          subtotalCents: 1000,
          shippingCents: 490,
          discountCents: 1000,
          totalCents: 490,
          applied: [
            { code: 'deal', discountCents: 800 },
            { code: 'five', discountCents: 200 },
          ],
          rejected: [{ code: 'ten', reason: 'no_effect' }],
        },
      },
      tags: ['cap', 'stacking'],
    },
    {
      name: 'rule 9: no code has an effect on an empty cart',
      input: order({
        codes: ['ten', 'five', 'three42'],
        campaigns: [tenPercent, fiveOff, threeForTwo],
        items: [],
      }),
      expect: {
        equals: {
          subtotalCents: 0,
          shippingCents: 0,
          discountCents: 0,
          totalCents: 0,
          applied: [],
          rejected: [
            { code: 'ten', reason: 'no_effect' },
            { code: 'five', reason: 'no_effect' },
            { code: 'three42', reason: 'no_effect' },
          ],
        },
      },
      tags: ['empty'],
    },
    {
      name: 'the rate of an order that costs nothing is 0',
      input: order({ codes: ['ten'], campaigns: [tenPercent], items: [line(0, 3)], ask: 'rate' }),
      expect: { equals: 0 },
      tags: ['empty', 'rate'],
    },
    {
      name: 'the rate counts the shipping',
      input: order({
        codes: ['post', 'ten'],
        campaigns: [tenPercent, freeShipping],
        shippingCents: 500,
        ask: 'rate',
      }),
      expect: { closeTo: { value: 0.4, tolerance: 1e-9 } },
      tags: ['shipping', 'rate'],
    },
    {
      name: 'rule 9: free shipping of an order that ships for nothing has no effect',
      input: order({ codes: ['post'], campaigns: [freeShipping] }),
      expect: { matches: rejection('post', 'no_effect') },
      tags: ['shipping'],
    },
    {
      name: 'rule 4: a campaign holds at the very instant it starts',
      input: order({ codes: ['deal'], campaigns: [percent(10, { startsAt: NOON })] }),
      expect: { matches: { discountCents: 100 } },
      tags: ['time'],
    },
    {
      name: 'rule 4: a campaign has expired at the very instant it ends',
      input: order({ codes: ['deal'], campaigns: [percent(10, { endsAt: NOON })] }),
      expect: { matches: rejection('deal', 'expired') },
      tags: ['time'],
    },
    {
      name: 'rule 4: a late evening west of Greenwich may be after the end in UTC',
      input: order({
        codes: ['deal'],
        campaigns: [percent(10, { endsAt: '2026-06-01T00:00:00Z' })],
        at: '2026-05-31T23:30:00-05:00',
      }),
      expect: { matches: rejection('deal', 'expired') },
      tags: ['time', 'offset'],
    },
    {
      name: 'rule 4: an early morning east of Greenwich may be before the end in UTC',
      input: order({
        codes: ['deal'],
        campaigns: [percent(10, { endsAt: '2026-06-01T00:00:00Z' })],
        at: '2026-06-01T01:30:00+02:00',
      }),
      expect: { matches: { discountCents: 100 } },
      tags: ['time', 'offset'],
    },
    {
      name: 'rule 4: an order time with decimals of a second is the same instant as a start without',
      input: order({
        codes: ['deal'],
        campaigns: [percent(10, { startsAt: NOON })],
        at: '2026-04-15T12:00:00.000Z',
      }),
      expect: { matches: { discountCents: 100, rejected: [] } },
      tags: ['time'],
    },
    {
      name: 'rule 1: a time without an offset is refused',
      input: order({ codes: [], campaigns: [], at: '2026-04-15T12:00:00' }),
      expect: { throws: { name: 'DiscountError', message: '\\bat\\b' } },
      tags: ['time', 'refused'],
    },
    {
      name: 'rule 2: a code in full-width letters and ideographic spaces is the same code',
      input: order({ codes: ['\u3000\uFF34\uFF25\uFF2E\u3000'], campaigns: [tenPercent] }),
      expect: { matches: { discountCents: 100, applied: [{ code: 'ten', discountCents: 100 }] } },
      tags: ['codes', 'unicode'],
    },
    {
      name: 'rule 2: a Cyrillic letter that looks alike makes another code, echoed as typed',
      input: order({ codes: ['T\u0415N'], campaigns: [tenPercent] }),
      expect: { matches: rejection('T\u0415N', 'unknown') },
      tags: ['codes', 'unicode'],
    },
    {
      name: 'rule 2: a blank code is unknown and echoed as typed',
      input: order({ codes: ['  '], campaigns: [tenPercent] }),
      expect: { matches: rejection('  ', 'unknown') },
      tags: ['codes'],
    },
    {
      name: 'rule 2: constructor is an unknown code',
      input: order({ codes: ['constructor'], campaigns: [tenPercent] }),
      expect: { matches: rejection('constructor', 'unknown') },
      tags: ['codes', 'prototype'],
    },
    {
      name: 'rule 2: __proto__ and toString are unknown codes',
      input: order({ codes: ['__proto__', 'toString'], campaigns: [tenPercent] }),
      expect: {
        matches: {
          totalCents: 1000,
          rejected: [
            { code: '__proto__', reason: 'unknown' },
            { code: 'toString', reason: 'unknown' },
          ],
        },
      },
      tags: ['codes', 'prototype'],
    },
    {
      name: 'rule 2: a campaign may have the code hasownproperty',
      input: order({
        codes: ['hasOwnProperty'],
        campaigns: [{ code: 'hasownproperty', kind: 'fixed', amountCents: 100 }],
        items: [{ ...mug, sku: '__proto__' }],
      }),
      expect: { matches: { discountCents: 100, applied: [{ code: 'hasownproperty', discountCents: 100 }] } },
      tags: ['codes', 'prototype'],
    },
    {
      name: 'rule 3: a code typed three times in three spellings counts once',
      input: order({ codes: ['Ten', ' TEN', 'ten\t'], campaigns: [tenPercent] }),
      expect: {
        matches: {
          discountCents: 100,
          rejected: [
            { code: ' TEN', reason: 'duplicate' },
            { code: 'ten\t', reason: 'duplicate' },
          ],
        },
      },
      tags: ['codes', 'duplicate'],
    },
    {
      name: 'rule 5: a code may be used as often as its limit says, and other codes do not count',
      input: order({
        codes: ['deal'],
        campaigns: [percent(10, { usesPerCustomer: 3 })],
        usedCodes: ['deal', 'ten', 'deal', 'ten'],
      }),
      expect: { matches: { discountCents: 100 } },
      tags: ['uses'],
    },
    {
      name: 'rule 5: a limit of 0 closes the campaign',
      input: order({ codes: ['deal'], campaigns: [percent(10, { usesPerCustomer: 0 })] }),
      expect: { matches: rejection('deal', 'used_up') },
      tags: ['uses'],
    },
    {
      name: 'rule 6: a subtotal equal to the minimum spend is enough',
      input: order({ codes: ['deal'], campaigns: [percent(10, { minimumSpendCents: 1000 })] }),
      expect: { matches: { discountCents: 100 } },
      tags: ['minimum'],
    },
    {
      name: 'rule 6: the shipping does not help to reach the minimum spend',
      input: order({
        codes: ['deal'],
        campaigns: [percent(10, { minimumSpendCents: 1001 })],
        shippingCents: 490,
      }),
      expect: { matches: rejection('deal', 'minimum_spend') },
      tags: ['minimum', 'shipping'],
    },
    {
      name: 'rule 6: an earlier discount does not lower the minimum spend',
      input: order({
        codes: ['five', 'deal'],
        campaigns: [fiveOff, percent(10, { minimumSpendCents: 1000 })],
      }),
      expect: { matches: { discountCents: 600, rejected: [] } },
      tags: ['minimum', 'stacking'],
    },
    {
      name: 'rule 7: after an exclusive code every other code is rejected',
      input: order({
        codes: ['deal', 'five'],
        campaigns: [percent(30, { exclusive: true }), fiveOff],
      }),
      expect: { matches: { discountCents: 300, rejected: [{ code: 'five', reason: 'not_combinable' }] } },
      tags: ['stacking', 'exclusive'],
    },
    {
      name: 'rule 7: a rejected code does not stand in the way of an exclusive one',
      input: order({
        codes: ['nope', 'post', 'deal'],
        campaigns: [freeShipping, percent(30, { exclusive: true })],
      }),
      expect: { matches: { discountCents: 300, applied: [{ code: 'deal', discountCents: 300 }] } },
      tags: ['stacking', 'exclusive'],
    },
    {
      name: 'rule 8: of two complete groups the two cheapest units of all are free',
      input: order({
        codes: ['three42'],
        campaigns: [threeForTwo],
        items: [line(900, 2), line(2500, 1), line(1000, 1), line(400, 1), line(300, 1)],
      }),
      expect: { matches: { subtotalCents: 6000, discountCents: 700 } },
      tags: ['buyXGetY'],
    },
    {
      name: 'rule 8: an incomplete group gives nothing for free',
      input: order({ codes: ['three42'], campaigns: [threeForTwo], items: [line(900, 1), line(400, 1)] }),
      expect: { matches: rejection('three42', 'no_effect') },
      tags: ['buyXGetY'],
    },
    {
      name: 'rule 8: units of an excluded category neither count towards a group nor become free',
      input: order({
        codes: ['three42'],
        campaigns: [{ ...threeForTwo, excludedCategories: ['gift-card'] }],
        items: [line(900, 3), line(100, 1, 'gift-card')],
      }),
      expect: { matches: { discountCents: 900 } },
      tags: ['buyXGetY', 'exclusion'],
    },
    {
      name: 'rule 8: six thousand million units of one line',
      input: order({ codes: ['three42'], campaigns: [threeForTwo], items: [line(100, 6_000_000_000)] }),
      expect: { matches: { subtotalCents: 600_000_000_000, discountCents: 200_000_000_000 } },
      tags: ['buyXGetY', 'large'],
    },
    {
      name: 'amounts above 2^31 cents do not wrap',
      input: order({ codes: ['ten'], campaigns: [tenPercent], items: [line(2_147_483_650, 2)] }),
      expect: {
        matches: { subtotalCents: 4_294_967_300, discountCents: 429_496_730, totalCents: 3_865_470_570 },
      },
      tags: ['large', 'percent'],
    },
    {
      name: 'a percentage of eighty million million is exact to the cent',
      input: order({ codes: ['deal'], campaigns: [percent(19)], items: [line(8_000_000_000_000_071, 1)] }),
      expect: { matches: { discountCents: 1_520_000_000_000_013 } },
      tags: ['large', 'rounding', 'percent'],
    },
    {
      name: 'rule 1: a subtotal too large to count in whole cents is refused',
      input: order({ codes: [], campaigns: [], items: [line(LARGEST, 1), line(1, 1)] }),
      expect: { throws: { name: 'DiscountError', message: 'subtotal' } },
      tags: ['large', 'refused'],
    },
    {
      name: 'rule 1: a fractional quantity is refused',
      input: order({ codes: [], campaigns: [], items: [line(1000, 1.5)] }),
      expect: { throws: { name: 'DiscountError', message: 'quantity' } },
      tags: ['refused'],
    },
    {
      name: 'rule 1: a quantity of 0 is refused',
      input: order({ codes: [], campaigns: [], items: [mug, line(1000, 0)] }),
      expect: { throws: { name: 'DiscountError', message: 'quantity' } },
      tags: ['refused'],
    },
    {
      name: 'rule 1: a negative unit price is refused',
      input: order({ codes: [], campaigns: [], items: [mug, line(-500, 1)] }),
      expect: { throws: { name: 'DiscountError', message: 'unitPriceCents' } },
      tags: ['refused'],
    },
    {
      name: 'rule 1: a negative quantity is refused even where another line outweighs it',
      input: order({ codes: ['ten'], campaigns: [tenPercent], items: [line(1000, 5), line(1000, -1)] }),
      expect: { throws: true },
      tags: ['refused'],
    },
    {
      name: 'rule 10: a code that fails two rules is rejected once, with either reason',
      input: order({
        codes: ['deal'],
        campaigns: [percent(10, { endsAt: '2026-04-01T00:00:00Z', minimumSpendCents: 5000 })],
        ask: 'receipt',
      }),
      expect: {
        oneOf: (['expired', 'minimum_spend'] as const).map((reason) => ({
          subtotalCents: 1000,
          shippingCents: 0,
          totalCents: 1000,
          ...rejection('deal', reason),
        })),
      },
      tags: ['codes'],
    },
    {
      name: 'the receipt has the specified shape and nothing else',
      input: order({
        codes: ['ten', 'post', 'nope'],
        campaigns: [tenPercent, freeShipping],
        shippingCents: 490,
      }),
      expect: { schema: receiptSchema },
      tags: ['shape'],
    },
    {
      name: 'a receipt of many codes is sound',
      input: order({
        codes: ['ten', 'TEN', 'five', 'post', 'nope', 'three42', 'deal'],
        campaigns: [tenPercent, fiveOff, freeShipping, threeForTwo, percent(75)],
        items: [line(799, 2), line(349, 3), card],
        shippingCents: 490,
      }),
      expect: isSound,
      tags: ['invariant', 'stacking'],
    },
    {
      name: 'a receipt of a code that names an inherited property is sound',
      input: order({ codes: ['__proto__', 'valueOf', 'ten'], campaigns: [tenPercent], shippingCents: 490 }),
      expect: (receipt, input) => isSound(receipt, input) && receipt.totalCents === 1390,
      tags: ['invariant', 'prototype'],
    },
    {
      name: 'the order of two codes that do not compete changes no amount',
      input: order({ codes: ['post', 'five'], campaigns: [fiveOff, freeShipping], shippingCents: 490 }),
      expect: (receipt, input) => isSound(receipt, input) && receipt.totalCents === 500,
      tags: ['invariant', 'shipping'],
    },
  ],
});
