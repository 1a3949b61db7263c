/** What a page says where there is nothing yet: what would be there, and what to do so that it is. */
import { html } from 'hono/html';
import type { Html } from './html.ts';

export function emptyState({
  title,
  text,
  command,
}: {
  title: string;
  text: string;
  command?: string;
}): Html {
  return html`<div class="empty"><h2>${title}</h2><p>${text}</p>${
    command === undefined ? '' : html`<pre class="command"><code>${command}</code></pre>`
  }</div>`;
}
