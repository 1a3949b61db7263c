/** The gates and how they stand: what was decided last, how often it is green, and what needs somebody. */
import { html } from 'hono/html';
import type { RaisedAlarm } from '../../gate/disclosure/disclosed.ts';
import type { GateStanding, SuiteStanding } from '../../gate/standing.ts';
import { alarmList } from './alarm-list.ts';
import { emptyState } from './empty-state.ts';
import { gateWarnings } from './gate-warnings.ts';
import type { Html } from './html.ts';
import { rateText } from './rate-text.ts';
import { recentVerdicts } from './recent-verdicts.ts';
import { reasonBadge } from './verdict-badge.ts';
import { verdictStrip } from './verdict-strip.ts';

/** So many gates are shown at once, and so many of the newest verdicts of all of them. */
const gatesMax = 60;
const verdictsMax = 12;

export function overviewPage({
  standings,
  alarms,
}: {
  standings: GateStanding[];
  alarms: RaisedAlarm[];
}): Html {
  if (standings.length === 0) {
    return html`<h1>Overview</h1>${emptyState({
      title: 'There is no gate yet',
      text: 'A gate says which suites a merge needs. Push a suite, then put a gate in front of it:',
      command: 'holdback gate set main --suite discounts',
    })}`;
  }
  const newest = standings
    .flatMap((standing) => standing.newest)
    .sort((one, other) => other.requestedAt.getTime() - one.requestedAt.getTime())
    .slice(0, verdictsMax);
  const hidden = standings.length - gatesMax;
  return html`<div class="head"><div><h1>Overview</h1>
<p class="muted">${standings.length} ${standings.length === 1 ? 'gate, and what it' : 'gates, and what they'} decided last.</p></div></div>
${alarms.length === 0 ? '' : html`<section class="section" aria-labelledby="alarms"><h2 id="alarms">Needs a look</h2>${alarmList(alarms)}</section>`}
<section class="section" aria-labelledby="gates"><h2 id="gates">Gates</h2>
<ul class="cards">${standings.slice(0, gatesMax).map(gateCard)}</ul>
${hidden > 0 ? html`<p class="muted">And ${hidden} more: open one at <code>/ui/gates/</code> and its name.</p>` : ''}</section>
<section class="section" aria-labelledby="newest"><div class="section-head"><h2 id="newest">Newest verdicts</h2><a href="/ui/changes">All changes</a></div>
${
  newest.length === 0
    ? emptyState({
        title: 'Nothing was scored yet',
        text: 'CI asks for a verdict with a token of its own:',
        command: `holdback score --gate ${standings[0]?.gate.gate} --change 1 --commit "$(git rev-parse HEAD)" --entry src/index.ts`,
      })
    : recentVerdicts(newest)
}</section>`;
}

function gateCard(standing: GateStanding): Html {
  const { gate, suites, newest, passRate } = standing;
  const [last] = newest;
  return html`<li class="card">
<div class="card-head"><h3><a href="/ui/gates/${gate.gate}">${gate.gate}</a></h3>${last === undefined ? html`<span class="badge">no verdict yet</span>` : reasonBadge(last.reason)}</div>
${verdictStrip(newest)}
<dl class="pairs"><div><dt>Pass rate, 30 days</dt><dd>${passRate === undefined ? html`<span class="muted">for whoever may see all its suites</span>` : rateText(passRate)}</dd></div>
<div><dt>Suites</dt><dd>${suites.map(suiteName)}</dd></div></dl>
${gateWarnings(standing).map(({ look, text }) => html`<p class="notice ${look} small">${text}</p>`)}
</li>`;
}

function suiteName({ suite, revision }: SuiteStanding): Html {
  return html`<a class="chip" href="/ui/suites/${suite}">${suite}${revision === null ? '' : html`<small>@${revision}</small>`}</a> `;
}
