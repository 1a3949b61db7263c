/** The failing cases of a score, for authors: what each required, and what came of it. Names, messages and outputs are anybody's text. */
import { html } from 'hono/html';
import type { Failure, FinishedScore } from '../../gate/disclosure/disclosed.ts';
import { linesOf, textOfLine } from '../../gate/scoring/readable.ts';
import { diffOf } from './diff-of.ts';
import type { Html } from './html.ts';
import { nameOf, visible } from './name-of.ts';
import { outcomeBadge } from './outcome-badge.ts';

/** So many failures are shown at once, because each may have long texts. */
export const failuresPerPage = 25;

/** Where texts are compared, the message only repeats them, and is cut to so many characters. */
const messageCharsMax = 160;

export function failureList(score: FinishedScore, failures: Failure[], from: number): Html | '' {
  if (failures.length === 0) return '';
  const shown = failures.slice(from, from + failuresPerPage);
  return html`<section class="section" aria-labelledby="failures">
<div class="section-head"><h2 id="failures">Failing cases <small>${failures.length}</small></h2>
${failures.length > shown.length ? html`<small>${from + 1} to ${from + shown.length} of ${failures.length}</small>` : ''}</div>
${shown.map((failure) => failureCard(score.id, failure))}
${pager(score.id, failures.length, from)}
</section>`;
}

function failureCard(scoreId: string, failure: Failure): Html {
  const { suite, case: name, outcome, message, generated, expected, observed } = failure;
  const isCompared = expected !== undefined && observed !== undefined;
  return html`<article class="card failure">
<div class="section-head"><h3>${nameOf(name, 200)} <small>${suite}</small></h3>${outcomeBadge(outcome)}</div>
${message === '' ? '' : html`<p class="muted small${isCompared ? ' one-line' : ''}">${isCompared ? nameOf(message, messageCharsMax) : visible(message)}</p>`}
${diffOf({ before: expected, after: observed }, 'contrast', `Expected and observed: ${name}`)}
${generated === undefined ? '' : generatedInput(scoreId, generated)}
</article>`;
}

function generatedInput(scoreId: string, { run, runs, input }: NonNullable<Failure['generated']>): Html {
  return html`<details class="input"><summary>Input ${run + 1} of ${runs}, on which it failed</summary>
<pre tabindex="0"><code>${visibleLines(readableInput(input))}</code></pre>
<p class="hint">Run it again on the same inputs, and find the smallest that fails:</p>
<pre class="command"><code>holdback replay ${scoreId}</code></pre>
</details>`;
}

/** An input that was cut is shown as it is. */
function readableInput(input: string): string {
  try {
    return linesOf(JSON.parse(input)).map(textOfLine).join('\n');
  } catch {
    return input;
  }
}

function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

function pager(scoreId: string, count: number, from: number): Html | '' {
  if (count <= failuresPerPage) return '';
  const to = (start: number, label: string) =>
    start < 0 || start >= count
      ? html`<span></span>`
      : html`<a class="button" href="/ui/scores/${scoreId}?failures=${start + 1}#failures">${label}</a>`;
  return html`<nav class="pager" aria-label="Failing cases">${to(from - failuresPerPage, 'Previous')}${to(from + failuresPerPage, 'Next')}</nav>`;
}
