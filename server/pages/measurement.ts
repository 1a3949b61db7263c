/** A measurement of strength as it is, and then what it found: the mutants that no case kills are the cases that are missing. */
import { html } from 'hono/html';
import { type Measurement, type StrengthReport, strengthText } from '../../gate/strength/strength.ts';
import type { Html } from './html.ts';
import { nameOf, visible } from './name-of.ts';

/** So many survivors, and so many names of cases, are shown. */
const survivorsMax = 25;
const namesMax = 50;

export function measurementOf(measurement: Measurement): Html {
  if (measurement.state === 'failed') {
    return html`<p class="notice bad" role="status">Nothing was measured: ${visible(measurement.message)}</p>`;
  }
  if (measurement.state === 'finished') return reportOf(measurement.report);
  const { doing, done, mutants } = measurement;
  const words = {
    waiting: 'It waits for its turn.',
    making_mutants: 'The mutants are being made.',
    running_build: 'The build itself is run first.',
    running_mutants: `${done} of ${mutants} mutants are done.`,
  };
  return html`<div class="notice" role="status"><p>${words[doing]} <a href="">Look again</a></p>${
    mutants === 0
      ? ''
      : html`<progress max="${mutants}" value="${done}" aria-label="Mutants done"></progress>`
  }</div>`;
}

function reportOf({
  score,
  killed,
  mutants,
  survivors,
  survivorsLeftOut,
  idle,
  smallest,
  cases,
}: StrengthReport): Html {
  const shown = survivors.slice(0, survivorsMax);
  const more = survivors.length - shown.length + survivorsLeftOut;
  return html`<div class="card"><p><strong>${strengthText(score)}</strong>: ${killed} of ${mutants} mutants are killed. ${smallest.length} of ${cases} cases kill as much as all.</p>
${
  shown.length === 0
    ? html`<p class="muted">No mutant survives.</p>`
    : html`<details><summary>${survivors.length + survivorsLeftOut} survive: each shows a case that is missing</summary>${shown.map(
        ({ mutator, line, reachedBy, diff }) =>
          html`<h3>${visible(mutator)}, line ${line}, reached by ${reachedBy === 1 ? 'one case' : `${reachedBy} cases`}</h3><pre tabindex="0"><code>${diff.split('\n').map((each) => html`${visible(each)}\n`)}</code></pre>`,
      )}${more > 0 ? html`<p>and ${more} more</p>` : ''}</details>`
}
${
  idle.length === 0
    ? ''
    : html`<details><summary>${idle.length === 1 ? 'One case' : `${idle.length} cases`} killed nothing first</summary><ul>${idle
        .slice(0, namesMax)
        .map((name) => html`<li>${nameOf(name)}</li>`)}</ul></details>`
}</div>`;
}
