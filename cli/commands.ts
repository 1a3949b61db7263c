/** Every command by its words, in the order in which help tells them. A command's code is read when it is asked for. */
import type { Command } from './command.ts';

export type CommandEntry = { words: string; load(): Promise<Command> };

const ofAudit = () => import('./commands/audit.ts');
const ofBackup = () => import('./commands/backup.ts');
const ofGate = () => import('./commands/gate.ts');
const ofIdentity = () => import('./commands/identity.ts');
const ofIncident = () => import('./commands/incident.ts');
const ofSuite = () => import('./commands/suite.ts');
const ofSuiteLife = () => import('./commands/suite-life.ts');
const ofTrends = () => import('./commands/trends.ts');
const ofToken = () => import('./commands/token.ts');

export const commands: CommandEntry[] = [
  { words: 'serve', load: async () => (await import('./commands/serve.ts')).serveCommand },
  { words: 'demo', load: async () => (await import('./commands/demo.ts')).demoCommand },
  { words: 'score', load: async () => (await import('./commands/score.ts')).scoreCommand },
  { words: 'verdict', load: async () => (await import('./commands/verdict.ts')).verdictCommand },
  { words: 'override', load: async () => (await import('./commands/override.ts')).overrideCommand },
  { words: 'replay', load: async () => (await import('./commands/replay.ts')).replayCommand },
  { words: 'alarms', load: async () => (await import('./commands/alarms.ts')).alarmsCommand },
  { words: 'suite check', load: async () => (await import('./commands/suite-check.ts')).suiteCheckCommand },
  { words: 'suite push', load: async () => (await import('./commands/suite-push.ts')).suitePushCommand },
  {
    words: 'suite strength',
    load: async () => (await import('./commands/suite-strength.ts')).suiteStrengthCommand,
  },
  {
    words: 'suite preflight',
    load: async () => (await import('./commands/suite-preflight.ts')).suitePreflightCommand,
  },
  { words: 'suite seal', load: async () => (await ofSuite()).suiteSealCommand },
  { words: 'suite activate', load: async () => (await ofSuite()).suiteActivateCommand },
  { words: 'suite review', load: async () => (await ofSuiteLife()).suiteReviewCommand },
  { words: 'suite show', load: async () => (await ofSuiteLife()).suiteShowCommand },
  { words: 'suite compare', load: async () => (await ofSuiteLife()).suiteCompareCommand },
  { words: 'suite restore', load: async () => (await ofSuiteLife()).suiteRestoreCommand },
  { words: 'suite retire', load: async () => (await ofSuiteLife()).suiteRetireCommand },
  {
    words: 'suite publish',
    load: async () => (await import('./commands/suite-publish.ts')).suitePublishCommand,
  },
  { words: 'suite list', load: async () => (await ofSuite()).suiteListCommand },
  { words: 'suite plan', load: async () => (await import('./commands/suite-plan.ts')).suitePlanCommand },
  { words: 'leaks', load: async () => (await import('./commands/leaks.ts')).leaksCommand },
  { words: 'gate set', load: async () => (await ofGate()).gateSetCommand },
  { words: 'gate list', load: async () => (await ofGate()).gateListCommand },
  { words: 'gate exposure', load: async () => (await ofGate()).gateExposureCommand },
  { words: 'gate escapes', load: async () => (await ofIncident()).gateEscapesCommand },
  // Before the one whose words it begins with.
  { words: 'trends cases', load: async () => (await ofTrends()).trendsCasesCommand },
  { words: 'trends', load: async () => (await ofTrends()).trendsCommand },
  { words: 'incident create', load: async () => (await ofIncident()).incidentCreateCommand },
  { words: 'incident draft', load: async () => (await ofIncident()).incidentDraftCommand },
  { words: 'incident prove', load: async () => (await ofIncident()).incidentProveCommand },
  { words: 'incident list', load: async () => (await ofIncident()).incidentListCommand },
  { words: 'incident show', load: async () => (await ofIncident()).incidentShowCommand },
  { words: 'token create', load: async () => (await ofToken()).tokenCreateCommand },
  { words: 'audit verify', load: async () => (await ofAudit()).auditVerifyCommand },
  { words: 'audit list', load: async () => (await ofAudit()).auditListCommand },
  { words: 'token list', load: async () => (await ofToken()).tokenListCommand },
  { words: 'token revoke', load: async () => (await ofToken()).tokenRevokeCommand },
  { words: 'backup', load: async () => (await ofBackup()).backupCommand },
  { words: 'restore', load: async () => (await ofBackup()).restoreCommand },
  { words: 'identity show', load: async () => (await ofIdentity()).identityShowCommand },
  { words: 'identity rotate', load: async () => (await ofIdentity()).identityRotateCommand },
];
