/** Attempts of all changes, newest first, and a form to look for some of them. */
import { html } from 'hono/html';
import { blockReasons } from '../../gate/decide.ts';
import type { DisclosedScore } from '../../gate/disclosure/disclosed.ts';
import { changePath } from './change-path.ts';
import { emptyState } from './empty-state.ts';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';
import { whoOf } from './recent-verdicts.ts';
import { table } from './table.ts';
import { agoTag, durationText } from './time-tag.ts';
import { verdictBadge } from './verdict-badge.ts';

/** What is looked for, by the names of the form's fields. */
export type ChangesAsked = {
  [Name in
    | 'gate'
    | 'change'
    | 'repository'
    | 'author'
    | 'agent'
    | 'model'
    | 'verdict'
    | 'reason'
    | 'from'
    | 'to']?: string | undefined;
} & { cursor?: number | undefined };

export type ChangesPageData = {
  scores: DisclosedScore[];
  /** The cursor of older ones. */
  next: number | null;
  asked: ChangesAsked;
  /** The names of the gates to choose from. */
  gates: string[];
};

export function changesPage({ scores, next, asked, gates }: ChangesPageData): Html {
  const { cursor, ...filters } = asked;
  const isFiltered = Object.values(filters).some((value) => value !== undefined);
  return html`<div class="head"><div><h1>Changes</h1><p class="muted">Every attempt to merge one, newest first.</p></div></div>
${filterForm(filters, gates)}
${
  scores.length === 0
    ? emptyState({
        title: isFiltered ? 'No attempt fits' : 'Nothing was scored yet',
        text: isFiltered
          ? 'Names are compared as a whole. Take a filter away, or look further back.'
          : 'CI asks for a verdict with a token of its own:',
        ...(isFiltered
          ? {}
          : {
              command:
                'holdback score --gate main --change 1 --commit "$(git rev-parse HEAD)" --entry src/index.ts',
            }),
      })
    : attemptsList(scores)
}
<nav class="pager" aria-label="Pages of changes">${cursor === undefined ? html`<span></span>` : html`<a href="/ui/changes?${queryOf(filters)}">Newest</a>`}${
    next === null
      ? ''
      : html`<a rel="next" href="/ui/changes?${queryOf({ ...filters, cursor: `${next}` })}">Older →</a>`
  }</nav>`;
}

function queryOf(asked: Record<string, string | undefined>): string {
  const given = Object.entries(asked).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return `${new URLSearchParams(given)}`;
}

function filterForm(asked: ChangesAsked, gates: string[]): Html {
  const input = (name: keyof ChangesAsked, label: string, type = 'text') =>
    html`<div><label for="${name}">${label}</label><input id="${name}" name="${name}" type="${type}" value="${asked[name] ?? ''}" maxlength="300"></div>`;
  const select = (name: keyof ChangesAsked, label: string, options: readonly string[]) =>
    html`<div><label for="${name}">${label}</label><select id="${name}" name="${name}"><option value="">any</option>${options.map(
      (option) =>
        html`<option value="${option}"${option === asked[name] ? html` selected` : ''}>${option.replaceAll('_', ' ')}</option>`,
    )}</select></div>`;
  return html`<form class="filters card" method="get" action="/ui/changes" role="search">
${select('gate', 'Gate', gates)}
${input('change', 'Change')}
${input('repository', 'Repository')}
${input('author', 'Author')}
${input('agent', 'Agent')}
${input('model', 'Model')}
${select('verdict', 'Verdict', ['merge', 'block'])}
${select('reason', 'Reason', ['green', ...blockReasons])}
${input('from', 'From day (UTC)', 'date')}
${input('to', 'To day (UTC)', 'date')}
<div class="actions"><button class="primary">Search</button><a class="button" href="/ui/changes">Clear</a></div>
</form>`;
}

function attemptsList(scores: DisclosedScore[]): Html {
  return table({
    caption: 'Attempts, newest first',
    isCaptionHidden: true,
    columns: [
      ...['Change', 'Verdict', 'Gate', 'By'].map((name) => ({ name })),
      { name: 'Attempt', isNumber: true },
      { name: 'Cases', isNumber: true },
      { name: 'Took', isNumber: true },
      { name: 'When' },
    ],
    rows: scores.map((score) => {
      const { id, gate, change, attempt, requestedAt } = score;
      const { passed, total, durationMs } = score.state === 'finished' ? score : {};
      return [
        html`<a href="${changePath({ gate, change: change.id, repository: change.repository })}">${nameOf(change.id, 60)}</a>${change.repository === undefined ? '' : html` <small class="muted">${nameOf(change.repository, 60)}</small>`}`,
        html`<a class="plain-link" href="/ui/scores/${id}">${verdictBadge(score)}</a>`,
        html`<a href="/ui/gates/${gate}">${gate}</a>`,
        html`${whoOf(change.author, change.agent)}${change.model === undefined ? '' : html` <small class="muted">${nameOf(change.model, 40)}</small>`}`,
        attempt ?? '–',
        passed === undefined || total === undefined || total === 0 ? '–' : `${passed}/${total}`,
        durationMs === undefined ? '–' : durationText(durationMs),
        requestedAt === undefined ? '–' : agoTag(requestedAt),
      ];
    }),
  });
}
