/** Somebody as pages call them: an owner by name, and a token that belongs to nobody by the beginning of its id. */
import { html } from 'hono/html';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

export function personOf(person: string): Html {
  if (!uuid.test(person)) return nameOf(person, 60);
  return html`<span title="${person}">token ${person.slice(0, 8)}</span>`;
}
