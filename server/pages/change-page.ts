/** One change at one gate: its attempts side by side, newest first, and the cases that came out otherwise in one than in another. */
import { html } from 'hono/html';
import { type ChangedCase, changedCasesMax } from '../../gate/compare-attempts.ts';
import type { DisclosedScore, FinishedScore } from '../../gate/disclosure/disclosed.ts';
import type { Change } from '../../gate/gate.ts';
import { changePath } from './change-path.ts';
import { emptyState } from './empty-state.ts';
import { bitsText } from './gate-page.ts';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';
import { whoOf } from './recent-verdicts.ts';
import { durationText, timeTag } from './time-tag.ts';
import { verdictBadge } from './verdict-badge.ts';

export type ChangePageData = {
  gate: string;
  change: string;
  /** Newest first; empty where there is none. */
  attempts: DisclosedScore[];
  changed: ChangedCase[];
  /** What the tokens of those who let one merge are called, by their ids. */
  names: ReadonlyMap<string, string>;
  /** Whether the reader may let a block merge. */
  mayOverride: boolean;
  /** The cursor of older attempts. */
  next: number | null;
};

export function changePage(data: ChangePageData): Html {
  const { gate, change, attempts, next } = data;
  const [newest] = attempts;
  if (newest === undefined) {
    return html`<h1>${nameOf(change)}</h1>${emptyState({
      title: 'No attempt of this change',
      text: `Nothing of it was scored at the gate ${gate}, or not in this repository.`,
    })}`;
  }
  const { change: about } = newest;
  return html`<div class="head"><div><p class="crumbs"><a href="/ui/changes">Changes</a> / <a href="/ui/gates/${gate}">${gate}</a></p>
<h1>${nameOf(change)}</h1><p class="muted">${identityOf(about)}</p></div>
<p class="big">${verdictBadge(newest)}</p></div>
<section class="section" aria-labelledby="attempts"><h2 id="attempts">Attempts <small>newest first</small></h2>
${attemptsTable(data)}
${next === null ? '' : html`<nav class="pager" aria-label="Attempts"><span></span><a rel="next" href="${changePath({ gate, change, repository: about.repository })}&cursor=${next}">Older attempts →</a></nav>`}
</section>
${changedSection(data)}
${overridesSection(data)}`;
}

function identityOf({ repository, author, agent, model }: Change): Html {
  return html`${repository === undefined ? '' : html`${nameOf(repository)} · `}${whoOf(author, agent)}${model === undefined ? '' : html` <small>(${nameOf(model, 60)})</small>`}`;
}

/** One column for each attempt, one row for each fact that any of them has. */
function attemptsTable({ attempts, mayOverride }: ChangePageData): Html {
  const none = html`<span class="muted">–</span>`;
  const facts: [string, (score: DisclosedScore) => Html | string | undefined][] = [
    ['Verdict', verdictBadge],
    ['Requested', ({ requestedAt }) => (requestedAt === undefined ? undefined : timeTag(requestedAt))],
    ['Repository', ({ change }) => (isOfOne ? undefined : nameOf(change.repository ?? 'none', 40))],
    ['Commit', ({ change }) => html`<code>${nameOf(change.commit, 12)}</code>`],
    ['Candidate', ({ candidate: { digest } }) => html`<code title="${digest}">${digest.slice(7, 19)}</code>`],
    ['Revisions', (score) => revisionsOf(finished(score))],
    ['Alarm', (score) => alarmsOf(finished(score))],
    ['Cases passed', (score) => countsOf(finished(score))],
    [
      'Visible tests, says CI',
      ({ visibleTests }) =>
        visibleTests === undefined ? undefined : `${visibleTests.passed} of ${visibleTests.total}`,
    ],
    ['Took', (score) => tookOf(finished(score))],
    ['Exposure', (score) => bitsOf(finished(score))],
    ['Overrule', (score) => (mayOverride ? overrideLink(score) : undefined)],
  ];
  const isOfOne = new Set(attempts.map(({ change }) => change.repository)).size < 2;
  const rows = facts
    .map(([name, of]) => ({ name, cells: attempts.map(of) }))
    .filter(({ cells }) => cells.some((cell) => cell !== undefined));
  return html`<div class="table sideways" tabindex="0" role="region" aria-label="Attempts side by side"><table>
<caption class="visually-hidden">Attempts side by side</caption>
<thead><tr><th scope="col"><span class="visually-hidden">What</span></th>${attempts.map(attemptHeader)}</tr></thead>
<tbody>${rows.map(({ name, cells }) => html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell ?? none}</td>`)}</tr>`)}</tbody>
</table></div>`;
}

function attemptHeader({ id, attempt }: DisclosedScore): Html {
  return html`<th scope="col"><a href="/ui/scores/${id}">Attempt ${attempt}</a></th>`;
}

function finished(score: DisclosedScore): FinishedScore | undefined {
  return score.state === 'finished' ? score : undefined;
}

function revisionsOf(score: FinishedScore | undefined): Html | undefined {
  if (score === undefined || score.revisions.length === 0) return undefined;
  return html`${score.revisions.map(({ suite, revision }) => html`<span class="chip">${suite}<small>@${revision}</small></span> `)}`;
}

/** In few words: the page of the score says more. */
function alarmsOf(score: FinishedScore | undefined): Html | undefined {
  const kinds = new Set(score?.alarms?.map(({ kind }) => kind));
  if (kinds.size === 0) return undefined;
  const texts = {
    tripwire: 'knows sealed answers',
    fingerprints: 'holds sealed text',
    preflight: 'references do not behave',
  };
  return html`${[...kinds].map((kind) => html`<span class="badge bad">${texts[kind]}</span> `)}`;
}

function countsOf(score: FinishedScore | undefined): string | undefined {
  if (score?.passed === undefined || score.total === undefined || score.total === 0) return undefined;
  return `${score.passed} of ${score.total}`;
}

function tookOf(score: FinishedScore | undefined): Html | string | undefined {
  if (score === undefined) return undefined;
  if (score.repeats !== null && score.repeats !== undefined) {
    return html`<a href="/ui/scores/${score.repeats}">nothing: the same build as before</a>`;
  }
  return score.durationMs === undefined ? undefined : durationText(score.durationMs);
}

function bitsOf(score: FinishedScore | undefined): string | undefined {
  return score?.exposureBits === undefined ? undefined : bitsText(score.exposureBits);
}

function overrideLink(score: DisclosedScore): Html | undefined {
  if (score.state === 'running' || score.canMerge) return undefined;
  return html`<a href="/ui/scores/${score.id}/override">Let it merge…</a>`;
}

function changedSection({ attempts, changed }: ChangePageData): Html | '' {
  if (attempts.length < 2) return '';
  if (changed.length === 0) {
    return html`<section class="section" aria-labelledby="changed"><h2 id="changed">Cases that changed</h2>
<p class="muted">No case came out otherwise in one of these attempts than in another.</p></section>`;
  }
  const shown = changed.slice(0, changedCasesMax);
  return html`<section class="section" aria-labelledby="changed"><h2 id="changed">Cases that changed <small>${shown.length < changed.length ? `the first ${shown.length}` : shown.length}</small></h2>
<div class="table sideways" tabindex="0" role="region" aria-label="Cases that changed between attempts"><table>
<caption class="visually-hidden">Cases that came out otherwise in one attempt than in another</caption>
<thead><tr><th scope="col">Case</th>${attempts.map(attemptHeader)}</tr></thead>
<tbody>${shown.map((each) => html`<tr><th scope="row">${caseLink(each)}</th>${attempts.map(({ id }) => html`<td>${endOf(each, id)}</td>`)}</tr>`)}</tbody>
</table></div></section>`;
}

/** Cases are named by their place: what they are called is for authors, on the suite's own page. */
function caseLink({ suite, revision, position }: ChangedCase): Html {
  return html`<a href="/ui/suites/${suite}/revisions/${revision}#case-${position}">${suite} ${position}</a>`;
}

function endOf({ ends }: ChangedCase, score: string): Html {
  const end = ends.get(score);
  if (end === undefined) return html`<span class="muted">not asked</span>`;
  if (end.passed) return html`<span class="badge good">passed</span>`;
  return html`<span class="badge bad">${end.outcome === 'returned' ? 'wrong' : end.outcome.replaceAll('_', ' ')}</span>`;
}

function overridesSection({ attempts, names }: ChangePageData): Html | '' {
  const overridden = attempts.flatMap((score) =>
    score.state === 'finished' && score.override !== undefined
      ? [{ attempt: score.attempt, ...score.override }]
      : [],
  );
  if (overridden.length === 0) return '';
  return html`<section class="section" aria-labelledby="overrides"><h2 id="overrides">Overruled</h2>
<ul class="plain-list">${overridden.map(
    ({ attempt, scored, needed, approvals }) =>
      html`<li class="card"><p>Attempt ${attempt} was <b>${scored.replaceAll('_', ' ')}</b>; ${approvals.length} of ${needed} ${needed === 1 ? 'person' : 'people'} let it merge.</p>
${approvals.map(({ person, reason, approvedAt }) => html`<figure class="quote"><blockquote>${nameOf(reason, 2_000)}</blockquote><figcaption class="muted small">${nameOf(names.get(person) ?? person, 60)}, ${timeTag(approvedAt)}</figcaption></figure>`)}</li>`,
  )}</ul></section>`;
}
