/** Does all of a push but storing: finds everything that is wrong with a suite, and what pushing it would change. */
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import { caseDigest } from '../case-digest.ts';
import { caseNamesAt } from '../case-names.ts';
import { expiredPositions } from '../expiry.ts';
import { findPublished } from '../life/events.ts';
import { findActive } from '../revisions.ts';
import { openSealedFile } from '../sealing/sealed-file.ts';
import type { SuiteContents, SuiteSource } from '../suite.ts';
import { comparables, compareContents } from './compare-contents.ts';
import { caseFinding, type Finding, findingsMax } from './finding.ts';
import { type Authoring, openContents } from './make-revision.ts';
import { readSuite } from './read-suite.ts';
import type { SuiteCheck } from './suite-check.ts';

/**
 * Checks what would be pushed as a suite. With `compare` the active revision is opened, and it is recorded that `by` read of it
 * before anything of that is answered. Throws the SuiteErrors of openSealedFile.
 */
export async function checkSuite(
  authoring: Authoring,
  suite: string,
  source: SuiteSource,
  { compare, by }: { compare: boolean; by: string },
): Promise<SuiteCheck> {
  const { database, seals, keys, reader } = authoring;
  const authored =
    source.sealed === undefined ? source : (await openSealedFile(seals, suite, source.sealed)).source;
  const read = await readSuite(authoring, keys.tripwire, suite, authored);
  const { contents, name, cases } = read;
  const burnt = contents === undefined ? [] : await findBurnt(database, keys.caseDigest, contents);
  const findings = [...read.findings, ...burnt];
  const [active] = await findActive(database, [suite]);
  const answer: SuiteCheck = {
    name,
    cases,
    findings: findings.slice(0, findingsMax),
    more: Math.max(0, findings.length - findingsMax),
    notes: contents === undefined ? [] : notesOf(contents),
    activeRevision: active?.revision ?? null,
    changes: null,
  };
  if (!compare || contents === undefined || burnt.length > 0 || active === undefined) return answer;
  const before = await openContents(authoring, active);
  const [earlier, later] = await comparables(reader, before, contents);
  const changes = compareContents(keys.caseDigest, earlier, later);
  await appendAudit(database, { by, action: 'revision.read', about: { ...active } });
  return { ...answer, changes };
}

/** That cases have expired: it can be pushed, and not be activated. */
function notesOf(contents: SuiteContents): string[] {
  const expired = expiredPositions(contents, new Date());
  if (expired.length === 0) return [];
  return [
    `cases in it have expired, so it can be pushed but not activated: ${caseNamesAt(contents, expired)} (give them another end, or leave them out)`,
  ];
}

/** That cases were published: everybody may read them, so that they test nobody any more. */
async function findBurnt(database: Database, key: Uint8Array, { cases }: SuiteContents): Promise<Finding[]> {
  const digests = cases.map((testCase) => caseDigest(key, testCase));
  const published = await findPublished(database, digests);
  return cases.flatMap(({ name }, position) => {
    if (!published.has(digests[position] ?? '')) return [];
    return [
      caseFinding(
        { name, position },
        [],
        'it was published to the visible tests',
        'leave it out, and write a fresh one',
      ),
    ];
  });
}
