/**
 * What came of a command, and the only function that turns it into text, JSON and an exit code, so that the three cannot
 * disagree. Exit code 0 of a score or verdict needs all that a merge needs; everything odd is something else.
 */

import type { Preflight } from '../gate/activation/preflight-report.ts';
import type { AuditRecord } from '../gate/audit/audit-chain.ts';
import type { GateExposure, RaisedAlarm, Replay, Verdict } from '../gate/disclosure/disclosed.ts';
import type { Gate } from '../gate/gate.ts';
import type { Escapes, Incident } from '../gate/incidents/incident.ts';
import type { StrengthReport } from '../gate/strength/strength.ts';
import type { CaseTrends, Trend } from '../gate/trends/trend.ts';
import { csvOfTrend } from '../gate/trends/trend-csv.ts';
import type { Restored } from '../server/restored.ts';
import type { Changes } from '../suites/authoring/suite-check.ts';
import type { Comparison, Publication, ReviewedRevision, SuiteCases } from '../suites/life/life.ts';
import type { IdentityState } from '../suites/sealing/identity-state.ts';
import type { ActivatedRevision, ReceivedRevision, Suite } from '../suites/suite.ts';
import { ActivationRefused } from './activation-refused.ts';
import type { AuditCheck } from './commands/audit.ts';
import type { TakenBackup } from './commands/backup.ts';
import type { DemoReport } from './commands/demo.ts';
import type { LeakReport } from './commands/leaks.ts';
import type { CheckedFile } from './commands/suite-check.ts';
import type { SuitePlan } from './commands/suite-plan.ts';
import type { CreatedToken, ListedToken } from './commands/token.ts';
import type { CommandError } from './errors.ts';
import { printable } from './printable.ts';
import type { Score } from './scoring.ts';
import { linesOf, SuiteRefused } from './suite-refused.ts';
import { textOfAudit, textOfRecord } from './texts/audit.ts';
import { noteOfBackup, noteOfRestored, textOfBackup, textOfRestored } from './texts/backup.ts';
import { textOfExposure, textOfGate } from './texts/gate.ts';
import { noteOfIncident, textOfEscapes, textOfIncident, textOfProof } from './texts/incident.ts';
import { textOfLeaks, unsaidOf } from './texts/leaks.ts';
import { textOfReplay } from './texts/replay.ts';
import { exitCodeOf, textOfAlarm, textOfScore, textOfVerdict } from './texts/score.ts';
import { textOfStrength } from './texts/strength.ts';
import { noteOfChecks, textOfCheck, textOfPlan, textOfPreflight, textOfSuite } from './texts/suite.ts';
import { textOfCases, textOfComparison, textOfReviews } from './texts/suite-life.ts';
import { states, textOfToken } from './texts/token.ts';
import { textOfCaseTrends, textOfTrend } from './texts/trends.ts';
import { counted, lines } from './texts/wording.ts';

/** 0 merge, done or holds, 1 block, leaked or does not hold, 2 usage, 3 no verdict, or no service, could be had. */
export type ExitCode = 0 | 1 | 2 | 3;

export type Outcome =
  | { kind: 'score'; score: Score; waitSeconds: number }
  | { kind: 'verdict'; verdict: Verdict }
  | { kind: 'replay'; replay: Replay }
  | { kind: 'suite_planned'; plan: SuitePlan }
  | { kind: 'leaks'; report: LeakReport }
  | { kind: 'suites_checked'; files: CheckedFile[] }
  | { kind: 'revision'; revision: ActivatedRevision | ReceivedRevision; changes?: Changes | null }
  | { kind: 'preflight'; preflight: Preflight }
  | { kind: 'strength'; report: StrengthReport; atLeast: number | undefined }
  | { kind: 'reviewed'; reviewed: ReviewedRevision }
  | { kind: 'compared'; comparison: Comparison }
  | { kind: 'suite_shown'; shown: SuiteCases }
  | { kind: 'published'; publication: Publication; text: string; output: string | undefined }
  | { kind: 'incident'; incident: Incident }
  | { kind: 'incidents'; incidents: Incident[] }
  | { kind: 'proved'; incident: Incident }
  | { kind: 'escapes'; escapes: Escapes }
  | { kind: 'trend'; trend: Trend; isCsv: boolean }
  | { kind: 'case_trends'; trends: CaseTrends }
  | { kind: 'sealed'; suite: string; recipient: string; sealed: string; output: string | undefined }
  | { kind: 'identity'; identity: IdentityState }
  | { kind: 'backup'; taken: TakenBackup }
  | { kind: 'restored'; restored: Restored }
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
    case 'replay':
      return { ...done, text: textOfReplay(outcome.replay), json: outcome.replay };
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
      const {
        cases,
        digest,
        notes = [],
      } = {
        cases: undefined,
        digest: undefined,
        notes: undefined,
        ...outcome.revision,
      };
      const known = cases === undefined ? [state] : [counted(cases), state, digest];
      const text = printable(`suite ${suite}, revision ${revision}: ${known.join(', ')}`);
      const note =
        state === 'draft' || state === 'reviewed'
          ? `no gate asks for it yet: holdback suite activate ${suite} ${revision}`
          : printable(notes.join('; '));
      const { changes } = outcome;
      return { ...done, text, note, json: { ...outcome.revision, ...(changes ? { changes } : {}) } };
    }
    case 'strength': {
      const { report, atLeast } = outcome;
      const isEnough = atLeast === undefined || report.score >= atLeast;
      const note = isEnough
        ? ''
        : `the strength is ${report.score.toFixed(3)}, which is less than ${atLeast}`;
      return { text: textOfStrength(report), note, json: report, exitCode: isEnough ? 0 : 1 };
    }
    case 'preflight': {
      const { preflight } = outcome;
      const exitCode = preflight.passed === true ? 0 : 1;
      return { text: textOfPreflight(preflight), note: '', json: preflight, exitCode };
    }
    case 'reviewed':
      return { ...done, text: textOfReviews(outcome.reviewed), json: outcome.reviewed };
    case 'compared':
      return { ...done, text: textOfComparison(outcome.comparison), json: outcome.comparison };
    case 'suite_shown':
      return { ...done, text: textOfCases(outcome.shown), json: outcome.shown };
    case 'published': {
      const { publication, text, output } = outcome;
      const where = output === undefined ? '' : ` in ${printable(output)}`;
      const note = `${counted(publication.cases.length)} published${where}: nobody can hold them back any more`;
      return { ...done, text: output === undefined ? text.trimEnd() : '', note, json: publication };
    }
    case 'incident': {
      const { incident } = outcome;
      return { ...done, text: textOfIncident(incident), note: noteOfIncident(incident), json: incident };
    }
    case 'incidents':
      return {
        ...done,
        text: lines(outcome.incidents.map(textOfIncident), 'no incidents'),
        json: { incidents: outcome.incidents },
      };
    case 'proved': {
      const { incident } = outcome;
      const proves = incident.proofs[0]?.proves === true;
      const note = proves
        ? noteOfIncident(incident)
        : 'that proves nothing: draft another case, or give another fix';
      return { text: textOfProof(incident), note, json: incident, exitCode: proves ? 0 : 1 };
    }
    case 'escapes':
      return { ...done, text: textOfEscapes(outcome.escapes), json: outcome.escapes };
    case 'trend': {
      const { trend, isCsv } = outcome;
      return { ...done, text: isCsv ? csvOfTrend(trend).trimEnd() : textOfTrend(trend), json: trend };
    }
    case 'case_trends':
      return { ...done, text: textOfCaseTrends(outcome.trends), json: outcome.trends };
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
    case 'backup': {
      const { taken } = outcome;
      return { ...done, text: textOfBackup(taken), note: noteOfBackup(taken), json: taken };
    }
    case 'restored': {
      const { restored } = outcome;
      return { ...done, text: textOfRestored(restored), note: noteOfRestored(restored), json: restored };
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
      const note = `${/^[aeiou]/.test(role) ? 'an' : 'a'} ${role} token for ${printable(name)}, shown this once: keep it where only that can read it`;
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
      if (outcome.error instanceof ActivationRefused) {
        const { revision, refusals, lines: told } = outcome.error;
        return { text: '', note: told.join('\n'), json: { ...json, revision, refusals }, exitCode };
      }
      if (!(outcome.error instanceof SuiteRefused))
        return { text: '', note: printable(message), json, exitCode };
      const { findings } = outcome.error;
      const note = [`this is not a suite that can be sealed:`, ...linesOf(findings)].join('\n');
      return { text: '', note, json: { ...json, findings }, exitCode };
    }
  }
}
