/** A form that changes something: it carries the token of its session, without which it is refused. */
import { html } from 'hono/html';
import type { Html } from './html.ts';

/** A form around its fields; `csrf` is the visit's. */
export function postForm({ csrf, action }: { csrf: string; action: string }, fields: Html): Html {
  return html`<form method="post" action="${action}"><input type="hidden" name="csrf" value="${csrf}">${fields}</form>`;
}
