/** One gate: its policy in words, its suites and what is left of their exposure, and its newest verdicts. */
import { html } from 'hono/html';
import type { Gate } from '../../gate/gate.ts';
import type { GateStanding, SuiteStanding } from '../../gate/standing.ts';
import { emptyState } from './empty-state.ts';
import { gateWarnings } from './gate-warnings.ts';
import type { Html } from './html.ts';
import { percent, rateText } from './rate-text.ts';
import { recentVerdicts } from './recent-verdicts.ts';
import { shareBar } from './share-bar.ts';
import { table } from './table.ts';
import { timeTag } from './time-tag.ts';
import { verdictStrip } from './verdict-strip.ts';

/** `address` is where the service is, as whoever looks at the page knows it. */
export function gatePage(standing: GateStanding, address: string): Html {
  const { gate, suites, newest, passRate } = standing;
  return html`<div class="head"><div><p class="crumbs"><a href="/ui/">Gates</a></p><h1>${gate.gate}</h1>
<p class="muted">Policy ${gate.version}, in force since ${timeTag(gate.updatedAt)}</p></div>
<div class="actions"><a class="button" href="/ui/changes?gate=${gate.gate}">Changes</a><a class="button" href="/ui/trends?gate=${gate.gate}">Trends</a></div></div>
${gateWarnings(standing).map(({ look, text }) => html`<p class="notice ${look}">${text}</p>`)}
<dl class="figures"><div><dt>Pass rate, 30 days</dt><dd>${passRate === undefined ? '–' : rateText(passRate)}</dd></div>
<div class="wide"><dt>Newest verdicts</dt><dd>${verdictStrip(newest)}</dd></div></dl>
<section class="section" aria-labelledby="suites"><h2 id="suites">Suites that a merge needs</h2>
${table({
  caption: 'Suites that a merge needs',
  isCaptionHidden: true,
  columns: [
    { name: 'Suite' },
    { name: 'Active revision' },
    { name: 'Cases', isNumber: true },
    { name: 'References' },
    {
      name:
        gate.exposureBudgetBits === undefined
          ? 'Exposure'
          : `Exposure of ${bitsText(gate.exposureBudgetBits)}`,
    },
  ],
  rows: suites.map((suite) => suiteRow(suite, gate)),
})}</section>
<section class="section" aria-labelledby="policy"><h2 id="policy">Policy</h2>
<div class="card">${policyFacts(gate)}</div></section>
${gate.publicBadges ? badges(gate.gate, address) : ''}
<section class="section" aria-labelledby="newest"><div class="section-head"><h2 id="newest">Newest verdicts</h2><a href="/ui/changes?gate=${gate.gate}">All changes</a></div>
${
  newest.length === 0
    ? emptyState({
        title: 'Nothing was scored here yet',
        text: 'CI asks for a verdict with a token of its own:',
        command: `holdback score --gate ${gate.gate} --change 1 --commit "$(git rev-parse HEAD)" --entry src/index.ts`,
      })
    : recentVerdicts(newest.slice(0, 15))
}</section>`;
}

/** Pictures for READMEs and comments, and what to write there. */
function badges(gate: string, address: string): Html {
  const badge = `/gates/${gate}/badge.svg`;
  return html`<section class="section" aria-labelledby="badges"><h2 id="badges">Badges</h2>
<div class="card"><p><img src="${badge}" alt="The badge of ${gate}" height="20"></p>
<pre tabindex="0" aria-label="What to write for them in Markdown"><code>![Holdback](${address}${badge})
![Holdback, a change](${address}${badge}?change=17&amp;repository=acme/shop)
![Holdback, the trend](${address}/gates/${gate}/trends.svg)</code></pre></div></section>`;
}

function suiteRow({ suite, revision, cases, bits, referencesBehave }: SuiteStanding, gate: Gate) {
  return [
    html`<a href="/ui/suites/${suite}">${suite}</a>`,
    revision === null
      ? html`<span class="badge bad">none</span>`
      : html`<a href="/ui/suites/${suite}/revisions/${revision}">${revision}</a>`,
    cases ?? '–',
    behaviourBadge(referencesBehave),
    bits === undefined ? '–' : exposureOf(bits, gate.exposureBudgetBits),
  ];
}

function behaviourBadge(behave: boolean | undefined): Html {
  if (behave === undefined) return html`<span class="muted">never run</span>`;
  return behave
    ? html`<span class="badge good">behave</span>`
    : html`<span class="badge bad">do not behave</span>`;
}

function exposureOf(bits: number, budget: number | undefined): Html {
  if (budget === undefined) return html`${bitsText(bits)}`;
  const share = bits / budget;
  const look = share >= 1 ? 'bad' : share >= 0.8 ? 'warn' : 'plain';
  return html`<span class="exposure">${bitsText(bits)} <small class="muted">${percent(share)}</small>${shareBar(share, look)}</span>`;
}

export function bitsText(bits: number): string {
  const rounded = bits >= 100 ? Math.round(bits) : Math.round(bits * 10) / 10;
  return `${rounded} ${rounded === 1 ? 'bit' : 'bits'}`;
}

/** What ci and harness are told, in words. */
const disclosureWords: Record<Gate['disclosure'], string> = {
  verdict: 'the verdict and a coarse reason',
  counts: 'the verdict, and how many cases passed',
  names: 'the verdict, and the names of the cases that failed',
};

function policyFacts(gate: Gate): Html {
  const facts: [string, string][] = [
    ['CI is told', disclosureWords[gate.disclosure]],
    ['Attempts of a change', `at most ${gate.attemptsPerChange} candidates, until fresh cases are activated`],
    [
      'Exposure budget',
      gate.exposureBudgetBits === undefined
        ? 'none: exposure is counted, and stops nobody'
        : `${bitsText(gate.exposureBudgetBits)} for each case`,
    ],
    ['Badges', gate.publicBadges ? 'shown to everybody' : 'for people with a token alone'],
    ['To overrule a block', gate.overrideApprovals === 1 ? 'one person' : `${gate.overrideApprovals} people`],
    [
      'To activate a revision',
      [
        gate.review ? 'a second person approves it' : 'no review is needed',
        ...(gate.minimumStrength === undefined
          ? []
          : [`it kills at least ${percent(gate.minimumStrength)} of the mutants`]),
      ].join(', '),
    ],
  ];
  return html`<dl class="facts">${facts.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>`;
}
