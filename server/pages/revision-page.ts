/**
 * One revision: how it stands, what speaks against it, and what can be done with it. Its cases, references, reviews and measurements are
 * for authors alone.
 */
import { html } from 'hono/html';
import type { Refusal } from '../../gate/activation/condition.ts';
import { type Preflight, tellPreflightFinding } from '../../gate/activation/preflight-report.ts';
import { type Measurement, type Strength, strengthText } from '../../gate/strength/strength.ts';
import type { ReviewedRevision } from '../../suites/life/life.ts';
import type { Deed } from '../../suites/life/revision-history.ts';
import type { Revision } from '../../suites/suite.ts';
import { type CaseListing, caseTable } from './case-table.ts';
import type { Html } from './html.ts';
import { measurementOf } from './measurement.ts';
import { nameOf, visible } from './name-of.ts';
import { personOf } from './person.ts';
import { postForm } from './post-form.ts';
import { revisionState } from './revision-state.ts';
import { agoTag, timeTag } from './time-tag.ts';

export type RevisionForAuthors = {
  listing: CaseListing;
  references: { name: string; verdict: 'merge' | 'block'; chars: number }[];
  reviews: ReviewedRevision['reviews'];
  strengths: Strength[];
  /** How its references behaved when they were run last. */
  last: { passed: boolean; rounds: number; at: Date } | undefined;
  /** What was just run. */
  preflight: Preflight | undefined;
  measurement: Measurement | undefined;
};

/** So many measurements are listed. */
const strengthsMax = 5;

export type RevisionView = {
  revision: Revision;
  made: Deed | undefined;
  activated: Deed[];
  activeRevision: number | null;
  newest: number;
  forAuthors: RevisionForAuthors | undefined;
  /** What speaks against an activation that was just asked for. */
  refusals: Refusal[];
  /** What was refused, in a sentence, where it was something else. */
  refused: string | undefined;
  csrf: string;
};

export function revisionPage(view: RevisionView): Html {
  const { revision, made, activated, forAuthors } = view;
  const { suite, revision: number, state, cases, digest, createdAt } = revision;
  return html`<div class="head"><div>
<p class="crumbs"><a href="/ui/suites">Suites</a> / <a href="/ui/suites/${suite}">${suite}</a></p>
<h1>Revision ${number} ${revisionState(state)}</h1>
</div>${forAuthors === undefined ? '' : actions(view)}</div>
${refusalsOf(view)}
<dl class="facts">
<dt>Cases</dt><dd>${cases}</dd>
<dt>Made</dt><dd>${timeTag(createdAt)}${made === undefined ? '' : html` by ${personOf(made.person)}`}</dd>
<dt>Activated</dt><dd>${
    activated.length === 0
      ? 'never'
      : activated
          .slice(0, 5)
          .map(
            ({ at, person }, index) => html`${index === 0 ? '' : ', '}${timeTag(at)} by ${personOf(person)}`,
          )
  }</dd>
<dt>Digest</dt><dd><code>${digest}</code></dd>
</dl>
${forAuthors === undefined ? '' : authorsPart(view, forAuthors)}`;
}

function refusalsOf({ refusals, refused }: RevisionView): Html | '' {
  if (refused !== undefined) return html`<p class="notice bad" role="alert">${visible(refused)}</p>`;
  if (refusals.length === 0) return '';
  return html`<div class="notice bad" role="alert"><p><strong>It was not activated.</strong> ${
    refusals.length === 1 ? 'This speaks against it:' : 'All of this speaks against it:'
  }</p><ul>${refusals.map(
    ({ message, details = [], advice }) =>
      html`<li>${visible(message)}${
        details.length === 0
          ? html`.<br>`
          : html`:<ul>${details.map((detail) => html`<li>${visible(detail)}</li>`)}</ul>`
      }<span class="muted">${sentence(advice)}</span></li>`,
  )}</ul></div>`;
}

/** Advice with what it quotes as code. */
function sentence(text: string): Html {
  const parts = visible(text).split('`');
  const [first = '', ...rest] = parts;
  const begun = `${first.slice(0, 1).toUpperCase()}${first.slice(1)}`;
  return html`${begun}${rest.map((part, index) => (index % 2 === 0 ? html`<code>${part}</code>` : part))}`;
}

function authorsPart(view: RevisionView, forAuthors: RevisionForAuthors): Html {
  const { measurement, preflight, listing } = forAuthors;
  return html`${preflight === undefined ? '' : preflightOf(preflight)}
${measurement === undefined ? '' : measurementOf(measurement)}
<div class="cards">${referencesOf(view, forAuthors)}${reviewsOf(view, forAuthors)}${strengthOf(view, forAuthors)}</div>
${caseTable(listing, view)}`;
}

/** What can be done with it as it stands. */
function actions({ revision: { suite, revision, state }, activeRevision, csrf }: RevisionView): Html {
  const at = `/ui/suites/${suite}/revisions/${revision}`;
  const isOther = activeRevision !== null && activeRevision !== revision;
  return html`<div class="actions">${
    isOther
      ? html`<a class="button" href="/ui/suites/${suite}/compare?from=${activeRevision}&amp;to=${revision}">Compare with ${activeRevision}</a>`
      : ''
  }${
    state === 'active'
      ? ''
      : html`${postForm({ csrf, action: `${at}/restore` }, html`<button title="A new revision with the contents of this one">Copy to a draft</button>`)}${postForm(
          { csrf, action: `${at}/activate` },
          html`<button class="primary">${state === 'superseded' ? 'Go back to it' : 'Activate'}</button>`,
        )}`
  }</div>`;
}

function referencesOf(
  { revision: { suite, revision }, csrf }: RevisionView,
  { references, last }: RevisionForAuthors,
): Html {
  const action = `/ui/suites/${suite}/revisions/${revision}/preflight`;
  if (references.length === 0) {
    return html`<section class="card"><h2>References</h2><p class="muted">It holds no build whose verdict is known, so nothing shows that a right build passes. Give it some as <code>references</code> in the suite's file.</p></section>`;
  }
  return html`<section class="card"><h2>References</h2>
<ul class="chips">${references.map(
    ({ name, verdict }) =>
      html`<li class="chip">${nameOf(name, 60)} <span class="badge ${verdict === 'merge' ? 'good' : 'bad'}">${verdict === 'merge' ? 'right' : 'wrong'}</span></li>`,
  )}</ul>
<p class="muted">${
    last === undefined
      ? 'They were not run on this version of the runners.'
      : html`They ${last.passed ? 'behaved' : html`<strong>did not behave</strong>`} in ${roundsText(last.rounds)}, ${agoTag(last.at)}.`
  }</p>
${postForm({ csrf, action }, html`<button>Run the preflight</button>`)}</section>`;
}

function roundsText(rounds: number): string {
  return rounds === 1 ? 'one round' : `${rounds} rounds`;
}

function preflightOf({ passed, rounds, findings, more }: Preflight): Html {
  if (passed) {
    return html`<p class="notice good" role="status">Every reference behaved in ${roundsText(rounds)}.</p>`;
  }
  return html`<div class="notice bad" role="status"><p><strong>The references did not behave</strong> in ${roundsText(rounds)}:</p><ul>${findings.map(
    (finding) => html`<li>${visible(tellPreflightFinding(finding))}</li>`,
  )}</ul>${more === 0 ? '' : html`<p>and ${more} more</p>`}</div>`;
}

function reviewsOf(
  { revision: { suite, revision }, csrf }: RevisionView,
  { reviews }: RevisionForAuthors,
): Html {
  const fields = html`<label for="comment">What you want to say of it</label>
<textarea id="comment" name="comment" maxlength="2000" rows="2"></textarea>
<div class="actions"><button name="verdict" value="approve">Approve</button><button class="danger" name="verdict" value="reject">Reject</button></div>
<p class="hint">Nobody reviews a revision of their own. One rejection outweighs all approvals.</p>`;
  return html`<section class="card"><h2>Reviews</h2>
${
  reviews.length === 0
    ? html`<p class="muted">Nobody has reviewed it.</p>`
    : html`<ul class="reviews">${reviews.map(
        ({ person, verdict, comment, reviewedAt }) =>
          html`<li><span class="badge ${verdict === 'approve' ? 'good' : 'bad'}">${verdict === 'approve' ? 'approved' : 'rejected'}</span> ${personOf(person)} <span class="muted small">${agoTag(reviewedAt)}</span>${
            comment === undefined ? '' : html`<blockquote>${visible(comment)}</blockquote>`
          }</li>`,
      )}</ul>`
}
<details><summary>Review it</summary>${postForm({ csrf, action: `/ui/suites/${suite}/revisions/${revision}/reviews` }, fields)}</details></section>`;
}

function strengthOf(
  { revision: { suite, revision }, csrf }: RevisionView,
  { strengths, references }: RevisionForAuthors,
): Html {
  const at = `/ui/suites/${suite}/revisions/${revision}`;
  const hasRight = references.some(({ verdict }) => verdict === 'merge');
  return html`<section class="card"><h2>Strength</h2>
${
  strengths.length === 0
    ? html`<p class="muted">It was not measured yet how many mutants of a right build its cases kill.</p>`
    : html`<ul class="reviews">${strengths
        .slice(0, strengthsMax)
        .map(
          ({ id, measuredAt, score, killed, mutants, reference, counts }) =>
            html`<li><a href="${at}?measurement=${id}">${strengthText(score)}</a> <span class="muted small">${agoTag(measuredAt)}</span><br><span class="muted">${killed} of ${mutants} mutants of ${
              reference === null ? 'another build' : nameOf(reference, 60)
            } are killed${counts ? '' : '; this does not count for gates'}</span></li>`,
        )}</ul>`
}
${
  hasRight
    ? postForm({ csrf, action: `${at}/strength` }, html`<button>Measure it</button>`)
    : html`<p class="hint">It needs a reference that is right to make mutants of.</p>`
}</section>`;
}
