/** What changes from one revision's contents to another's, case by case, as their names. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { hasFunctions, type SealedCase } from '../case.ts';
import { caseDigest } from '../case-digest.ts';
import type { SuiteContents } from '../suite.ts';
import type { SuiteReader } from './read-suite.ts';
import type { Changes } from './suite-check.ts';

/** Contents, and the texts of their predicates by position, where these could be had. */
export type Comparable = { contents: SuiteContents; predicates: (string | null)[] | undefined };

/** Contents with the texts of their predicates, where these matter: where modules are the same, so are their predicates. */
export async function comparables(
  reader: Pick<SuiteReader, 'predicates'>,
  before: SuiteContents,
  after: SuiteContents,
): Promise<[Comparable, Comparable]> {
  const differ = before.script !== after.script;
  const comparable = async (contents: SuiteContents): Promise<Comparable> => {
    const { script } = contents;
    return {
      contents,
      predicates: differ && script !== undefined ? await reader.predicates(script) : undefined,
    };
  };
  return Promise.all([comparable(before), comparable(after)]);
}

/** Cases are matched by name; `key` is that of the case digests. */
export function compareContents(key: Uint8Array, before: Comparable, after: Comparable): Changes {
  const earlier = new Map(before.contents.cases.map((testCase, at) => [testCase.name, { testCase, at }]));
  const names = new Set(after.contents.cases.map(({ name }) => name));
  const sameModule = before.contents.script === after.contents.script;
  const changes: Changes = {
    added: [],
    removed: [...earlier.keys()].filter((name) => !names.has(name)),
    changed: [],
    unchanged: 0,
    readAsBefore: 0,
    limits: !isDeepStrictEqual(before.contents.limits, after.contents.limits),
    references: !isDeepStrictEqual(before.contents.references, after.contents.references),
  };
  for (const [at, testCase] of after.contents.cases.entries()) {
    const known = earlier.get(testCase.name);
    if (known === undefined) changes.added.push(testCase.name);
    else if (!isSame(key, known.testCase, testCase)) changes.changed.push(testCase.name);
    else if (!isComparedAlike(testCase, before.contents, after.contents)) changes.changed.push(testCase.name);
    else if (!hasFunctions(testCase) || sameModule) changes.unchanged++;
    else if (readsAlike(before.predicates?.[known.at], after.predicates?.[at])) changes.readAsBefore++;
    else changes.changed.push(testCase.name);
  }
  return changes;
}

function isSame(key: Uint8Array, before: SealedCase, after: SealedCase): boolean {
  const asksTheSame = caseDigest(key, before) === caseDigest(key, after);
  return asksTheSame && isDeepStrictEqual(aboutIt(before), aboutIt(after));
}

/** Whether the build that a case is compared with is the one that it was before. */
function isComparedAlike({ sameAs }: SealedCase, before: SuiteContents, after: SuiteContents): boolean {
  if (sameAs === undefined) return true;
  const [one, other] = [before, after].map(({ references }) =>
    references.find(({ name }) => name === sameAs),
  );
  return one?.build === other?.build;
}

/** What is known of a case besides what it asks. */
function aboutIt({ sameAs, within, tags, owner, expires, generate }: SealedCase): unknown {
  return { sameAs, within, tags, owner, expires, runs: generate?.runs };
}

function readsAlike(before: string | null | undefined, after: string | null | undefined): boolean {
  return typeof before === 'string' && before === after;
}
