/**
 * What came of a command, and the only function that turns it into text, JSON and an exit code, so that the three cannot
 * disagree. Exit code 0 of a score or verdict needs all that a merge needs; everything odd is something else.
 */
import { styleText } from 'node:util';
import type { Verdict } from '../gate/disclosed.ts';
import type { Gate } from '../gate/gate.ts';
import type { IdentityState } from '../suites/identity-state.ts';
import type { ReceivedRevision, Revision, Suite } from '../suites/suite.ts';
import type { DemoReport } from './commands/demo.ts';
import type { CreatedToken } from './commands/token.ts';
import type { CommandError } from './errors.ts';
import { clip, printable } from './printable.ts';
import type { FinishedScore, Score } from './scoring.ts';

/** 0 merge or done, 1 block, 2 usage, 3 no verdict, or no service, could be had. */
export type ExitCode = 0 | 1 | 2 | 3;

export type Outcome =
  | { kind: 'score'; score: Score; waitSeconds: number }
  | { kind: 'verdict'; verdict: Verdict }
  | { kind: 'suite_checked'; file: string; form: 'cases' | 'module' | 'sealed'; caseCount: number | null }
  | { kind: 'revision'; revision: Revision | ReceivedRevision }
  | { kind: 'sealed'; suite: string; recipient: string; sealed: string; output: string | undefined }
  | { kind: 'identity'; identity: IdentityState }
  | { kind: 'suites'; suites: Suite[] }
  | { kind: 'gate'; gate: Gate }
  | { kind: 'gates'; gates: Gate[] }
  | { kind: 'token'; token: CreatedToken }
  | { kind: 'demo'; report: DemoReport }
  | { kind: 'served' }
  | { kind: 'text'; text: string }
  | { kind: 'failed'; error: CommandError };

export type Presentation = {
  /** For people, on stdout, unless JSON was asked for. */
  text: string;
  /** For people, on stderr, always. */
  note: string;
  /** The document on stdout if JSON was asked for; undefined if it has been printed already. */
  json: unknown;
  exitCode: ExitCode;
};

/** How many failures a person is shown. */
const failuresShown = 20;

/** What an outcome is to people, to programs and to the shell. */
export function present(outcome: Outcome): Presentation {
  const done = { note: '', exitCode: 0 } as const;
  switch (outcome.kind) {
    case 'score': {
      const { score, waitSeconds } = outcome;
      if (score.state === 'finished') {
        return { text: textOfScore(score), note: '', json: score, exitCode: exitCodeOf(score) };
      }
      const message = `score ${score.id} still runs after ${waitSeconds} s: ask again with a longer --wait, and the same --idempotency-key if you gave one`;
      return {
        text: '',
        note: message,
        json: { error: { code: 'still_running', message }, score },
        exitCode: 3,
      };
    }
    case 'verdict':
      return {
        text: textOfVerdict(outcome.verdict),
        note: '',
        json: outcome.verdict,
        exitCode: exitCodeOf(outcome.verdict),
      };
    case 'suite_checked': {
      const { kind, ...checked } = outcome;
      return { ...done, text: textOfCheck(outcome), json: checked };
    }
    case 'revision': {
      const { suite, revision, state } = outcome.revision;
      const { cases, digest } = { cases: undefined, digest: undefined, ...outcome.revision };
      const known = cases === undefined ? [state] : [counted(cases), state, digest];
      const text = `suite ${suite}, revision ${revision}: ${known.join(', ')}`;
      const note =
        state === 'draft' ? `no gate asks for it yet: holdback suite activate ${suite} ${revision}` : '';
      return { ...done, text, note, json: outcome.revision };
    }
    case 'sealed': {
      const { suite, recipient, sealed, output } = outcome;
      const where = output === undefined ? '' : ` in ${printable(output)}`;
      const note = `sealed as suite ${suite}${where}, to ${printable(recipient)}`;
      const json = { suite, recipient, ...(output === undefined ? { sealed } : { output }) };
      return { ...done, text: output === undefined ? sealed.trimEnd() : '', note, json };
    }
    case 'identity': {
      const { recipient, state, unreadable } = outcome.identity;
      const text = `${printable(recipient)}: ${states[state]}`;
      const note = unreadable === 0 ? '' : `${unreadable} stored things open with no identity that was there`;
      return { text, note, json: outcome.identity, exitCode: state === 'stopped' ? 3 : 0 };
    }
    case 'suites':
      return {
        ...done,
        text: lines(outcome.suites.map(textOfSuite), 'no suites yet'),
        json: { suites: outcome.suites },
      };
    case 'gate':
      return { ...done, text: textOfGate(outcome.gate), json: outcome.gate };
    case 'gates':
      return {
        ...done,
        text: lines(outcome.gates.map(textOfGate), 'no gates yet'),
        json: { gates: outcome.gates },
      };
    case 'token': {
      const { token, role, name } = outcome.token;
      // The token alone is on stdout, so that a script can take it from there.
      const note = `a ${role} token for ${printable(name)}, shown this once: keep it where only that can read it`;
      return { ...done, text: token, note, json: outcome.token };
    }
    case 'demo':
      return { ...done, text: '', json: outcome.report, exitCode: outcome.report.asExpected ? 0 : 1 };
    case 'served':
      return { ...done, text: '', json: undefined };
    case 'text':
      return { ...done, text: outcome.text, json: { text: outcome.text } };
    case 'failed': {
      const { fault, code, message } = outcome.error;
      const exitCode = fault === 'usage' ? 2 : 3;
      return { text: '', note: printable(message), json: { error: { code, message } }, exitCode };
    }
  }
}

const states: Record<IdentityState['state'], string> = {
  settled: 'settled, it alone opens everything',
  resealing: 'everything is being sealed anew to it',
  stopped: 'not everything could be sealed anew to it: restart the service, its log says why',
};

type Decided = Pick<Verdict, 'verdict' | 'canMerge' | 'reason'>;

function exitCodeOf({ verdict, canMerge, reason }: Decided): ExitCode {
  return verdict === 'merge' && canMerge === true && reason === 'green' ? 0 : 1;
}

const reasons: Record<Verdict['reason'], string> = {
  green: 'every case of every required suite passed',
  red: 'not every case passed',
  not_scored: 'this build of this commit has no score that counts',
  stale: 'the gate has come to require something else since: score again',
  budget_exhausted: 'the change has used up its attempts at this gate',
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

function textOfScore(score: FinishedScore): string {
  const { gate, change, candidate, revisions, passed, total, durationMs, failures = [] } = score;
  const time = durationMs === undefined ? '' : ` in ${Math.round(durationMs)} ms`;
  const counts =
    passed === undefined || total === undefined ? undefined : `passed ${passed} of ${counted(total)}${time}`;
  const shown = failures.slice(0, failuresShown).map(({ suite, case: name, outcome, message }) => {
    return clip(`  ${suite}: ${printable(name)}: ${outcome}${message && `: ${printable(message)}`}`, 300);
  });
  const more = failures.length > shown.length ? [`  and ${failures.length - shown.length} more`] : [];
  return [
    headline(score),
    printable(`gate ${gate}, change ${change.id}, commit ${change.commit}`),
    `candidate ${candidate.digest}`,
    `score ${score.id}${textOfRevisions(revisions)}`,
    ...(counts === undefined ? [] : [counts]),
    ...shown,
    ...more,
  ].join('\n');
}

function textOfVerdict(verdict: Verdict): string {
  const { gate, change, commit, candidate, scoreId, revisions } = verdict;
  return [
    headline(verdict),
    printable(`gate ${gate}, change ${change}, commit ${commit}`),
    `candidate ${candidate}`,
    ...(scoreId === null ? [] : [`score ${scoreId}${textOfRevisions(revisions)}`]),
  ].join('\n');
}

function textOfRevisions(revisions: Verdict['revisions']): string {
  return revisions.map(({ suite, revision }) => `, ${suite} revision ${revision}`).join('');
}

function textOfCheck({ file, form, caseCount }: Extract<Outcome, { kind: 'suite_checked' }>): string {
  if (form === 'module') {
    return `${file}: a module whose form is right. The service reads its cases when it is pushed; they were not checked here.`;
  }
  if (form === 'sealed') return `${file}: sealed. Only the service can read it.`;
  return `${file}: ${counted(caseCount ?? 0)} of the right form. Patterns, JSON Schemas and tagged values are checked when it is pushed.`;
}

function textOfSuite({ suite, activeRevision, revisions }: Suite): string {
  const active = revisions.find(({ revision }) => revision === activeRevision);
  const what =
    active === undefined
      ? 'no active revision'
      : `revision ${active.revision} active, ${counted(active.cases)}`;
  return `suite ${suite}: ${what}, ${revisions.length} in all`;
}

function textOfGate({
  gate,
  active,
  attemptsPerChange,
  exposureBudgetBits,
  disclosure,
  overrideApprovals,
}: Gate): string {
  const suites = active.map(({ suite, activeRevision }) => {
    return activeRevision === null
      ? `${suite} (no active revision: nothing merges)`
      : `${suite} (revision ${activeRevision})`;
  });
  const exposure = exposureBudgetBits === undefined ? [] : [`at most ${exposureBudgetBits} bits of exposure`];
  return [
    `gate ${gate}: needs ${suites.join(', ')}`,
    `at most ${attemptsPerChange} attempts per change`,
    ...exposure,
    ...(disclosure === 'verdict' ? [] : [`discloses ${disclosure}`]),
    ...(overrideApprovals === 1 ? [] : [`${overrideApprovals} people to override a block`]),
  ].join('; ');
}

function counted(cases: number): string {
  return `${cases} ${cases === 1 ? 'case' : 'cases'}`;
}

function lines(texts: string[], none: string): string {
  return texts.length === 0 ? none : texts.join('\n');
}
