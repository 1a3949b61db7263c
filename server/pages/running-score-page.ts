/** A score that has no verdict yet: how far it has come, as it goes, and the verdict in its place as soon as there is one. */
import { html } from 'hono/html';
import type { DisclosedScore } from '../../gate/disclosure/disclosed.ts';
import type { Html } from './html.ts';
import { aboutLine, changeFacts, crumbsOf } from './score-page.ts';

type Running = Extract<DisclosedScore, { state: 'running' }>;

/** `isFollowed` where the reader may hear how far it has come. */
export function runningScorePage(score: Running, isFollowed: boolean): Html {
  return html`<div class="stack">
${crumbsOf(score)}
<section class="verdict running"${isFollowed ? html` data-follow="/ui/scores/${score.id}/events"` : ''}>
<span class="verdict-sign" aria-hidden="true">…</span>
<div><h1>Being scored</h1>
<p data-stage>${isFollowed ? 'The verdict comes in its place.' : 'The verdict is told at the end of its time slot: reload the page.'}</p>
${
  isFollowed
    ? html`<progress data-progress aria-label="Trials that have ended" hidden></progress>
<noscript><p><a href="/ui/scores/${score.id}">Reload</a> to see whether there is a verdict.</p></noscript>`
    : ''
}
<p class="muted small">${aboutLine(score)}</p>
</div></section></div>
<section class="section" aria-labelledby="about"><h2 id="about">About</h2>
<div class="card"><dl class="facts">
${changeFacts(score)}
${score.attempt === undefined ? '' : html`<dt>Attempt</dt><dd>${score.attempt} of the change</dd>`}
<dt>Score</dt><dd><code>${score.id}</code></dd>
</dl></div></section>`;
}
