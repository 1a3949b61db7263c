/**
 * Cases that tell nothing any more are published to the visible tests: those that no active revision holds, and those that have
 * expired or are spent. From then on everybody may read them, so that they can never be holdback again.
 */
import { eq } from 'drizzle-orm';
import type { Database } from '../migrations/open-database.ts';
import { revisionCases } from '../migrations/tables.ts';
import { asAuthored } from '../suites/authoring/make-revision.ts';
import type { SuiteReader } from '../suites/authoring/read-suite.ts';
import { hasPredicate } from '../suites/case.ts';
import { caseDigest } from '../suites/case-digest.ts';
import { SuiteError } from '../suites/errors.ts';
import { expiresAt } from '../suites/expiry.ts';
import { type Actor, appendEvent } from '../suites/life/events.ts';
import type { PublishedCase } from '../suites/life/life.ts';
import { lockSuite } from '../suites/lock-suite.ts';
import type { OpenedSuites } from '../suites/opened-suites.ts';
import { findActive, findSuite, type RevisionName } from '../suites/revisions.ts';
import type { Seals } from '../suites/sealing/sealing.ts';
import type { SuiteContents } from '../suites/suite.ts';
import { isTripwire } from '../suites/tripwire.ts';
import { chargeOf } from './disclosure/charge.ts';
import { findCaseExposures } from './disclosure/exposure.ts';
import { listGates } from './policies.ts';

export type Publishing = {
  database: Database;
  seals: Seals;
  suites: OpenedSuites;
  reader: Pick<SuiteReader, 'predicates'>;
  caseKey: Uint8Array;
};

/** So many revisions, the newest first, are looked through for a case that the active one does not have. */
const revisionsMax = 200;

type Found = { name: RevisionName; contents: SuiteContents; position: number; digest: string };

/**
 * Publishes cases, all or none, and answers them as they were authored. Throws `case_not_found`, and `case_in_force` for one that an
 * active revision still asks.
 */
export async function publishCases(
  publishing: Publishing,
  suite: string,
  names: string[],
  actor: Actor,
): Promise<PublishedCase[]> {
  const { database, seals } = publishing;
  const [before] = await findActive(database, [suite]);
  const found: Found[] = [];
  for (const name of new Set(names)) found.push(await findNewest(publishing, suite, name));
  for (const each of found) await requireBurnt(publishing, each);
  const answers = await Promise.all(found.map((each) => tellCase(publishing, each)));
  await database.transaction(async (transaction) => {
    await lockSuite(transaction, suite);
    const [active] = await findActive(transaction, [suite]);
    if (active?.revision !== before?.revision) {
      throw new SuiteError('case_in_force', 'another revision became active in this moment: ask again');
    }
    for (const { name, contents, position, digest } of found) {
      const testCase = { digest, name: contents.cases[position]?.name ?? '' };
      await appendEvent(transaction, seals, { ...name, kind: 'published', testCase, said: undefined }, actor);
    }
  });
  return answers;
}

/** The case of this name in the active revision, or else in the newest that has it. */
async function findNewest(
  { database, suites, caseKey }: Publishing,
  suite: string,
  name: string,
): Promise<Found> {
  const { activeRevision, revisions } = await findSuite(database, suite);
  const numbers = revisions.slice(0, revisionsMax).map(({ revision }) => revision);
  for (const revision of [...(activeRevision === null ? [] : [activeRevision]), ...numbers]) {
    const contents = await suites.open({ suite, revision });
    const position = contents.cases.findIndex((testCase) => testCase.name === name);
    const testCase = contents.cases[position];
    if (testCase === undefined) continue;
    return { name: { suite, revision }, contents, position, digest: caseDigest(caseKey, testCase) };
  }
  throw new SuiteError(
    'case_not_found',
    `suite ${suite} has no case ${JSON.stringify(name)} in any revision`,
  );
}

async function requireBurnt({ database, suites, caseKey }: Publishing, found: Found): Promise<void> {
  const testCase = found.contents.cases[found.position];
  const called = JSON.stringify(testCase?.name);
  const refuse = (why: string) => new SuiteError('case_in_force', `${called} cannot be published: ${why}`);
  if (testCase === undefined || isTripwire(testCase)) throw refuse('no test could want its answer');
  const holders = await database
    .selectDistinct({ suite: revisionCases.suite, revision: revisionCases.revision })
    .from(revisionCases)
    .where(eq(revisionCases.caseDigest, found.digest));
  const active = await findActive(database, [...new Set(holders.map(({ suite }) => suite))]);
  const isActive = (one: RevisionName) =>
    active.some(({ suite, revision }) => suite === one.suite && revision === one.revision);
  const gates = await listGates(database);
  for (const name of holders.filter(isActive)) {
    const { cases } = await suites.open(name);
    const own = cases.filter((each) => caseDigest(caseKey, each) === found.digest);
    if (own.every((each) => (expiresAt(each) ?? new Date(Number.POSITIVE_INFINITY)) <= new Date())) continue;
    const bits = (await findCaseExposures(database, name)).get(found.digest) ?? 0;
    const requiring = gates.filter((gate) => gate.suites.includes(name.suite));
    // The least that another score would cost: a gate that cannot afford it asks nothing of the case any more.
    const isSpentAt = ({ disclosure, exposureBudgetBits }: (typeof gates)[number]) =>
      exposureBudgetBits !== undefined &&
      bits + chargeOf({ disclosure, cases: cases.length, slot: 1 }) > exposureBudgetBits;
    if (requiring.length === 0 || !requiring.every(isSpentAt)) {
      throw refuse(
        'an active revision still asks it: retire it first, with `holdback suite retire --activate`',
      );
    }
  }
}

/** The case as it was authored; of predicates their text. */
async function tellCase({ reader }: Publishing, { contents, position }: Found): Promise<PublishedCase> {
  const testCase = contents.cases[position];
  if (testCase === undefined) throw new Error('a case was found that is not there');
  const authored = asAuthored(testCase);
  if (!hasPredicate(testCase) || contents.script === undefined) return authored;
  const text = (await reader.predicates(contents.script))?.[position] ?? true;
  if (testCase.steps === undefined) return { ...authored, expect: { predicate: text } };
  return { ...authored, predicates: text };
}
