/** What is found in a case while it is written: where, what, and what to do. The same for whoever has scripts and for whoever has none. */
import { html } from 'hono/html';
import type { CaseFinding, CaseFindings } from '../../suites/authoring/case-text.ts';
import type { Html } from './html.ts';
import { visible } from './name-of.ts';

/** Undefined where nothing was checked yet. */
export function caseFindings(found: CaseFindings | undefined): Html {
  if (found === undefined) return html`<p class="muted">Nothing was checked yet.</p>`;
  const { findings, more } = found;
  if (findings.length === 0)
    return html`<p><span class="badge good">sound</span> A revision can be made with it.</p>`;
  return html`<p><span class="badge bad">${findings.length + more === 1 ? 'one finding' : `${findings.length + more} findings`}</span></p>
<ol class="findings">${findings.map(findingOf)}</ol>${more === 0 ? '' : html`<p class="muted">and ${more} more</p>`}`;
}

function findingOf({ path, detail, suggestion, place }: CaseFinding): Html {
  const at = place === null ? '' : placeOf(place);
  const keys = path.length === 0 ? '' : html`<code>${visible(path.join('.'))}</code> `;
  return html`<li>${at}${keys}${visible(detail)}${
    suggestion === undefined ? '' : html`<br><span class="muted">${visible(suggestion)}</span>`
  }</li>`;
}

/** With a script, it leads to the place. */
function placeOf({ line, column }: { line: number; column: number }): Html {
  return html`<span class="place" data-line="${line}" data-column="${column}">line ${line}, column ${column}</span> `;
}
