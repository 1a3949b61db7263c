/** What changes from one revision to another, case by case, as texts that their authors know. */
import { html } from 'hono/html';
import type { Comparison } from '../../suites/life/life.ts';
import type { Revision } from '../../suites/suite.ts';
import { diffOf } from './diff-of.ts';
import { emptyState } from './empty-state.ts';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';
import { postForm } from './post-form.ts';
import { revisionState } from './revision-state.ts';

/** A case that differs, as a text on either side; empty where there is none. */
export type ComparedCase = { name: string; before: string; after: string };

export type CompareView = {
  comparison: Comparison;
  /** Those that are shown, of all that differ. */
  cases: ComparedCase[];
  from: Revision;
  to: Revision;
  revisions: Revision[];
  /** Builds and limits, where these differ. */
  others: ComparedCase[];
  csrf: string;
};

export function comparePage(view: CompareView): Html {
  const { comparison, from, to, csrf } = view;
  const { suite } = comparison;
  return html`<div class="head"><div>
<p class="crumbs"><a href="/ui/suites">Suites</a> / <a href="/ui/suites/${suite}">${suite}</a></p>
<h1>From revision ${from.revision} to ${to.revision}</h1>
<p class="muted">${revisionState(from.state)} → ${revisionState(to.state)}</p>
</div><div class="actions">
<a class="button" href="/ui/suites/${suite}/revisions/${to.revision}">Revision ${to.revision}</a>${
    to.state === 'draft' || to.state === 'reviewed'
      ? postForm(
          { csrf, action: `/ui/suites/${suite}/revisions/${to.revision}/activate` },
          html`<button class="primary">Activate revision ${to.revision}</button>`,
        )
      : ''
  }</div></div>
${chooser(view)}
${figures(comparison)}
${differences(view)}`;
}

function chooser({ comparison: { suite }, revisions, from, to }: CompareView): Html {
  const options = (chosen: Revision) =>
    revisions.map(
      ({ revision, state }) =>
        html`<option value="${revision}"${revision === chosen.revision ? html` selected` : ''}>${revision}, ${state}</option>`,
    );
  return html`<form class="filters wide" method="get" action="/ui/suites/${suite}/compare">
<div><label for="from">From</label><select id="from" name="from">${options(from)}</select></div>
<div><label for="to">To</label><select id="to" name="to">${options(to)}</select></div>
<div><button>Compare</button></div></form>`;
}

function figures({ added, removed, changed, unchanged, readAsBefore }: Comparison): Html {
  return html`<dl class="figures">
<div><dt>Added</dt><dd>${added.length}</dd></div>
<div><dt>Removed</dt><dd>${removed.length}</dd></div>
<div><dt>Changed</dt><dd>${changed.length}</dd></div>
<div><dt>As before</dt><dd>${unchanged + readAsBefore}${
    readAsBefore === 0 ? '' : html`<small>of ${readAsBefore} the code around them changed</small>`
  }</dd></div></dl>`;
}

function differences({ comparison, cases, others }: CompareView): Html {
  const { added, removed, changed } = comparison;
  const count = added.length + removed.length + changed.length;
  if (count === 0 && others.length === 0) {
    return emptyState({ title: 'Nothing differs', text: 'Both revisions ask the same, on the same builds.' });
  }
  return html`${cases.map((each) => section(each))}
${cases.length < count ? html`<p class="muted">and ${count - cases.length} more cases</p>` : ''}
${others.map((each) => section(each))}`;
}

function section({ name, before, after }: ComparedCase): Html {
  const what = before === '' ? 'added' : after === '' ? 'removed' : 'changed';
  const look = { added: 'good', removed: 'bad', changed: 'warn' }[what];
  return html`<section class="section compared"><h2>${nameOf(name)} <span class="badge ${look}">${what}</span></h2>${diffOf(
    { before: before === '' ? undefined : before, after: after === '' ? undefined : after },
    'change',
    `${what}: ${name}`,
  )}</section>`;
}
