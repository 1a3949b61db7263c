/** The cases of a revision as its authors look after them: whose they are, until when, what they have told, and what became of others. */
import { appendAudit } from '../migrations/append-audit.ts';
import type { Database } from '../migrations/open-database.ts';
import { describeRevision } from '../suites/authoring/make-revision.ts';
import { caseDigest } from '../suites/case-digest.ts';
import { inForce } from '../suites/expiry.ts';
import { openEvents } from '../suites/life/events.ts';
import type { SuiteCases } from '../suites/life/life.ts';
import type { OpenedSuites } from '../suites/opened-suites.ts';
import type { RevisionName } from '../suites/revisions.ts';
import type { Seals } from '../suites/sealing/sealing.ts';
import { findCaseExposures } from './disclosure/exposure.ts';
import { findIncidentPositions } from './incidents/incident-cases.ts';

export type Looking = { database: Database; seals: Seals; suites: OpenedSuites; caseKey: Uint8Array };

/** So many retirements and publications are told. */
const leftMax = 1_000;

/** Throws `suite_not_found`, `revision_not_found` and `seal_broken`. Nobody gets the names before it is recorded that they did. */
export async function lookAtCases(
  { database, seals, suites, caseKey }: Looking,
  name: RevisionName,
  by: string,
): Promise<SuiteCases> {
  const { state } = await describeRevision(database, name);
  const contents = await suites.open(name);
  const [exposures, published, incidents, left] = await Promise.all([
    findCaseExposures(database, name),
    suites.published(name),
    findIncidentPositions(database, name),
    openEvents(database, seals, { suite: name.suite, kinds: ['retired', 'published'], limit: leftMax }),
  ]);
  const asked = new Set(inForce(contents, new Date()).positions);
  await appendAudit(database, { by, action: 'revision.read', about: name });
  return {
    ...name,
    state,
    cases: contents.cases.map((testCase, position) => ({
      name: testCase.name,
      tags: testCase.tags,
      ...(testCase.owner === undefined ? {} : { owner: testCase.owner }),
      ...(testCase.expires === undefined ? {} : { expires: testCase.expires }),
      state: asked.has(position) ? 'in_force' : 'expired',
      bits: exposures.get(caseDigest(caseKey, testCase)) ?? 0,
      published: published.has(position),
      incident: incidents.find((one) => one.position === position)?.incident ?? null,
    })),
    left: left.flatMap(({ kind, name: called, person, said, doneAt }) => {
      if (called === undefined || (kind !== 'retired' && kind !== 'published')) return [];
      return [
        {
          name: called,
          kind,
          person,
          ...(said === undefined ? {} : { reason: said }),
          at: doneAt.toISOString(),
        },
      ];
    }),
  };
}
