/** Alarms, as sentences that lead to the scores that raised them. */
import { html } from 'hono/html';
import type { RaisedAlarm } from '../../gate/disclosure/disclosed.ts';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';
import { agoTag } from './time-tag.ts';

export function alarmList(alarms: RaisedAlarm[]): Html {
  return html`<ul class="alarms">${alarms.map(
    (alarm) =>
      html`<li class="notice ${alarm.kind === 'preflight' ? 'warn' : 'bad'}">${tell(alarm)} <a href="/ui/scores/${alarm.score}">Score</a> <span class="muted small">${agoTag(alarm.raisedAt)}</span></li>`,
  )}</ul>`;
}

function tell({ kind, suite, revision, cases, gate, change }: RaisedAlarm): Html {
  const of = html`<b>${suite}@${revision}</b>`;
  const by = html`${nameOf(change.id, 60)} at ${gate}`;
  const what = cases === 1 ? '1 case' : `${cases} cases`;
  if (kind === 'tripwire') {
    return html`A candidate of ${by} answered ${what} of ${of} that nobody can know the answer of: the suite has leaked.`;
  }
  if (kind === 'fingerprints') return html`A candidate of ${by} holds text of ${what} of ${of}.`;
  return html`The references of ${of} do not behave, so it judged nobody when ${by} was scored.`;
}
