/** The proof of an incident's case: it is run, as in a score, on the build that escaped and on one that mends it. */
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import { incidentProofs } from '../../migrations/tables.ts';
import type { OpenedSuites } from '../../suites/opened-suites.ts';
import { requireCandidate } from '../candidates.ts';
import { GateError } from '../errors.ts';
import { findScore } from '../history.ts';
import type { CandidateScripts } from '../scoring/candidate-scripts.ts';
import { seedOf } from '../scoring/observe.ts';
import { type BuildScoring, scoreBuild } from '../scoring/score-build.ts';
import { findDraftedCase, findIncident } from './incidents.ts';

export type Proving = BuildScoring & {
  database: Database;
  suites: OpenedSuites;
  candidates: CandidateScripts;
};

/**
 * Runs the newest case of an incident on the two builds and records how it ended on each, whatever that proves. Throws
 * `incident_not_found`, `candidate_not_found`, `incident_unfit` where no case was drafted or the fix is what escaped, and RunnerErrors, when nothing is recorded.
 */
export async function proveIncident(
  proving: Proving,
  incident: string,
  fix: string,
  by: string,
): Promise<void> {
  const { database } = proving;
  const { scoreId, gate } = await findIncident(database, incident);
  const drafted = await findDraftedCase(database, incident);
  if (drafted === undefined) {
    throw new GateError('incident_unfit', 'no case was drafted from it: say with which input it shows');
  }
  await requireCandidate(database, fix);
  const { candidate: escaped } = await findScore(database, scoreId);
  if (fix === escaped) {
    throw new GateError(
      'incident_unfit',
      'the fix is the build that escaped, byte for byte: give one that mends it',
    );
  }
  const passes = async (digest: string): Promise<boolean> => {
    const [contents, { script }] = await Promise.all([
      proving.suites.open(drafted),
      proving.candidates.get(digest),
    ]);
    const asked = { positions: [drafted.position], proving: 1 };
    const { results } = await scoreBuild(proving, script, contents, asked, {
      realms: seedOf(drafted),
      // An incident's case has the one input that it was drafted with.
      inputs: '0'.repeat(64),
    });
    const [result, ...more] = results;
    return more.length === 0 && result?.passed === true;
  };
  const escapedPassed = await passes(escaped);
  const fixPassed = await passes(fix);
  const { caseDigest } = drafted;
  await database.transaction(async (transaction) => {
    const ran = { escaped, fix, escapedPassed, fixPassed };
    await transaction
      .insert(incidentProofs)
      .values({ ...ran, incidentId: incident, caseDigest, provedBy: by });
    const about = { incident, gate, case: caseDigest, ...ran };
    await appendAudit(transaction, { by, action: 'incident.proved', about });
  });
}
