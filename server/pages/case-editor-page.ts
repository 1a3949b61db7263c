/**
 * Where an author writes one case: its text, what is wrong with it, what builds make of it. With scripts it is coloured and checked as it
 * is written; without, the same form does the same by its buttons.
 */
import { html } from 'hono/html';
import type { CaseFindings, CaseText } from '../../suites/authoring/case-text.ts';
import { caseCharsMax } from '../../suites/authoring/case-text.ts';
import type { Revision } from '../../suites/suite.ts';
import { caseFindings } from './case-findings.ts';
import { diffOf } from './diff-of.ts';
import { type DryRunAnswer, dryRunResults } from './dry-run-results.ts';
import type { Html } from './html.ts';
import { nameOf, visible } from './name-of.ts';
import { personOf } from './person.ts';
import { postForm } from './post-form.ts';
import { revisionState } from './revision-state.ts';

/** That somebody made a revision meanwhile, and what became of the case in it. */
export type Overtaken = {
  from: number;
  to: number;
  person: string | undefined;
  /** The case before and now, where it is not the same any more. */
  changed: { before: string; after: string } | undefined;
};

export type CaseEditorView = {
  suite: string;
  /** The revision that the case is put into. */
  base: Revision;
  newest: number;
  /** The case that is changed; undefined for one more. */
  replaces: { name: string; position: number } | undefined;
  written: CaseText;
  /** Functions of a module belong to it, so that it can only be looked at. */
  hasCode: boolean;
  references: { name: string; verdict: 'merge' | 'block' }[];
  /** What it is to be run on: the number of a reference, or `''` for every one, and another build. */
  chosen: { reference: string; build: string };
  found: CaseFindings | undefined;
  ran: DryRunAnswer;
  refused: string | undefined;
  overtaken: Overtaken | undefined;
  csrf: string;
};

/** What a new case begins as. */
export const newCaseText = `name: what this case shows
input:
  code: SAVE10
  cents: 1999
expect:
  equals: 1799
`;

export function caseEditorPage(view: CaseEditorView): Html {
  const { suite, base, newest, replaces, hasCode } = view;
  return html`<div class="head"><div>
<p class="crumbs"><a href="/ui/suites">Suites</a> / <a href="/ui/suites/${suite}">${suite}</a></p>
<h1>${replaces === undefined ? 'New case' : nameOf(replaces.name)}</h1>
<p class="muted">${replaces === undefined ? 'One more' : 'One'} among those of <a href="/ui/suites/${suite}/revisions/${base.revision}">revision ${base.revision}</a> ${revisionState(base.state)}${
    base.revision === newest
      ? ''
      : html`. Revision <a href="/ui/suites/${suite}/revisions/${newest}">${newest}</a> is newer, and what changed there will not be in yours`
  }</p></div></div>
${notices(view)}
${hasCode ? readOnly(view) : editor(view)}
${replaces === undefined ? '' : retire(view, replaces.position)}`;
}

function notices({ suite, refused, overtaken }: CaseEditorView): Html {
  if (overtaken === undefined) {
    return refused === undefined ? html`` : html`<p class="notice bad" role="alert">${visible(refused)}</p>`;
  }
  const { from, to, person, changed } = overtaken;
  return html`<div class="notice warn" role="alert"><p><strong>Revision ${to} was made meanwhile${
    person === undefined ? '' : html` by ${personOf(person)}`
  }.</strong> Nothing was stored, and nothing is lost: what you wrote is below, and now goes into revision ${to}. Look at <a href="/ui/suites/${suite}/compare?from=${from}&amp;to=${to}">what changed</a>, then save it again.</p>${
    changed === undefined
      ? ''
      : html`<p>This very case is another there, and saving yours replaces it:</p>${diffOf(changed, 'change', `The case in revision ${from} and in revision ${to}`)}`
  }</div>`;
}

function readOnly({ written }: CaseEditorView): Html {
  return html`<p class="notice">Functions of the suite's module belong to this case. Change it in the file of the suite, and push that:</p>
<pre class="command"><code>holdback suite push discounts.suite.ts</code></pre>
<pre tabindex="0" aria-label="The case"><code>${visibleLines(written.text)}</code></pre>`;
}

function visibleLines(text: string): Html[] {
  return text.split('\n').map((line) => html`${visible(line)}\n`);
}

function editor(view: CaseEditorView): Html {
  const { suite, base, newest, replaces, written, found, ran, csrf } = view;
  const fields = html`<input type="hidden" name="revision" value="${base.revision}"><input type="hidden" name="newest" value="${newest}"><input type="hidden" name="at" value="${replaces?.position ?? ''}">
<div class="editor-text">
<div class="section-head"><label for="text">The case</label><div class="editor-form"><label for="form">written in</label><select id="form" name="form">${(
    ['yaml', 'json'] as const
  ).map(
    (form) =>
      html`<option value="${form}"${form === written.form ? html` selected` : ''}>${form.toUpperCase()}</option>`,
  )}</select></div></div>
<textarea id="text" name="text" rows="22" spellcheck="false" autocapitalize="off" autocomplete="off" maxlength="${caseCharsMax}" aria-describedby="findings" data-code>
${written.text}</textarea>
<p class="hint">A <code>name</code>, an <code>input</code>, and under <code>expect</code> what must come of it: <code>equals</code>, <code>matches</code>, <code>closeTo</code>, <code>oneOf</code>, <code>throws</code> or <code>schema</code>; or <code>steps</code>. <span data-with-script hidden>Tab leaves the text; with <kbd>Ctrl M</kbd> it indents.</span></p>
<div class="editor-foot"><button class="primary" name="do" value="save">Save as a draft</button><a class="button" href="/ui/suites/${suite}">Leave it</a><p class="hint">A draft is a new revision. Nobody is judged by it before it is activated.</p></div>
</div>
<div class="editor-side">
<section class="card" aria-labelledby="findings-title"><div class="section-head"><h2 id="findings-title">Check</h2><button class="quiet" name="do" value="check" data-check>Check</button></div>
<div id="findings" role="status">${caseFindings(found)}</div></section>
<section class="card" aria-labelledby="dry-run-title"><div class="section-head"><h2 id="dry-run-title">Dry run</h2></div>
${builds(view)}
<button name="do" value="dry-run" data-dry-run>Run it</button>
<div id="dry-run" role="status">${dryRunResults(ran)}</div></section>
</div>`;
  return postForm({ csrf, action: `/ui/suites/${suite}/cases`, id: 'editor' }, fields);
}

function builds({ references, chosen }: CaseEditorView): Html {
  return html`${
    references.length === 0
      ? html`<p class="muted">The revision holds no reference. Give the text of a build.</p>`
      : html`<div class="field"><label for="reference">On</label><select id="reference" name="reference"><option value="">every reference</option>${references.map(
          ({ name, verdict }, index) =>
            html`<option value="${index}"${`${index}` === chosen.reference ? html` selected` : ''}>${visible(name)}, ${verdict === 'merge' ? 'right' : 'wrong'}</option>`,
        )}</select></div>`
  }
<details${chosen.build !== '' || references.length === 0 ? html` open` : ''}><summary>On another build</summary><div class="field"><label for="build">One module that exports run(input)</label>
<textarea id="build" name="build" rows="5" spellcheck="false" autocapitalize="off" autocomplete="off" placeholder="export const run = (input) => …">
${chosen.build}</textarea></div></details>`;
}

function retire({ suite, base, newest, csrf }: CaseEditorView, position: number): Html {
  const fields = html`<input type="hidden" name="revision" value="${base.revision}"><input type="hidden" name="newest" value="${newest}"><input type="hidden" name="case" value="${position}">
<div class="field"><label for="reason">Why, for other authors</label><input id="reason" name="reason" maxlength="2000" autocomplete="off"></div>
<button class="danger">Make a draft without it</button>`;
  return html`<details><summary>Retire this case</summary>${postForm({ csrf, action: `/ui/suites/${suite}/retirements` }, fields)}</details>`;
}
