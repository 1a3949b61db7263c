/** Moments and lengths of time as people read them: in UTC, so that the same page says the same to everybody. */
import { html } from 'hono/html';
import type { Html } from './html.ts';

/** A moment, as in `2026-11-25 04:20 UTC`. */
export function timeTag(at: Date | string): Html {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC</time>`;
}

/** How long ago a moment was, as in `3 min ago`; the moment itself is in its title, and stands there where it was days ago. */
export function agoTag(at: Date | string, now = new Date()): Html {
  const iso = new Date(at).toISOString();
  const agoMs = Math.max(0, now.getTime() - Date.parse(iso));
  const text = agoMs < 5_000 ? 'just now' : agoMs < 7 * dayMs ? `${roundly(agoMs)} ago` : iso.slice(0, 10);
  return html`<time datetime="${iso}" title="${iso.slice(0, 19).replace('T', ' ')} UTC">${text}</time>`;
}

/** A length of time, as in `850 ms`, `4.2 s`, `3 min`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return roundly(ms);
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

function roundly(ms: number): string {
  if (ms < minuteMs) return `${Math.round(ms / 1_000)} s`;
  if (ms < hourMs) return `${Math.round(ms / minuteMs)} min`;
  if (ms < 2 * dayMs) return `${Math.round(ms / hourMs)} h`;
  return `${Math.round(ms / dayMs)} days`;
}
