/** Does all of a push but storing: finds everything that is wrong with a suite, and what pushing it would change. */
import { appendAudit } from '../../migrations/append-audit.ts';
import { findActive } from '../revisions.ts';
import { openSealedFile } from '../sealing/sealed-file.ts';
import type { SuiteContents, SuiteSource } from '../suite.ts';
import { type Comparable, compareContents } from './compare-contents.ts';
import { findingsMax } from './finding.ts';
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
  const { contents, findings, name, cases } = await readSuite(authoring, keys.tripwire, suite, authored);
  const [active] = await findActive(database, [suite]);
  const answer: SuiteCheck = {
    name,
    cases,
    findings: findings.slice(0, findingsMax),
    more: Math.max(0, findings.length - findingsMax),
    activeRevision: active?.revision ?? null,
    changes: null,
  };
  if (!compare || contents === undefined || active === undefined) return answer;
  const before = await openContents(authoring, active);
  const [earlier, later] = await Promise.all([comparable(before), comparable(contents)]);
  const changes = compareContents(keys.caseDigest, earlier, later);
  await appendAudit(database, { by, action: 'revision.read', about: { ...active } });
  return { ...answer, changes };

  async function comparable(of: SuiteContents): Promise<Comparable> {
    // Where the modules are the same, so are their predicates.
    const differ = before.script !== contents?.script;
    const predicates = differ && of.script !== undefined ? await reader.predicates(of.script) : undefined;
    return { contents: of, predicates };
  }
}
