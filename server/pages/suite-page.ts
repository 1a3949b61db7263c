/**
 * One suite: what is active, what it has told, its cases for authors alone, its revisions with who made them and when. Whoever may not see
 * cases is shown their number and nothing else of them.
 */
import { html } from 'hono/html';
import type { SuiteCases } from '../../suites/life/life.ts';
import type { RevisionHistory } from '../../suites/life/revision-history.ts';
import type { Revision, Suite } from '../../suites/suite.ts';
import { type CaseListing, caseTable } from './case-table.ts';
import { emptyState } from './empty-state.ts';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';
import { personOf } from './person.ts';
import { revisionState } from './revision-state.ts';
import { bitsText } from './suite-list-page.ts';
import { table } from './table.ts';
import { agoTag } from './time-tag.ts';

/** What one gate lets the suite tell, and what it has told. */
export type Budget = { gate: string; budgetBits: number | null };

/** What authors see besides. */
export type SuiteForAuthors = {
  listing: CaseListing | undefined;
  left: SuiteCases['left'];
  references: { name: string; verdict: 'merge' | 'block' }[];
  strength: number | undefined;
  preflight: { passed: boolean; at: Date } | undefined;
};

export type SuiteView = {
  suite: Suite;
  history: RevisionHistory;
  /** Of the active revision, the bits of the case that told most. */
  bits: number;
  budgets: Budget[];
  forAuthors: SuiteForAuthors | undefined;
  csrf: string;
};

/** So many revisions are listed. */
const revisionsMax = 100;

export function suitePage(view: SuiteView): Html {
  const { suite, forAuthors, history } = view;
  const active = suite.revisions.find(({ revision }) => revision === suite.activeRevision);
  const [newest] = suite.revisions;
  return html`<div class="head"><div>
<p class="crumbs"><a href="/ui/suites">Suites</a></p>
<h1>${suite.suite}</h1>
<p class="muted">${active === undefined ? 'No revision is active, so no gate can be green by it.' : html`Revision ${active.revision} is active${activatedBy(history, active.revision)}.`}</p>
</div>${newest === undefined ? '' : actions(suite, newest, forAuthors !== undefined)}</div>
${waiting(suite)}
${figures(view, active)}
${budgets(view, active)}
${forAuthors === undefined ? '' : casesOf(view, forAuthors)}
${revisions(view)}
${forAuthors === undefined || forAuthors.left.length === 0 ? '' : leftOf(forAuthors.left)}`;
}

function activatedBy({ activated }: RevisionHistory, revision: number): Html {
  const [last] = activated.filter((each) => each.revision === revision);
  if (last === undefined) return html``;
  return html`, since ${agoTag(last.at)} by ${personOf(last.person)}`;
}

function actions({ suite, activeRevision }: Suite, newest: Revision, isAuthor: boolean): Html {
  const isDraft = activeRevision !== null && newest.revision > activeRevision;
  return html`<div class="actions">
${isDraft && isAuthor ? html`<a class="button" href="/ui/suites/${suite}/compare?from=${activeRevision}&amp;to=${newest.revision}">Compare with the draft</a>` : ''}
<a class="button" href="/ui/trends?suite=${suite}">Trends</a>
${isAuthor ? html`<a class="button primary" href="/ui/suites/${suite}/cases/new">New case</a>` : ''}</div>`;
}

/** That something newer than the active revision waits. */
function waiting({ suite, activeRevision, revisions: [newest] }: Suite): Html | '' {
  if (newest === undefined || newest.revision === activeRevision) return '';
  if (activeRevision !== null && newest.revision < activeRevision) return '';
  if (newest.state === 'superseded') return '';
  return html`<p class="notice warn">Revision <a href="/ui/suites/${suite}/revisions/${newest.revision}">${newest.revision}</a> is newer and ${
    newest.state === 'reviewed' ? 'was approved' : 'a draft'
  }: no gate asks for it until it is activated.</p>`;
}

function figures({ suite, bits, forAuthors }: SuiteView, active: Revision | undefined): Html {
  const { strength, preflight, references } = forAuthors ?? {};
  return html`<dl class="figures">
<div><dt>Cases</dt><dd>${active?.cases ?? '–'}</dd></div>
<div><dt>Revisions</dt><dd>${suite.revisions.length}</dd></div>
<div><dt>Exposure</dt><dd>${active === undefined ? '–' : bitsText(bits)}<small>bits, of the case that told most</small></dd></div>
${
  forAuthors === undefined || active === undefined
    ? ''
    : html`<div><dt>Strength</dt><dd>${strength === undefined ? '–' : `${Math.floor(strength * 1_000 + 1e-9) / 10} %`}<small>${strength === undefined ? 'not measured yet' : 'of the mutants of a right build are killed'}</small></dd></div>
<div><dt>References</dt><dd>${references?.length ?? 0}<small>${preflightText(preflight, references?.length ?? 0)}</small></dd></div>`
}</dl>`;
}

function preflightText(preflight: SuiteForAuthors['preflight'], references: number): Html | string {
  if (references === 0) return 'nothing shows that a right build passes';
  if (preflight === undefined) return 'not run on this version of the runners';
  return html`${preflight.passed ? 'behaved' : 'did not behave'} ${agoTag(preflight.at)}`;
}

function budgets({ budgets: all, bits }: SuiteView, active: Revision | undefined): Html {
  if (all.length === 0) {
    return html`<section class="section"><h2>Gates</h2><p class="muted">No gate needs this suite, so it judges nobody. An admin puts one in front of it with <code>holdback gate set</code>.</p></section>`;
  }
  return html`<section class="section"><h2>Exposure, by gate</h2>${table({
    caption: 'What each gate lets the suite tell',
    isCaptionHidden: true,
    columns: [
      { name: 'Gate' },
      { name: 'Budget, in bits', isNumber: true },
      { name: 'Left, in bits', isNumber: true },
      { name: 'Spent' },
    ],
    rows: all.map(({ gate, budgetBits }) => [
      html`<a href="/ui/gates/${gate}">${gate}</a>`,
      budgetBits === null ? 'no limit' : bitsText(budgetBits),
      budgetBits === null || active === undefined ? '–' : bitsText(Math.max(0, budgetBits - bits)),
      budgetBits === null || active === undefined ? '–' : spent(bits, budgetBits),
    ]),
  })}</section>`;
}

function spent(bits: number, budgetBits: number): Html {
  const share = budgetBits === 0 ? 1 : Math.min(1, bits / budgetBits);
  return html`<span class="spent"><meter min="0" max="1" high="0.8" value="${share.toFixed(3)}" aria-label="Spent"></meter> ${Math.round(share * 100)} %</span>`;
}

function casesOf({ suite, csrf }: SuiteView, { listing, references }: SuiteForAuthors): Html {
  if (listing === undefined) {
    return emptyState({
      title: 'No revision is active',
      text: 'Cases of the active revision are listed here. Look at the newest revision, and activate it.',
    });
  }
  return html`${caseTable(listing, { csrf, newest: suite.revisions[0]?.revision ?? listing.revision })}
${
  references.length === 0
    ? ''
    : html`<section class="section"><h2>References</h2><ul class="chips">${references.map(
        ({ name, verdict }) =>
          html`<li class="chip">${nameOf(name)} <span class="badge ${verdict === 'merge' ? 'good' : 'bad'}">${verdict === 'merge' ? 'right' : 'wrong'}</span></li>`,
      )}</ul></section>`
}`;
}

function revisions({
  suite: { suite, revisions: all, activeRevision },
  history,
  forAuthors,
}: SuiteView): Html {
  const shown = all.slice(0, revisionsMax);
  return html`<section class="section"><div class="section-head"><h2>Revisions</h2>${
    all.length > shown.length ? html`<small>the newest ${shown.length} of ${all.length}</small>` : ''
  }</div>${table({
    caption: 'Revisions, newest first',
    isCaptionHidden: true,
    columns: [
      { name: 'Revision' },
      { name: 'State' },
      { name: 'Cases', isNumber: true },
      { name: 'Made' },
      { name: 'Last activated' },
      ...(forAuthors === undefined ? [] : [{ name: 'Changes' }]),
    ],
    rows: shown.map(({ revision, state, cases, createdAt }, index) => {
      const made = history.made.get(revision);
      const activated = history.activated.find((each) => each.revision === revision);
      const before = all[index + 1]?.revision;
      const other = revision === activeRevision || activeRevision === null ? before : activeRevision;
      return [
        html`<a href="/ui/suites/${suite}/revisions/${revision}">${revision}</a>`,
        revisionState(state),
        `${cases}`,
        html`<span class="nowrap">${agoTag(createdAt)}${made === undefined ? '' : html` <span class="muted">by ${personOf(made.person)}</span>`}</span>`,
        activated === undefined
          ? html`<span class="muted">never</span>`
          : html`<span class="nowrap">${agoTag(activated.at)} <span class="muted">by ${personOf(activated.person)}</span></span>`,
        ...(forAuthors === undefined
          ? []
          : [
              other === undefined
                ? html`<span class="muted">the first</span>`
                : html`<a class="nowrap" href="/ui/suites/${suite}/compare?from=${other}&amp;to=${revision}">against ${other}</a>`,
            ]),
      ];
    }),
  })}</section>`;
}

/** So many cases that left are listed. */
const leftMax = 50;

function leftOf(left: SuiteCases['left']): Html {
  return html`<details class="section"><summary>${left.length === 1 ? 'One case left' : `${left.length} cases left`} the suite</summary>${table(
    {
      caption: 'Cases that were retired or published',
      isCaptionHidden: true,
      columns: [{ name: 'Case' }, { name: 'How' }, { name: 'When' }, { name: 'Why' }],
      rows: left
        .slice(0, leftMax)
        .map(({ name, kind, person, reason, at }) => [
          nameOf(name),
          kind,
          html`${agoTag(at)} <span class="muted">by ${personOf(person)}</span>`,
          reason === undefined ? html`<span class="muted">nothing was said</span>` : nameOf(reason, 300),
        ]),
    },
  )}</details>`;
}
