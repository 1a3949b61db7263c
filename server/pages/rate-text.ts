/** A rate as people read it: never a bare percentage, always with the bounds that it holds between and of how many it is. */
import { html } from 'hono/html';
import type { Rate } from '../../gate/trends/trend.ts';
import type { Html } from './html.ts';

export function rateText({ count, of, rate, low, high }: Rate): Html {
  if (rate === null) return html`<span class="rate muted">no attempt settled yet</span>`;
  return html`<span class="rate"><b>${percent(rate)}</b> <small title="95 % confidence (Wilson)">${percent(low)} to ${percent(high)} · ${count} of ${of}</small></span>`;
}

/** A share as a percentage; what is not all or nothing is never rounded to it. */
export function percent(share: number): string {
  const rounded = Math.round(share * 100);
  if (rounded === 100 && share < 1) return '> 99 %';
  if (rounded === 0 && share > 0) return '< 1 %';
  return `${rounded} %`;
}
