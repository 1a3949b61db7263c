/** A table of verdicts of several changes, newest first. */
import { html } from 'hono/html';
import type { RecentVerdict } from '../../gate/standing.ts';
import { changePath } from './change-path.ts';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';
import { table } from './table.ts';
import { agoTag } from './time-tag.ts';
import { reasonBadge } from './verdict-badge.ts';

export function recentVerdicts(verdicts: RecentVerdict[]): Html {
  return table({
    caption: 'Newest verdicts',
    isCaptionHidden: true,
    columns: ['Change', 'Verdict', 'Gate', 'By', 'When'].map((name) => ({ name })),
    rows: verdicts.map(({ gate, score, change, repository, author, agent, reason, requestedAt }) => [
      html`<a href="${changePath({ gate, change, repository })}">${nameOf(change, 60)}</a>${repository === null ? '' : html` <small class="muted">${nameOf(repository, 60)}</small>`}`,
      html`<a class="plain-link" href="/ui/scores/${score}">${reasonBadge(reason)}</a>`,
      html`<a href="/ui/gates/${gate}">${gate}</a>`,
      whoOf(author, agent),
      agoTag(requestedAt),
    ]),
  });
}

/** The author and the agent of a change, as far as CI named them. */
export function whoOf(author: string | null | undefined, agent: string | null | undefined): Html {
  const names = [author, agent].filter((name) => name !== null && name !== undefined);
  if (names.length === 0) return html`<span class="muted">not named</span>`;
  return html`${names.map((name, index) => (index === 0 ? nameOf(name, 40) : html` <small class="muted">with ${nameOf(name, 40)}</small>`))}`;
}
