/**
 * The right build of the discount example: every rule of README.md, as written there. It promises to pass
 * the visible tests and every case of the holdback suite.
 */
import type { Campaign, Item, Order, Reason, Receipt } from './types.ts';

export class DiscountError extends Error {
  override name = 'DiscountError';
}

type Line = { item: Item; unitPrice: bigint; quantity: bigint };

/** Money is added and multiplied as bigint, so that no intermediate product loses a cent. */
export function run(order: Order): Receipt | number {
  const now = instantOf(order.at);
  const lines = order.cart.items.map(lineOf);
  const shipping = wholeNumber(order.cart.shippingCents, 'cart.shippingCents', 0);
  const subtotal = amountOf(lines);
  if (subtotal + shipping > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new DiscountError('subtotal and shipping are too large to count in whole cents');
  }

  const campaigns = new Map(order.campaigns.map((campaign) => [campaign.code, campaign]));
  const seen = new Set<string>();
  const applied: Receipt['applied'] = [];
  const rejected: Receipt['rejected'] = [];
  let merchandiseLeft = subtotal;
  let shippingLeft = shipping;
  let exclusiveApplied = false;

  for (const typed of order.codes) {
    const code = canonical(typed);
    const campaign = campaigns.get(code);
    const reject = (reason: Reason) => rejected.push({ code: typed, reason });

    if (campaign === undefined) {
      reject('unknown');
      continue;
    }
    const isDuplicate = seen.has(code);
    seen.add(code);
    if (isDuplicate) {
      reject('duplicate');
      continue;
    }
    const obstacle = obstacleTo(campaign, order, now, subtotal);
    if (obstacle !== undefined) {
      reject(obstacle);
      continue;
    }
    if (exclusiveApplied || (campaign.exclusive === true && applied.length > 0)) {
      reject('not_combinable');
      continue;
    }

    const isShipping = campaign.kind === 'freeShipping';
    const discount = isShipping ? shippingLeft : least(merchandiseDiscount(campaign, lines), merchandiseLeft);
    if (discount === 0n) {
      reject('no_effect');
      continue;
    }
    if (isShipping) {
      shippingLeft -= discount;
    } else {
      merchandiseLeft -= discount;
    }
    exclusiveApplied = campaign.exclusive === true;
    applied.push({ code, discountCents: Number(discount) });
  }

  const total = merchandiseLeft + shippingLeft;
  const discount = subtotal + shipping - total;
  if (order.ask === 'rate') {
    return discount === 0n ? 0 : Number(discount) / Number(subtotal + shipping);
  }
  return {
    subtotalCents: Number(subtotal),
    shippingCents: Number(shipping),
    discountCents: Number(discount),
    totalCents: Number(total),
    applied,
    rejected,
  };
}

function canonical(typed: string): string {
  return typed.normalize('NFKC').trim().toLowerCase();
}

/** Why a campaign does not apply to this order at all, whatever the other codes do. */
function obstacleTo(campaign: Campaign, order: Order, now: number, subtotal: bigint): Reason | undefined {
  if (campaign.startsAt !== undefined && now < Date.parse(campaign.startsAt)) {
    return 'not_started';
  }
  if (campaign.endsAt !== undefined && now >= Date.parse(campaign.endsAt)) {
    return 'expired';
  }
  const uses = order.customer.usedCodes.filter((used) => used === campaign.code).length;
  if (campaign.usesPerCustomer !== undefined && uses >= campaign.usesPerCustomer) {
    return 'used_up';
  }
  if (campaign.minimumSpendCents !== undefined && subtotal < BigInt(campaign.minimumSpendCents)) {
    return 'minimum_spend';
  }
  return undefined;
}

function merchandiseDiscount(campaign: Campaign, lines: Line[]): bigint {
  const excluded = campaign.excludedCategories ?? [];
  const eligible = lines.filter((line) => !excluded.includes(line.item.category));
  const amount = amountOf(eligible);
  switch (campaign.kind) {
    case 'percent': {
      const hundredths = BigInt(Math.round(campaign.percent * 100));
      const discount = (amount * hundredths + 5_000n) / 10_000n;
      const maximum = campaign.maximumDiscountCents;
      return maximum === undefined ? discount : least(discount, BigInt(maximum));
    }
    case 'fixed':
      return least(BigInt(campaign.amountCents), amount);
    case 'buyXGetY':
      return priceOfCheapest(eligible, BigInt(campaign.buy), BigInt(campaign.free));
    case 'freeShipping':
      return 0n;
  }
}

/**
 * The price of the free units. Units are counted by line and never laid out one by one: there may be
 * billions.
 */
function priceOfCheapest(lines: Line[], buy: bigint, free: bigint): bigint {
  const units = lines.reduce((sum, line) => sum + line.quantity, 0n);
  let left = (units / (buy + free)) * free;
  let price = 0n;
  for (const line of lines.toSorted((a, b) => a.item.unitPriceCents - b.item.unitPriceCents)) {
    const taken = least(line.quantity, left);
    price += taken * line.unitPrice;
    left -= taken;
  }
  return price;
}

function amountOf(lines: Line[]): bigint {
  return lines.reduce((sum, line) => sum + line.unitPrice * line.quantity, 0n);
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function lineOf(item: Item, index: number): Line {
  return {
    item,
    unitPrice: wholeNumber(item.unitPriceCents, `cart.items[${index}].unitPriceCents`, 0),
    quantity: wholeNumber(item.quantity, `cart.items[${index}].quantity`, 1),
  };
}

function wholeNumber(value: number, field: string, atLeast: number): bigint {
  if (!Number.isSafeInteger(value) || value < atLeast) {
    throw new DiscountError(`${field} must be a whole number of at least ${atLeast}`);
  }
  return BigInt(value);
}

function instantOf(at: string): number {
  const isComplete = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2})$/.test(at);
  const instant = isComplete ? Date.parse(at) : Number.NaN;
  if (Number.isNaN(instant)) {
    throw new DiscountError('at must be an ISO 8601 date and time with an offset');
  }
  return instant;
}
