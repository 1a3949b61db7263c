/** The audit, newest first: who did what, when and to what, with what makes it hard to rewrite. */
import { html } from 'hono/html';
import {
  type AuditFault,
  type AuditHead,
  type AuditRecord,
  auditEntrySchema,
} from '../../gate/audit/audit-chain.ts';
import type { AuditFindings } from '../../gate/audit/search-audit.ts';
import { auditActions } from '../../migrations/append-audit.ts';
import { emptyState } from './empty-state.ts';
import type { Html } from './html.ts';
import { nameOf, visible } from './name-of.ts';
import { table } from './table.ts';
import { timeTag } from './time-tag.ts';

export type AuditPageData = {
  found: AuditFindings;
  asked: { action?: string | undefined; by?: string | undefined; text?: string | undefined };
  /** The names of the tokens that did something, by their ids. */
  names: ReadonlyMap<string, string>;
  head: AuditHead | null;
  fault: AuditFault | null;
};

export function auditPage({ found, asked, names, head, fault }: AuditPageData): Html {
  const { records, from, to, next } = found;
  return html`<div class="head"><div><h1>Audit</h1><p class="muted">Who did what and when. Nothing of it can be changed or left out without a trace.</p></div></div>
${chainNote(head, fault)}
<form class="filters card" method="get" action="/ui/audit" role="search">
<div><label for="action">Action</label><select id="action" name="action"><option value="">any</option>${auditActions.map(
    (action) => html`<option${action === asked.action ? html` selected` : ''}>${action}</option>`,
  )}</select></div>
<div><label for="by">By (a token’s id)</label><input id="by" name="by" value="${asked.by ?? ''}" maxlength="500"></div>
<div><label for="text">About (text)</label><input id="text" name="text" value="${asked.text ?? ''}" maxlength="200"></div>
<div class="actions"><button class="primary">Search</button><a class="button" href="/ui/audit">Clear</a></div>
</form>
${
  records.length === 0
    ? emptyState({
        title: 'No such record here',
        text:
          to === 0
            ? 'Nothing was recorded yet.'
            : `None of the records ${from} to ${to} is what you look for.`,
      })
    : html`<div class="records">${table({
        caption: `Records ${from} to ${to}`,
        columns: [
          { name: 'No.', isNumber: true },
          ...['When', 'By', 'Action', 'About'].map((name) => ({ name })),
        ],
        rows: records.map((record) => rowOf(record, names)),
      })}</div>`
}
<nav class="pager" aria-label="Pages of the audit">${
    asked.action === undefined && asked.by === undefined && asked.text === undefined
      ? html`<a href="/ui/audit">Newest</a>`
      : html`<a href="/ui/audit?${queryOf(asked)}">Newest</a>`
  }${next === null ? html`<span class="muted">This is the beginning.</span>` : html`<a rel="next" href="/ui/audit?${queryOf({ ...asked, before: `${next}` })}">Before ${next} →</a>`}</nav>`;
}

function queryOf(asked: Record<string, string | undefined>): string {
  const given = Object.entries(asked).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return `${new URLSearchParams(given)}`;
}

function chainNote(head: AuditHead | null, fault: AuditFault | null): Html | '' {
  if (fault !== null) {
    return html`<p class="notice bad" role="alert"><b>The audit does not hold.</b> ${fault.of} ${fault.sequence} is ${fault.kind}: ${visible(fault.detail)}. The service signs nothing that follows it.</p>`;
  }
  if (head === null) return '';
  return html`<div class="notice good"><p>The records go on from those that were signed before, up to number ${head.sequence}, whose hash is <code>${head.hash.slice(0, 16)}…</code> Check all of it on your own machine:</p><pre class="command"><code>holdback audit verify</code></pre></div>`;
}

function rowOf(
  { sequence, entry }: AuditRecord,
  names: ReadonlyMap<string, string>,
): (Html | number | string)[] {
  const read = auditEntrySchema.safeParse(parsed(entry));
  if (!read.success)
    return [sequence, '–', '–', html`<span class="badge bad">does not parse</span>`, nameOf(entry, 200)];
  const { at, by, action, about } = read.data;
  return [
    sequence,
    timeTag(at),
    by === 'service'
      ? html`<span class="muted">the service</span>`
      : html`<a href="/ui/audit?${queryOf({ by })}">${nameOf(names.get(by) ?? by, 40)}</a>`,
    html`<code>${action}</code>`,
    aboutOf(about),
  ];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function aboutOf(about: Record<string, unknown>): Html {
  const facts = Object.entries(about).filter(([, value]) => value !== null && value !== undefined);
  return html`<dl class="about">${facts.map(([key, value]) => html`<div><dt>${key}</dt><dd>${aboutValue(key, value)}</dd></div>`)}</dl>`;
}

function aboutValue(key: string, value: unknown): Html {
  const text = Array.isArray(value) ? value.join(', ') : `${value}`;
  if (/^[0-9a-f-]{36}$/.test(text)) {
    const short = html`<code title="${text}">${text.slice(0, 8)}</code>`;
    return key === 'score' || key === 'repeats' ? html`<a href="/ui/scores/${text}">${short}</a>` : short;
  }
  const [, digest = ''] = /(?:^|:)([0-9a-f]{40,})$/.exec(text) ?? [];
  if (digest !== '') return html`<code title="${text}">${digest.slice(0, 12)}…</code>`;
  return nameOf(text === '' ? 'none' : text, 80);
}
