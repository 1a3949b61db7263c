/** A score with its verdict: what was decided, why, about what; and for those who may know, what it rests on. */
import { html } from 'hono/html';
import type { DisclosedScore, FinishedScore } from '../../gate/disclosure/disclosed.ts';
import { changePath } from './change-path.ts';
import { failureList } from './failure-list.ts';
import type { Html } from './html.ts';
import { nameOf } from './name-of.ts';
import { overrideSection } from './override-section.ts';
import { type CasesShown, scoreCases } from './score-cases.ts';
import { durationText, timeTag } from './time-tag.ts';
import { verdictWords } from './verdict-words.ts';

export type FinishedView = {
  score: FinishedScore;
  cases: CasesShown;
  /** Which failure is the first that is shown, from 0. */
  failuresFrom: number;
  /** Whether the reader may overrule a block, and what the tokens of those who did are called. */
  mayOverride: boolean;
  names: Map<string, string>;
};

export function finishedScorePage(view: FinishedView): Html {
  const { score, cases, failuresFrom } = view;
  return html`<div class="stack">
${crumbsOf(score)}
${heroOf(score)}
</div>
${figuresOf(score)}
${alarmsOf(score)}
${score.failures === undefined ? '' : failureList(score, score.failures, failuresFrom)}
${overrideSection(score, view)}
${factsOf(score)}
${scoreCases(score.id, cases)}`;
}

export function crumbsOf({ gate, change }: Pick<DisclosedScore, 'gate' | 'change'>): Html {
  const path = changePath({ gate, change: change.id, repository: change.repository ?? null });
  return html`<nav class="crumbs" aria-label="Breadcrumb"><a href="/ui/gates/${gate}">${gate}</a> › <a href="${path}">${nameOf(change.id, 60)}</a></nav>`;
}

function heroOf(score: FinishedScore): Html {
  const { word, look, sign, why } = verdictWords(score);
  return html`<section class="verdict ${look}">
<span class="verdict-sign" aria-hidden="true">${sign}</span>
<div><h1>${word}</h1>
<p>${why}</p>
<p class="muted small">${aboutLine(score)}</p></div>
</section>`;
}

/** What the verdict is about, in a line. */
export function aboutLine({ gate, change }: Pick<DisclosedScore, 'gate' | 'change'>): Html {
  const { id, repository, commit, author, agent } = change;
  const by = [author, agent].filter((name) => name !== undefined);
  return html`${nameOf(id, 60)}${repository === undefined ? '' : html` of ${nameOf(repository, 60)}`} at gate ${gate}, commit <code>${nameOf(commit, 12)}</code>${by.map(
    (name, index) => html`${index === 0 ? ', by ' : ' with '}${nameOf(name, 40)}`,
  )}`;
}

function figuresOf({
  passed,
  total,
  durationMs,
  exposureBits: bits,
  attempt,
  visibleTests,
}: FinishedScore): Html {
  const isCounted = passed !== undefined && total !== undefined;
  return html`<dl class="figures">
${isCounted ? figure('Cases passed', html`${passed} <small class="of">of ${total}</small>`) : ''}
${durationMs === undefined ? '' : figure('Duration', durationText(durationMs))}
${bits === undefined ? '' : figure('Exposure charged', html`${bitsText(bits)} <small class="of">bits a case</small>`)}
${attempt === undefined ? '' : figure('Attempt', html`${attempt} <small class="of">of the change</small>`)}
${
  visibleTests === undefined
    ? ''
    : figure(
        'Visible tests, as CI says',
        html`${visibleTests.passed} <small class="of">of ${visibleTests.total}</small>`,
      )
}
</dl>`;
}

function bitsText(bits: number): string {
  return bits === 0 ? '0' : bits.toFixed(2);
}

function figure(name: string, value: Html | string): Html {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

function alarmsOf({ alarms = [] }: FinishedScore): Html | '' {
  if (alarms.length === 0) return '';
  return html`<div class="stack" role="group" aria-label="Alarms">${alarms.map(
    ({ suite, revision, kind, cases }) => {
      const counted = cases === 1 ? '1 case' : `${cases} cases`;
      const text = {
        tripwire: `gave an answer that only who has seen the sealed suite can know (${counted}). Was the suite leaked?`,
        fingerprints: `holds text of the sealed suite (${counted}). Was the suite leaked?`,
        preflight: 'could not be judged: the references of the suite do not behave.',
      }[kind];
      return html`<p class="notice bad"><strong>Alarm.</strong> The candidate ${text} <a href="/ui/suites/${suite}/revisions/${revision}">${suite}, revision ${revision}</a></p>`;
    },
  )}</div>`;
}

function factsOf(score: FinishedScore): Html {
  const { revisions, repeats, seed, assurance = [], decidedAt } = score;
  return html`<section class="section" aria-labelledby="about"><h2 id="about">About</h2>
<div class="card"><dl class="facts">
${changeFacts(score)}
${decidedAt === undefined ? '' : fact('Decided', timeTag(decidedAt))}
${
  revisions.length === 0
    ? ''
    : fact(
        'Revisions',
        html`${revisions.map(({ suite, revision }, index) => html`${index === 0 ? '' : ', '}<a href="/ui/suites/${suite}/revisions/${revision}">${suite} ${revision}</a>`)}`,
      )
}
${repeats ? fact('Repeats', html`<a href="/ui/scores/${repeats}">an earlier score</a> of the same candidate, without running it again`) : ''}
${assurance.map(({ suite, cases, bits, confidence, failureRateAtMost }) =>
  fact(
    `Assurance, ${suite}`,
    html`fails on at most <strong>${boundText(failureRateAtMost)}</strong> of such inputs, with ${percent(confidence)} confidence <span class="muted">(${cases} cases, ${bits.toFixed(1)} bits disclosed)</span>`,
  ),
)}
${seed ? fact('Seed', html`<code>${seed}</code>`) : ''}
${fact('Score', html`<code>${score.id}</code>`)}
</dl></div></section>`;
}

/** A bound in percent, rounded up to a tenth: what is claimed is never less than what is proved. */
export function boundText(share: number): string {
  return `${Math.ceil(share * 1000) / 10} %`;
}

export function changeFacts({ gate, change, candidate, requestedAt }: DisclosedScore): Html {
  const path = changePath({ gate, change: change.id, repository: change.repository ?? null });
  const by = Object.entries({ Author: change.author, Agent: change.agent, Model: change.model });
  return html`${fact('Change', html`<a href="${path}">${nameOf(change.id)}</a>${change.repository === undefined ? '' : html` <span class="muted">${nameOf(change.repository)}</span>`}`)}
${fact('Commit', html`<code>${nameOf(change.commit)}</code>`)}
${by.map(([name, text]) => (text === undefined ? '' : fact(name, nameOf(text))))}
${fact('Candidate', html`<code>${candidate.digest}</code>`)}
${requestedAt === undefined ? '' : fact('Requested', timeTag(requestedAt))}`;
}

function fact(name: string, value: Html | string): Html {
  return html`<dt>${name}</dt><dd>${value}</dd>`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}
