/** What a dry run made of a case, build by build, and whether that is as it should be. */
import { html } from 'hono/html';
import type { DryRun, DryRunResult } from '../../gate/scoring/dry-run.ts';
import { caseFindings } from './case-findings.ts';
import { diffOf } from './diff-of.ts';
import type { Html } from './html.ts';
import { nameOf, visible } from './name-of.ts';
import { durationText } from './time-tag.ts';

/** What became of a dry run; undefined where none was asked for. */
export type DryRunAnswer = DryRun | { refused: string } | undefined;

export function dryRunResults(answer: DryRunAnswer): Html {
  if (answer === undefined) {
    return html`<p class="muted">Run it on a build whose verdict is known: a right one must pass, a wrong one should not. Nothing is stored.</p>`;
  }
  if ('refused' in answer) return html`<p class="notice bad">${visible(answer.refused)}</p>`;
  if (answer.findings.length > 0) return html`<p>It was not run:</p>${caseFindings(answer)}`;
  return html`<ul class="runs">${answer.runs.map(resultOf)}</ul>`;
}

function resultOf(result: DryRunResult): Html {
  const { reference, verdict, outcome, passed, message, durationMs } = result;
  const called = reference ?? 'the build that you gave';
  const { look, words } = judge(result);
  // The difference says the same, and better.
  const isContrasted = result.expected !== undefined && result.observed !== undefined;
  return html`<li class="run"><p><strong>${reference === null ? 'The build that you gave' : nameOf(reference)}</strong>${
    verdict === null ? '' : html` <span class="chip">${verdict === 'merge' ? 'right' : 'wrong'}</span>`
  }</p>
<p><span class="badge ${look}">${passed ? 'passed' : 'did not pass'}</span> ${words}</p>
${isContrasted || message === '' ? '' : html`<p class="message">${visible(message)}</p>`}
${diffOf({ before: result.expected, after: result.observed }, 'contrast', `Expected and observed on ${called}`)}
<p class="muted small">${outcome.replaceAll('_', ' ')}, ${durationText(durationMs)}</p></li>`;
}

/** Whether that is as it should be, in words. One case need not catch every wrong build. */
function judge({ verdict, passed }: DryRunResult): { look: 'good' | 'bad' | 'warn'; words: string } {
  if (verdict === null) return passed ? { look: 'good', words: '' } : { look: 'bad', words: '' };
  if (verdict === 'merge') {
    return passed
      ? { look: 'good', words: 'as a right build must' }
      : { look: 'bad', words: 'though it is right: mend the case, or the reference' };
  }
  return passed
    ? { look: 'warn', words: 'so this case does not catch it' }
    : { look: 'good', words: 'so this case catches it' };
}
