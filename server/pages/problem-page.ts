/** A problem as a person reads it: what is wrong, and where to go on. */
import { html } from 'hono/html';
import type { Problem } from '../problems.ts';
import type { Html } from './html.ts';
import { visible } from './name-of.ts';

export function problemPage({ status, title, detail = '', code, refusals = [] }: Problem): Html {
  return html`<section class="problem">
<p class="status-code" aria-hidden="true">${status}</p>
<h1>${title}</h1>
<p>${sentenceOf(detail)}</p>
${refusals.length === 0 ? '' : html`<ul>${refusals.map((refusal) => html`<li>${visible([refusal.message, ...(refusal.details ?? [])].join('; '))}. ${visible(refusal.advice)}</li>`)}</ul>`}
${hintOf(code)}
<p><a class="button" href="/ui/">To the overview</a></p>
</section>`;
}

/** A problem's detail as a sentence of its own. */
function sentenceOf(detail: string): string {
  const begun = `${detail.slice(0, 1).toUpperCase()}${detail.slice(1)}`;
  return visible(/[.!?]$/.test(begun) || begun === '' ? begun : `${begun}.`);
}

/** What those can do whose role does not open a page. */
function hintOf(code: string): Html | '' {
  if (code !== 'role_forbidden') return '';
  return html`<p class="muted">Pages are for authors, leads and admins. An admin makes a token with
<code>holdback token create --role lead --name "your name"</code>.</p>`;
}
