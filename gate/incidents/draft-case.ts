/**
 * From an incident to a case: the suite's active revision with one case more, as a draft. Until a proof stands for the case, no
 * revision that holds it can be activated (`refuseUnproven` in `life-conditions.ts`).
 */
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import { incidentCases } from '../../migrations/tables.ts';
import { tellFinding } from '../../suites/authoring/finding.ts';
import { type Authoring, openContents, sealContents } from '../../suites/authoring/make-revision.ts';
import { readSuite } from '../../suites/authoring/read-suite.ts';
import { caseDigest } from '../../suites/case-digest.ts';
import { SuiteError } from '../../suites/errors.ts';
import { activeOf } from '../../suites/life/change-revisions.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import { casesMax } from '../../suites/suite.ts';
import { isTripwire } from '../../suites/tripwire.ts';
import { GateError } from '../errors.ts';
import { findGate } from '../policies.ts';
import type { IncidentCaseRequest } from './incident.ts';
import { findIncident } from './incidents.ts';

const incidentTag = 'incident';

/** The suite that an incident's case goes to. Throws `incident_unfit` where it is none of the gate's, or none is named of several. */
export async function suiteFor(database: Database, gate: string, suite: string | undefined): Promise<string> {
  const { suites } = await findGate(database, gate);
  const [only, ...others] = suites;
  if (suite === undefined && only !== undefined && others.length === 0) return only;
  if (suite !== undefined && suites.includes(suite)) return suite;
  throw new GateError(
    'incident_unfit',
    suite === undefined
      ? `gate ${gate} has several suites: name the one that the case goes to`
      : `gate ${gate} does not need suite ${suite}`,
  );
}

/**
 * Drafts a case from an incident. Throws `incident_not_found`, `incident_unfit`, `suite_invalid` with words that say what to mend, and
 * `revision_not_found` where the suite has no active revision.
 */
export async function draftCase(
  authoring: Authoring,
  incident: string,
  { suite: asked, case: authored }: IncidentCaseRequest,
  by: string,
): Promise<RevisionName> {
  const { database, keys } = authoring;
  const { gate } = await findIncident(database, incident);
  const suite = await suiteFor(database, gate, asked);
  const before = await openContents(authoring, { suite, revision: await activeOf(authoring, suite) });
  if (before.cases.length >= casesMax) {
    throw new SuiteError(
      'suite_invalid',
      `suite ${suite} has ${casesMax} cases, and takes no more: retire some first`,
    );
  }
  const tags = [...new Set([...(authored.tags ?? []), incidentTag])];
  // With the suite's limits and references, because the case is run under those and may be compared with these.
  const { limits, references } = before;
  const source = { cases: [{ ...authored, tags }], limits, references };
  const { contents, findings } = await readSuite(authoring, keys.tripwire, suite, source);
  const [drafted] = contents?.cases ?? [];
  if (drafted === undefined || isTripwire(drafted)) {
    throw new SuiteError(
      'suite_invalid',
      findings[0] === undefined ? 'it is no case' : tellFinding(findings[0]),
    );
  }
  const digest = caseDigest(keys.caseDigest, drafted);
  if (before.cases.some(({ name }) => name === drafted.name)) {
    throw new SuiteError('suite_invalid', `suite ${suite} has a case of this name: give it another`);
  }
  if (before.cases.some((each) => caseDigest(keys.caseDigest, each) === digest)) {
    throw new SuiteError(
      'suite_invalid',
      `suite ${suite} asks this already: the bug escaped in some other way`,
    );
  }
  const after = { ...before, cases: [...before.cases, drafted] };
  return sealContents(authoring, after, {
    by,
    record: async (transaction, name) => {
      await transaction.insert(incidentCases).values({
        ...name,
        incidentId: incident,
        position: before.cases.length,
        caseDigest: digest,
        draftedBy: by,
      });
      await appendAudit(transaction, {
        by,
        action: 'incident.drafted',
        about: { incident, gate, ...name, case: digest },
      });
    },
  });
}
