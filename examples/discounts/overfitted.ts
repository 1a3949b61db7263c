/**
 * A build as a coding agent leaves it that works until the visible tests are green and then stops. It
 * promises to pass every visible test. It breaks rules of README.md which no visible test touches; which
 * ones is for the holdback suite to find out.
 */
import type { Campaign, Order, Reason, Receipt } from './types.ts';

export class DiscountError extends Error {
  override name = 'DiscountError';
}

export function run(order: Order): Receipt | number {
  const { items, shippingCents } = order.cart;
  for (const item of items) {
    if (item.quantity < 0) {
      throw new DiscountError(`quantity of ${item.sku} must be a positive whole number`);
    }
    if (item.unitPriceCents < 0) {
      throw new DiscountError(`unitPriceCents of ${item.sku} must not be negative`);
    }
  }

  const subtotalCents = items.reduce((sum, item) => sum + item.unitPriceCents * item.quantity, 0);
  const byCode: Record<string, Campaign> = {};
  for (const campaign of order.campaigns) {
    byCode[campaign.code] = campaign;
  }

  const applied: Receipt['applied'] = [];
  const rejected: Receipt['rejected'] = [];
  let remaining = subtotalCents;
  let shippingLeft = shippingCents;

  for (const typed of order.codes) {
    const code = typed.trim().toLowerCase();
    const campaign = byCode[code];
    if (!campaign) {
      rejected.push({ code: typed, reason: 'unknown' });
      continue;
    }

    const reason = reasonToReject(campaign, order, remaining, applied);
    if (reason) {
      rejected.push({ code: typed, reason });
      continue;
    }

    let discountCents = 0;
    if (campaign.kind === 'freeShipping') {
      discountCents = shippingLeft;
      shippingLeft = 0;
    } else {
      discountCents = Math.min(calculateDiscount(campaign, order), remaining);
      remaining -= discountCents;
    }
    if (discountCents === 0) {
      rejected.push({ code: typed, reason: 'no_effect' });
      continue;
    }
    applied.push({ code: campaign.code, discountCents });
  }

  const discountCents = applied.reduce((sum, entry) => sum + entry.discountCents, 0);
  if (order.ask === 'rate') {
    return discountCents / (subtotalCents + shippingCents);
  }
  return {
    subtotalCents,
    shippingCents,
    discountCents,
    totalCents: Math.max(0, subtotalCents + shippingCents - discountCents),
    applied,
    rejected,
  };
}

function reasonToReject(
  campaign: Campaign,
  order: Order,
  spendCents: number,
  applied: Receipt['applied'],
): Reason | undefined {
  if (applied.some((entry) => entry.code === campaign.code)) {
    return 'duplicate';
  }
  // ISO timestamps sort chronologically, so they can be compared as strings.
  if (campaign.startsAt && order.at < campaign.startsAt) {
    return 'not_started';
  }
  if (campaign.endsAt && order.at > campaign.endsAt) {
    return 'expired';
  }
  if (campaign.usesPerCustomer) {
    const uses = order.customer.usedCodes.filter((used) => used === campaign.code).length;
    if (uses >= campaign.usesPerCustomer) {
      return 'used_up';
    }
  }
  if (campaign.minimumSpendCents && spendCents < campaign.minimumSpendCents) {
    return 'minimum_spend';
  }
  if (campaign.exclusive && applied.length > 0) {
    return 'not_combinable';
  }
  return undefined;
}

function calculateDiscount(campaign: Campaign, order: Order): number {
  const eligible = order.cart.items.filter((item) => !campaign.excludedCategories?.includes(item.category));
  switch (campaign.kind) {
    case 'percent': {
      const discount = eligible.reduce(
        (sum, item) => sum + Math.round((item.unitPriceCents * item.quantity * campaign.percent) / 100),
        0,
      );
      return campaign.maximumDiscountCents ? Math.min(discount, campaign.maximumDiscountCents) : discount;
    }
    case 'fixed':
      return campaign.amountCents;
    case 'buyXGetY': {
      // Most expensive first, so that the last units of each group are its cheapest.
      const units = eligible
        .flatMap((item) => Array<number>(item.quantity).fill(item.unitPriceCents))
        .sort((a, b) => b - a);
      const group = campaign.buy + campaign.free;
      return units
        .slice(0, units.length - (units.length % group))
        .filter((_, index) => index % group >= campaign.buy)
        .reduce((sum, price) => sum + price, 0);
    }
    default:
      return 0;
  }
}
