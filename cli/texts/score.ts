/** Scores, verdicts and alarms as people read them; what decides the exit code of a verdict is here as well. */
import { styleText } from 'node:util';
import type { RaisedAlarm, Verdict } from '../../gate/disclosure/disclosed.ts';
import type { ExitCode } from '../outcome.ts';
import { clip, printable } from '../printable.ts';
import type { FinishedScore } from '../scoring.ts';
import { counted, percent } from './wording.ts';

/** How many failures a person is shown. */
const failuresShown = 20;

type Decided = Pick<Verdict, 'verdict' | 'canMerge' | 'reason'>;

export function exitCodeOf({ verdict, canMerge, reason }: Decided): ExitCode {
  const isMerge = verdict === 'merge' && canMerge === true;
  return isMerge && (reason === 'green' || reason === 'overridden') ? 0 : 1;
}

const reasons: Record<Verdict['reason'], string> = {
  green: 'every case of every required suite passed',
  overridden: 'it was blocked, and people with the right to have let it merge',
  red: 'not every case passed',
  not_scored: 'this build of this commit has no score that counts',
  stale: 'the gate has come to require something else since: score again',
  superseded: 'a later commit of the change was there before its turn came',
  budget_exhausted: 'a budget is used up: the attempts of the change, or what verdicts may tell of the cases',
  indeterminate: 'the gate could not finish the score, and it is not the build: score again',
};

/** `MERGE` or `BLOCK`, coloured where there is a terminal that shows colours. */
export function verdictWord(decided: Decided): string {
  const merges = exitCodeOf(decided) === 0;
  return styleText(['bold', merges ? 'green' : 'red'], merges ? 'MERGE' : 'BLOCK', {
    stream: process.stdout,
  });
}

function headline(decided: Decided): string {
  return `${verdictWord(decided)}  ${decided.reason}: ${reasons[decided.reason]}`;
}

export function textOfScore(score: FinishedScore): string {
  const {
    gate,
    change,
    candidate,
    revisions,
    passed,
    total,
    durationMs,
    failures = [],
    failing = [],
  } = score;
  const time = durationMs === undefined ? '' : ` in ${Math.round(durationMs)} ms`;
  const counts =
    passed === undefined || total === undefined ? undefined : `passed ${passed} of ${counted(total)}${time}`;
  const shown = failures.slice(0, failuresShown).map(({ suite, case: name, outcome, message, generated }) => {
    const input = generated === undefined ? '' : `, for ${printable(generated.input)}`;
    return clip(
      `  ${suite}: ${printable(name)}: ${outcome}${message && `: ${printable(message)}`}${input}`,
      300,
    );
  });
  const more = failures.length > shown.length ? [`  and ${failures.length - shown.length} more`] : [];
  return [
    headline(score),
    printable(`gate ${gate}, change ${change.id}, commit ${change.commit}`),
    `candidate ${candidate.digest}`,
    `score ${score.id}${textOfRevisions(revisions)}`,
    ...(counts === undefined ? [] : [counts]),
    ...failing.map((name) => clip(`  ${printable(name)}`, 300)),
    ...shown,
    ...more,
    ...(failures.some(({ generated }) => generated !== undefined)
      ? [`smaller inputs that fail: holdback replay ${score.id}`]
      : []),
    ...notesOnScore(score),
  ].join('\n');
}

/** What those who may see it are told besides: alarms, what a green proves, who has overridden a block. */
function notesOnScore({ alarms = [], assurance = [], override, repeats }: FinishedScore): string[] {
  const approvals = override?.approvals ?? [];
  return [
    ...(repeats ? [`the same candidate was scored before: ${repeats}`] : []),
    ...alarms.map(({ suite, kind, cases }) =>
      kind === 'preflight'
        ? `ALARM  ${suite}: its references do not behave: holdback suite preflight ${suite}`
        : `ALARM  ${suite}: ${kind} (${counted(cases)}): was the suite leaked?`,
    ),
    ...assurance.map(
      ({ suite, cases, bits, confidence, failureRateAtMost }) =>
        `${suite}: fails on at most ${percent(failureRateAtMost)} of such inputs, with confidence ${percent(confidence)} (${counted(cases)}, ${bits.toFixed(1)} bits disclosed)`,
    ),
    ...approvals.map(({ person, reason }) => printable(`override by ${person}: ${reason}`)),
    ...(override === undefined || approvals.length >= override.needed
      ? []
      : [`${approvals.length} of ${override.needed} people have approved to override it`]),
  ];
}

export function textOfVerdict(verdict: Verdict): string {
  const { gate, change, commit, candidate, scoreId, revisions } = verdict;
  return [
    headline(verdict),
    printable(`gate ${gate}, change ${change}, commit ${commit}`),
    `candidate ${candidate}`,
    ...(scoreId === null ? [] : [`score ${scoreId}${textOfRevisions(revisions)}`]),
  ].join('\n');
}

export function textOfAlarm({
  raisedAt,
  gate,
  change,
  suite,
  revision,
  kind,
  cases,
  score,
}: RaisedAlarm): string {
  const about = `${raisedAt}  ${suite} revision ${revision}: `;
  if (kind === 'preflight') {
    return printable(
      `${about}its references do not behave, so it judged nobody at gate ${gate}, score ${score}`,
    );
  }
  const what = kind === 'tripwire' ? 'gave the answer of a tripwire' : 'holds fingerprints';
  return printable(`${about}change ${change.id} at gate ${gate} ${what} (${counted(cases)}), score ${score}`);
}

function textOfRevisions(revisions: Verdict['revisions']): string {
  return printable(revisions.map(({ suite, revision }) => `, ${suite} revision ${revision}`).join(''));
}
