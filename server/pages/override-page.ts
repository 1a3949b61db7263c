/** Where a lead lets a blocked commit and candidate merge, and says why. */
import { html } from 'hono/html';
import type { FinishedScore } from '../../gate/disclosure/disclosed.ts';
import type { Gate } from '../../gate/gate.ts';
import { changePath } from './change-path.ts';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';
import { postForm } from './post-form.ts';
import { verdictBadge } from './verdict-badge.ts';

export const reasonCharsMax = 2_000;

export function overridePage({
  score,
  gate,
  csrf,
}: {
  score: FinishedScore;
  gate: Gate;
  csrf: string;
}): Html {
  const { change, candidate } = score;
  const back = changePath({ gate: gate.gate, change: change.id, repository: change.repository });
  const given = score.override?.approvals.length ?? 0;
  return html`<div class="head"><div><p class="crumbs"><a href="${back}">${nameOf(change.id, 60)}</a></p><h1>Let a blocked change merge</h1></div></div>
<div class="card"><dl class="facts">
<dt>Gate</dt><dd>${gate.gate}</dd>
<dt>Change</dt><dd>${nameOf(change.id)}</dd>
<dt>Commit</dt><dd><code>${nameOf(change.commit)}</code></dd>
<dt>Candidate</dt><dd><code>${candidate.digest}</code></dd>
<dt>Verdict</dt><dd>${verdictBadge(score)}</dd>
<dt>Approvals</dt><dd>${given} of ${gate.overrideApprovals}</dd>
</dl></div>
<p>The approval is for this very commit and candidate, at this gate. The score stays as it is, and your reason stands beside it in history and in the audit.</p>
${postForm(
  { csrf, action: `/ui/scores/${score.id}/override` },
  html`<label for="reason">Why may it merge?</label>
<textarea id="reason" name="reason" required maxlength="${reasonCharsMax}" rows="4"></textarea>
<div class="actions"><button class="danger">Let it merge</button><a class="button" href="${back}">Cancel</a></div>`,
)}`;
}
