/** The cases of a revision for their authors: whose they are, until when, what they have told; and the form that retires some. */
import { html } from 'hono/html';
import type { SuiteCases } from '../../suites/life/life.ts';
import { emptyState } from './empty-state.ts';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';
import { postForm } from './post-form.ts';
import { bitsText } from './suite-list-page.ts';
import { table } from './table.ts';

/** So many cases are on one page: few enough to be read, and enough for a browser's own search. */
export const casesPerPage = 200;

export type ListedCase = SuiteCases['cases'][number] & { position: number };

/** A page of the cases of a revision. No name is ever part of an address, because addresses are written into logs. */
export type CaseListing = {
  suite: string;
  revision: number;
  /** How many the revision has. */
  all: number;
  cases: ListedCase[];
  page: number;
};

export function caseTable(listing: CaseListing, form: { csrf: string; newest: number }): Html {
  const { suite, revision, all, cases } = listing;
  return html`<section class="section" id="cases"><div class="section-head"><h2>Cases <small>of revision ${revision}</small></h2><small>${all}</small></div>
${
  cases.length === 0
    ? emptyState({ title: 'There is no such page', text: 'The revision has fewer cases than that.' })
    : html`${table({
        caption: `Cases of revision ${revision}`,
        isCaptionHidden: true,
        columns: [
          { name: 'Case' },
          { name: 'Tags' },
          { name: 'Owner' },
          { name: 'Asked' },
          { name: 'Exposure, bits', isNumber: true },
        ],
        rows: cases.map((one) => [
          html`<span class="pick"><input type="checkbox" name="case" value="${one.position}" form="retire" aria-label="Select ${one.name}"><a href="/ui/suites/${suite}/cases/${one.position}/edit?revision=${revision}">${nameOf(one.name)}</a></span>`,
          html`${one.tags.map((tag) => html`<span class="chip">${nameOf(tag, 40)}</span> `)}`,
          one.owner === undefined ? html`<span class="muted">–</span>` : nameOf(one.owner, 40),
          asked(one),
          bitsText(one.bits),
        ]),
      })}${pager(listing)}${retire(listing, form)}`
}</section>`;
}

function asked({ state, expires, published, incident }: ListedCase): Html {
  const drafted =
    incident === null
      ? ''
      : html` <span class="chip" title="Drafted from incident ${incident}">incident</span>`;
  if (published) return html`<span class="badge warn">published</span>${drafted}`;
  if (state === 'expired')
    return html`<span class="badge warn">expired</span> <span class="muted small">${expires}</span>${drafted}`;
  if (expires !== undefined) return html`<span class="nowrap">until ${expires}</span>${drafted}`;
  return html`<span class="muted">always</span>${drafted}`;
}

function pager({ all, page }: CaseListing): Html | '' {
  const last = Math.ceil(all / casesPerPage);
  if (last <= 1) return '';
  return html`<nav class="pager" aria-label="Pages of cases">
<span>${page > 1 ? html`<a href="?page=${page - 1}#cases">Earlier</a>` : ''}</span>
<span class="muted">page ${page} of ${last}</span>
<span>${page < last ? html`<a href="?page=${page + 1}#cases">Later</a>` : ''}</span></nav>`;
}

function retire({ suite, revision }: CaseListing, { csrf, newest }: { csrf: string; newest: number }): Html {
  const fields = html`<input type="hidden" name="revision" value="${revision}"><input type="hidden" name="newest" value="${newest}">
<p class="hint">They are left out of a new draft. Nothing is overwritten, and gates ask for them until that draft is activated.</p>
<label for="retire-reason">Why, for other authors</label><input id="retire-reason" name="reason" maxlength="2000" autocomplete="off">
<button class="danger">Make a draft without them</button>`;
  return html`<details class="retire"><summary>Retire selected cases</summary>${postForm(
    { csrf, action: `/ui/suites/${suite}/retirements`, id: 'retire' },
    fields,
  )}</details>`;
}
