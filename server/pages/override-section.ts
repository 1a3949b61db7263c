/** Who has overruled the block of a score, and for those who may, where to do so. */
import { html } from 'hono/html';
import type { FinishedScore } from '../../gate/disclosure/disclosed.ts';
import type { Html } from './html.ts';
import { nameOf, visible } from './name-of.ts';
import { timeTag } from './time-tag.ts';

/** `names` are those of tokens that stand for a person. Nothing where nothing was overruled, nor can be by this reader. */
export function overrideSection(
  { id, verdict, override }: FinishedScore,
  { mayOverride, names }: { mayOverride: boolean; names: Map<string, string> },
): Html | '' {
  const isOpen = mayOverride && verdict === 'block';
  if (override === undefined && !isOpen) return '';
  return html`<section class="section" aria-labelledby="override"><h2 id="override">Override</h2>
<div class="card">
${override === undefined ? '' : approvalsOf(override, names)}
${isOpen ? html`<p>The block can be overruled for this commit and this candidate: <a href="/ui/scores/${id}/override">Let it merge…</a></p>` : ''}
</div></section>`;
}

function approvalsOf(
  { approvals, needed, scored }: NonNullable<FinishedScore['override']>,
  names: Map<string, string>,
): Html {
  const missing = needed - new Set(approvals.map(({ person }) => person)).size;
  return html`<ul class="approvals">${approvals.map(
    ({ person, reason, approvedAt }) =>
      html`<li><strong>${nameOf(names.get(person) ?? person)}</strong> <span class="muted">${timeTag(approvedAt)}</span><br>${visible(reason)}</li>`,
  )}</ul>
<p class="muted">The score itself stays as it is: ${scored.replaceAll('_', ' ')}.${missing > 0 ? ` ${missing === 1 ? 'Another person has' : `${missing} other people have`} to approve before it may merge.` : ''}</p>`;
}
