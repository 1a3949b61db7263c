/**
 * Revisions that are made from others: with one case more, or another in its place, without some, or with the contents of an earlier one. Each is a new revision, a draft;
 * nothing is ever overwritten.
 */
import { appendAudit } from '../../migrations/append-audit.ts';
import { tellCaseFinding } from '../authoring/case-text.ts';
import { type Comparable, comparables, compareContents } from '../authoring/compare-contents.ts';
import { type Authoring, openContents, sealContents } from '../authoring/make-revision.ts';
import { readCaseText } from '../authoring/read-case.ts';
import { hasFunctions, type SealedCase } from '../case.ts';
import { caseDigest } from '../case-digest.ts';
import { SuiteError } from '../errors.ts';
import { findActive, type RevisionName } from '../revisions.ts';
import type { SuiteContents } from '../suite.ts';
import { isTripwire } from '../tripwire.ts';
import { type Actor, appendEvent } from './events.ts';
import { keepCases } from './keep-cases.ts';
import type { CaseEdit, Comparison, RetirementRequest } from './life.ts';

/**
 * Makes a revision without these cases, and records that they were retired. Throws `revision_not_found`, `case_not_found`,
 * `revision_overtaken`, and `suite_invalid` where no case would be left that proves anything.
 */
export async function retireCases(
  authoring: Authoring,
  suite: string,
  { cases: names, reason, from, newest }: RetirementRequest,
  actor: Actor,
): Promise<RevisionName> {
  const { seals, keys } = authoring;
  const before = await openContents(authoring, {
    suite,
    revision: from ?? (await activeOf(authoring, suite)),
  });
  const leaving = new Set(names.map((name) => findCase(before, name)));
  const kept = [...before.cases.keys()].filter((position) => !leaving.has(position));
  const after = keepCases(before, kept);
  if (after.cases.every(isTripwire)) {
    throw new SuiteError(
      'suite_invalid',
      'no case would be left besides tripwires: push fresh ones in their place',
    );
  }
  await requireOwnPredicates(authoring, before, after, kept);
  return sealContents(authoring, after, {
    by: actor.tokenId,
    record: async (transaction, name) => {
      requireFollowing(name, newest);
      for (const position of leaving) {
        const testCase = before.cases[position];
        if (testCase === undefined) continue;
        const retired = { digest: caseDigest(keys.caseDigest, testCase), name: testCase.name };
        await appendEvent(
          transaction,
          seals,
          { ...name, kind: 'retired', testCase: retired, said: reason },
          actor,
        );
      }
    },
  });
}

/**
 * Makes a revision in which a case is added, or takes the place of another; every other case stays as it is. Throws
 * `revision_not_found`, `case_not_found`, `revision_overtaken`, and `suite_invalid` with what is wrong, or where only whoever has the
 * suite's module can change a case.
 */
export async function editCase(
  authoring: Authoring,
  suite: string,
  { revision, replaces, newest, text, form }: CaseEdit,
  actor: Actor,
): Promise<RevisionName> {
  const before = await openContents(authoring, { suite, revision });
  const position = replaces === undefined ? before.cases.length : findCase(before, replaces);
  const replaced = before.cases[position];
  if (replaced !== undefined && hasFunctions(replaced)) throw new SuiteError('suite_invalid', hasCode);
  const read = await readCaseText(authoring, before, { text, form }, position);
  if ('findings' in read) {
    const [first] = read.findings;
    throw new SuiteError('suite_invalid', first === undefined ? 'it is no case' : tellCaseFinding(first));
  }
  // Functions of a module are found by the positions of their cases: nobody's position changes.
  const after = { ...before, cases: before.cases.toSpliced(position, 1, read.testCase) };
  return sealContents(authoring, after, {
    by: actor.tokenId,
    record: async (_, name) => requireFollowing(name, newest),
  });
}

/** What is said of a case that cannot be written as a text. */
export const hasCode =
  "functions of the suite's module belong to this case: change it in the file of the suite, and `holdback suite push` that";

/** Throws `revision_overtaken` unless this new revision comes right after the one that was the newest for whoever made it. */
function requireFollowing({ suite, revision }: RevisionName, newest: number | undefined): void {
  if (newest === undefined || revision === newest + 1) return;
  throw new SuiteError(
    'revision_overtaken',
    `revision ${revision - 1} of suite ${suite} was made meanwhile: nothing was stored; look at what changed, and do it again on that one`,
  );
}

/** Makes a revision with the contents of an earlier one. Throws `revision_not_found` and `seal_broken`. */
export async function restoreRevision(
  authoring: Authoring,
  name: RevisionName,
  actor: Actor,
): Promise<RevisionName> {
  const contents = await openContents(authoring, name);
  return sealContents(authoring, contents, { by: actor.tokenId });
}

/** What changes from one revision to another. Nobody gets it before it is recorded that they read of both. */
export async function compareRevisions(
  authoring: Authoring,
  names: RevisionName & { with: number },
  by: string,
): Promise<Comparison> {
  return (await openComparison(authoring, names, by)).comparison;
}

/** The same, with the contents that are compared. */
export async function openComparison(
  authoring: Authoring,
  { suite, revision, with: other }: RevisionName & { with: number },
  by: string,
): Promise<{ comparison: Comparison; before: Comparable; after: Comparable }> {
  const { database, keys, reader } = authoring;
  const [before, after] = await comparables(
    reader,
    ...(await Promise.all([
      openContents(authoring, { suite, revision: other }),
      openContents(authoring, { suite, revision }),
    ])),
  );
  const changes = compareContents(keys.caseDigest, before, after);
  for (const each of [other, revision]) {
    await appendAudit(database, { by, action: 'revision.read', about: { suite, revision: each } });
  }
  return { comparison: { suite, revision, with: other, ...changes }, before, after };
}

/** The position of a case by its name. Throws `case_not_found`. */
export function findCase({ suite, cases }: SuiteContents, name: string): number {
  const position = cases.findIndex((testCase: SealedCase) => testCase.name === name);
  if (position !== -1) return position;
  throw new SuiteError(
    'case_not_found',
    `suite ${suite} has no case ${JSON.stringify(name)} in that revision`,
  );
}

/** The number of a suite's active revision. Throws `revision_not_found`. */
export async function activeOf({ database }: Pick<Authoring, 'database'>, suite: string): Promise<number> {
  const [active] = await findActive(database, [suite]);
  if (active !== undefined) return active.revision;
  throw new SuiteError('revision_not_found', `suite ${suite} has no active revision`);
}

/** Throws unless each predicate that is kept is the one that its case had: a case must never be judged by another's. */
async function requireOwnPredicates(
  { reader }: Authoring,
  before: SuiteContents,
  after: SuiteContents,
  kept: number[],
): Promise<void> {
  if (before.script === undefined || after.script === undefined) return;
  const [were, are] = await Promise.all([reader.predicates(before.script), reader.predicates(after.script)]);
  const isOwn = (position: number, index: number) =>
    !after.cases.slice(index, index + 1).some(hasFunctions) ||
    (typeof were?.[position] === 'string' && were[position] === are?.[index]);
  if (kept.every(isOwn)) return;
  throw new SuiteError(
    'suite_invalid',
    'its module gives other cases each time it is read: push it without these cases',
  );
}
