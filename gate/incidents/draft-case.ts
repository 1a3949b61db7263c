/**
 * From an incident to a case: the suite's active revision with one case more, as a draft. Until a proof stands for the case, no
 * revision that holds it can be activated (`refuseUnproven` in `life-conditions.ts`).
 */
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import { incidentCases } from '../../migrations/tables.ts';
import { tellFinding } from '../../suites/authoring/finding.ts';
import { type Authoring, openContents, sealContents } from '../../suites/authoring/make-revision.ts';
import { readCase } from '../../suites/authoring/read-case.ts';
import { caseDigest } from '../../suites/case-digest.ts';
import { SuiteError } from '../../suites/errors.ts';
import { activeOf } from '../../suites/life/change-revisions.ts';
import type { RevisionName } from '../../suites/revisions.ts';
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
  const tags = [...new Set([...(authored.tags ?? []), incidentTag])];
  const read = await readCase(authoring, before, { ...authored, tags });
  const drafted = 'testCase' in read ? read.testCase : undefined;
  if (drafted === undefined || isTripwire(drafted)) {
    const [first] = 'findings' in read ? read.findings : [];
    throw new SuiteError('suite_invalid', first === undefined ? 'it is no case' : tellFinding(first));
  }
  const digest = caseDigest(keys.caseDigest, drafted);
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
