/**
 * A name that somebody else chose, such as an author's, a change's or a case's, as text that stays where it is: its direction does not
 * reach its neighbours, and characters that cannot be seen, or that turn the text around (CVE-2021-42574), are shown as their codes.
 */
import { html } from 'hono/html';
import type { Html } from './html.ts';

/** Controls, separators of lines, and what has no shape of its own. */
const unseen = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** A name, cut where it is longer than `charsMax`; the whole name is in its title then. */
export function nameOf(text: string, charsMax = 120): Html {
  const chars = [...text];
  if (chars.length <= charsMax) return html`<bdi>${visible(text)}</bdi>`;
  return html`<bdi title="${visible(text)}">${visible(chars.slice(0, charsMax).join(''))}…</bdi>`;
}

/** A text in which every character can be seen. */
export function visible(text: string): string {
  return text.replace(unseen, (char) => `⟨U+${codeOf(char)}⟩`);
}

function codeOf(char: string): string {
  return (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}
