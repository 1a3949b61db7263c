/** A share as a bar, beside the words that say it: by itself it is for the eye alone. */
import { html } from 'hono/html';
import type { Html } from './html.ts';

/** `share` is of 1; what is more fills the bar. */
export function shareBar(share: number, look: 'good' | 'warn' | 'bad' | 'plain' = 'plain'): Html {
  const width = Math.round(Math.min(1, Math.max(0, share)) * 1_000) / 10;
  return html`<svg class="share ${look}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect class="of" width="100" height="6"/><rect class="is" width="${width}" height="6"/></svg>`;
}
