/** A form that changes something: it carries the token of its session, without which it is refused. */
import { html } from 'hono/html';
import type { Html } from './html.ts';

/** A form around its fields; `csrf` is the visit's. Fields elsewhere on the page belong to it by its id. */
export function postForm(
  { csrf, action, id }: { csrf: string; action: string; id?: string },
  fields: Html,
): Html {
  return html`<form method="post" action="${action}"${id === undefined ? '' : html` id="${id}"`}><input type="hidden" name="csrf" value="${csrf}">${fields}</form>`;
}
