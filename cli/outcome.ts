/**
 * What came of a command, and the only function that turns it into text, JSON and an exit code, so that the three cannot
 * disagree. Exit code 0 of a score or verdict needs all that a merge needs; everything odd is something else.
 */
import { styleText } from 'node:util';
import { type AuditRecord, readEntry } from '../gate/audit-chain.ts';
import type { GateExposure, RaisedAlarm, Verdict } from '../gate/disclosed.ts';
import type { Gate } from '../gate/gate.ts';
import type { Changes } from '../suites/authoring/suite-check.ts';
import type { IdentityState } from '../suites/sealing/identity-state.ts';
import { casesMax, type ReceivedRevision, type Revision, type Suite } from '../suites/suite.ts';
import type { AuditCheck } from './commands/audit.ts';
import type { DemoReport } from './commands/demo.ts';
import type { LeakReport } from './commands/leaks.ts';
import type { CheckedFile } from './commands/suite-check.ts';
import type { SuitePlan } from './commands/suite-plan.ts';
import type { CreatedToken, ListedToken } from './commands/token.ts';
import type { CommandError } from './errors.ts';
import { clip, printable } from './printable.ts';
import type { FinishedScore, Score } from './scoring.ts';
import { linesOf, SuiteRefused } from './suite-refused.ts';

/** 0 merge, done or holds, 1 block, leaked or does not hold, 2 usage, 3 no verdict, or no service, could be had. */
export type ExitCode = 0 | 1 | 2 | 3;

export type Outcome =
  | { kind: 'score'; score: Score; waitSeconds: number }
  | { kind: 'verdict'; verdict: Verdict }
  | { kind: 'suite_planned'; plan: SuitePlan }
  | { kind: 'leaks'; report: LeakReport }
  | { kind: 'suites_checked'; files: CheckedFile[] }
  | { kind: 'revision'; revision: Revision | ReceivedRevision; changes?: Changes | null }
  | { kind: 'sealed'; suite: string; recipient: string; sealed: string; output: string | undefined }
  | { kind: 'identity'; identity: IdentityState }
  | { kind: 'suites'; suites: Suite[] }
  | { kind: 'gate'; gate: Gate }
  | { kind: 'gates'; gates: Gate[] }
  | { kind: 'exposure'; exposure: GateExposure }
  | { kind: 'alarms'; alarms: RaisedAlarm[] }
  | { kind: 'token'; token: CreatedToken }
  | { kind: 'audit_checked'; check: AuditCheck }
  | { kind: 'audit_records'; records: AuditRecord[]; next: number | null }
  | { kind: 'tokens'; tokens: ListedToken[] }
  | { kind: 'token_revoked'; id: string }
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
    case 'suites_checked': {
      const { files } = outcome;
      const isSound = files.every(({ findings }) => findings.told.length === 0);
      const text = files.map(textOfCheck).join('\n');
      return { text, note: noteOfChecks(files), json: { sound: isSound, files }, exitCode: isSound ? 0 : 2 };
    }
    case 'suite_planned':
      return { ...done, text: textOfPlan(outcome.plan), json: outcome.plan };
    case 'leaks': {
      const unsaid = unsaidOf(outcome.report);
      const exitCode = outcome.report.findings.length > 0 ? 1 : unsaid === '' ? 0 : 3;
      const json = { ...outcome.report, complete: unsaid === '' };
      return { text: textOfLeaks(outcome.report), note: unsaid, json, exitCode };
    }
    case 'revision': {
      const { suite, revision, state } = outcome.revision;
      const { cases, digest } = { cases: undefined, digest: undefined, ...outcome.revision };
      const known = cases === undefined ? [state] : [counted(cases), state, digest];
      const text = printable(`suite ${suite}, revision ${revision}: ${known.join(', ')}`);
      const note =
        state === 'draft' ? `no gate asks for it yet: holdback suite activate ${suite} ${revision}` : '';
      const { changes } = outcome;
      return { ...done, text, note, json: { ...outcome.revision, ...(changes ? { changes } : {}) } };
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
    case 'exposure':
      return { ...done, text: textOfExposure(outcome.exposure), json: outcome.exposure };
    case 'alarms':
      return {
        ...done,
        text: lines(outcome.alarms.map(textOfAlarm), 'no alarms'),
        json: { alarms: outcome.alarms },
      };
    case 'token': {
      const { token, role, name } = outcome.token;
      // The token alone is on stdout, so that a script can take it from there.
      const note = `a ${role} token for ${printable(name)}, shown this once: keep it where only that can read it`;
      return { ...done, text: token, note, json: outcome.token };
    }
    case 'audit_checked': {
      const { check } = outcome;
      const holds = check.holds === true && check.fault === null;
      return { text: textOfAudit(check), note: '', json: check, exitCode: holds ? 0 : 1 };
    }
    case 'audit_records': {
      const { records, next } = outcome;
      const note = next === null ? '' : `more follow: holdback audit list --after ${next}`;
      return { ...done, text: lines(records.map(textOfRecord), 'no records'), note, json: { records, next } };
    }
    case 'tokens':
      return {
        ...done,
        text: lines(outcome.tokens.map(textOfToken), 'no tokens yet'),
        json: { tokens: outcome.tokens },
      };
    case 'token_revoked':
      return { ...done, text: `token ${outcome.id} is revoked`, json: { id: outcome.id, revoked: true } };
    case 'demo':
      return { ...done, text: '', json: outcome.report, exitCode: outcome.report.asExpected ? 0 : 1 };
    case 'served':
      return { ...done, text: '', json: undefined };
    case 'text':
      return { ...done, text: outcome.text, json: { text: outcome.text } };
    case 'failed': {
      const { fault, code, message } = outcome.error;
      const exitCode = fault === 'usage' ? 2 : 3;
      const json = { error: { code, message } };
      if (!(outcome.error instanceof SuiteRefused))
        return { text: '', note: printable(message), json, exitCode };
      const { findings } = outcome.error;
      const note = [`this is not a suite that can be sealed:`, ...linesOf(findings)].join('\n');
      return { text: '', note, json: { ...json, findings }, exitCode };
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
  const isMerge = verdict === 'merge' && canMerge === true;
  return isMerge && (reason === 'green' || reason === 'overridden') ? 0 : 1;
}

const reasons: Record<Verdict['reason'], string> = {
  green: 'every case of every required suite passed',
  overridden: 'it was blocked, and people with the right to have let it merge',
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
    ...failing.map((name) => clip(`  ${printable(name)}`, 300)),
    ...shown,
    ...more,
    ...notesOnScore(score),
  ].join('\n');
}

/** What those who may see it are told besides: alarms, what a green proves, who has overridden a block. */
function notesOnScore({ alarms = [], assurance = [], override, repeats }: FinishedScore): string[] {
  const approvals = override?.approvals ?? [];
  return [
    ...(repeats ? [`the same candidate was scored before: ${repeats}`] : []),
    ...alarms.map(
      ({ suite, kind, cases }) => `ALARM  ${suite}: ${kind} (${counted(cases)}): was the suite leaked?`,
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

function textOfVerdict(verdict: Verdict): string {
  const { gate, change, commit, candidate, scoreId, revisions } = verdict;
  return [
    headline(verdict),
    printable(`gate ${gate}, change ${change}, commit ${commit}`),
    `candidate ${candidate}`,
    ...(scoreId === null ? [] : [`score ${scoreId}${textOfRevisions(revisions)}`]),
  ].join('\n');
}

function textOfExposure({ gate, budgetBits, suites }: GateExposure): string {
  const budget = budgetBits === null ? '' : ` of ${budgetBits}`;
  const rows = suites.map(
    ({ suite, revision, bits }) => `${suite} revision ${revision}: ${bits.toFixed(1)}${budget} bits`,
  );
  return lines(rows, `gate ${gate} has no active revision`);
}

function textOfAlarm({ raisedAt, gate, change, suite, revision, kind, cases, score }: RaisedAlarm): string {
  const what = kind === 'tripwire' ? 'gave the answer of a tripwire' : 'holds fingerprints';
  return printable(
    `${raisedAt}  ${suite} revision ${revision}: change ${change.id} at gate ${gate} ${what} (${counted(cases)}), score ${score}`,
  );
}

function textOfRevisions(revisions: Verdict['revisions']): string {
  return printable(revisions.map(({ suite, revision }) => `, ${suite} revision ${revision}`).join(''));
}

function textOfCheck({ file, form, caseCount, findings }: CheckedFile): string {
  if (findings.told.length > 0) return linesOf(findings).join('\n');
  if (form === 'sealed' && caseCount === null)
    return printable(`${file}: sealed. Only the service can read it.`);
  if (caseCount === null) return printable(`${file}: a module that bundles`);
  return printable(`${file}: ${counted(caseCount)} of the right form`);
}

/** What of the files nobody looked at. */
function noteOfChecks(files: CheckedFile[]): string {
  const unasked = files.filter(({ complete }) => !complete);
  if (unasked.length === 0) return '';
  const what = unasked.some(({ form }) => form === 'module') ? 'the cases of modules, ' : '';
  return `the service was not asked: ${what}patterns, JSON Schemas and tagged values are not checked (set HOLDBACK_URL and HOLDBACK_TOKEN for that)`;
}

function textOfPlan({ rate, attempts, bitsPerAttempt, confidence, cases, proves }: SuitePlan): string {
  const rows = proves.map((row) => `  ${`${row.cases}`.padStart(10)}   ${percent(row.rate)}`);
  const tooMany =
    cases > casesMax ? [`A suite holds at most ${casesMax}: disclose less, or renew its cases sooner.`] : [];
  return [
    `${counted(cases)}: when all of them pass, at most ${percent(rate)} of such inputs fail, with confidence ${percent(confidence)},`,
    `after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'} that disclosed ${bitsPerAttempt} bits each.`,
    ...tooMany,
    '',
    '       cases   of which a green proves a failure rate of at most',
    ...rows,
  ].join('\n');
}

/** A share in percent to three digits, rounded up: what is claimed is never less than what is proved. */
function percent(share: number): string {
  if (share === 0) return '0%';
  const unit = 10 ** (Math.floor(Math.log10(share * 100)) - 2);
  // A share that has few digits keeps them, whatever the division made of it.
  const units = Number(((share * 100) / unit).toPrecision(9));
  return `${Number((Math.ceil(units) * unit).toPrecision(3))}%`;
}

function textOfLeaks({ findings, looked, files, skipped, unread }: LeakReport): string {
  const places = new Set(findings.map(({ path }) => path)).size;
  const left =
    skipped.length === 0 ? '' : `; ${skipped.length} folders were left out (--all looks into them)`;
  const found =
    findings.length === 0 ? 'nothing found' : `found in ${places} of them, on ${findings.length} lines`;
  return [
    ...findings.map(({ path, line, suite, cases }) => {
      return `${printable(path)}:${line}  suite ${suite}: ${counted(cases)}`;
    }),
    ...unread.map(({ path, why }) => `${printable(path)}  not read: ${why}`),
    `looked through ${files} ${files === 1 ? 'file' : 'files'}: ${found}${left}`,
    ...looked.map(({ suite, revision, cases, tooShort }) => {
      const short = tooShort === 0 ? '' : `, ${tooShort} of them too short to be looked for`;
      return `  for suite ${suite}, revision ${revision}: ${counted(cases)}${short}`;
    }),
  ].join('\n');
}

/** Why a search that found nothing would prove nothing; empty if it does prove something. */
function unsaidOf({ looked, unread }: LeakReport): string {
  if (looked.length === 0) return 'there is no active revision to look for: nothing was looked for';
  if (looked.every(({ cases, tooShort }) => tooShort >= cases)) {
    return 'all cases are too short to be looked for: nothing was looked for';
  }
  if (unread.length === 0) return '';
  return `${unread.length} of the files and folders could not be read: what is in them is not known`;
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

function textOfAudit({ records, heads, head, publicKey, fault }: AuditCheck): string {
  const told =
    fault === null
      ? `the audit holds: ${numbered(records, 'record')}, ${numbered(heads, 'signed head')}`
      : `the audit does NOT hold: ${fault.of} ${fault.sequence} is ${fault.kind}: ${printable(fault.detail)}`;
  return [
    told,
    ...(head === null ? [] : [printable(`head ${head.sequence} ${head.hash}`)]),
    printable(`key ${publicKey}`),
  ].join('\n');
}

function textOfRecord({ sequence, entry }: AuditRecord): string {
  const read = readEntry(entry);
  if (read === undefined) return clip(`${sequence}  unreadable: ${printable(entry)}`, 300);
  const about = Object.entries(read.about).map(([name, value]) => {
    return `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  });
  const { at, by, action } = read;
  return clip(printable([sequence, at, by, action, about.join(' ')].join('  ')), 500);
}

function numbered(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function textOfToken(token: ListedToken): string {
  const { id, role, name, owner, gates, suites, expiresAt, lastUsedAt, revokedAt } = token;
  return printable(
    [
      `${id}  ${role}: ${name}`,
      ...(owner === null ? [] : [`of ${owner}`]),
      ...(gates === null ? [] : [`for gates ${gates.join(', ')}`]),
      ...(suites === null ? [] : [`for suites ${suites.join(', ')}`]),
      lastUsedAt === null ? 'never used' : `last used ${lastUsedAt}`,
      ...(expiresAt === null ? [] : [`ends ${expiresAt}`]),
      ...(revokedAt === null ? [] : [`revoked ${revokedAt}`]),
    ].join('; '),
  );
}

function counted(cases: number): string {
  return `${cases} ${cases === 1 ? 'case' : 'cases'}`;
}

function lines(texts: string[], none: string): string {
  return texts.length === 0 ? none : texts.join('\n');
}
