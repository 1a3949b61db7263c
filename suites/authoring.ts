/**
 * From what an author wrote to a sealed revision: the module is read in the grader, every case is checked there, the
 * contents are sealed to the service's recipient. And back again, for those who may see the contents.
 */
import { appendAudit } from '../migrations/append-audit.ts';
import type { Database } from '../migrations/open-database.ts';
import { limitsSchema } from '../runners/protocol.ts';
import { caseDigest } from './case-digest.ts';
import { SuiteError } from './errors.ts';
import { type Fault, quoted, readBy } from './faults.ts';
import { listedCaseSchema } from './grader/protocol.ts';
import type { Keys } from './keys.ts';
import { bindRevision, contentsDigest, notItsOwn, readBoundRevision } from './revision-text.ts';
import { appendRevision, findCaseDigests, findSealed, findSuite, type RevisionName } from './revisions.ts';
import { sealForStorage } from './seal-for-storage.ts';
import type { SealedFile } from './sealed-file.ts';
import type { Seals } from './sealing.ts';
import {
  type AuthoredSuite,
  casesMax,
  type OpenedRevision,
  type SealedCase,
  type SuiteContents,
  suiteContentsSchema,
} from './suite.ts';
import { armTripwire, disarmTripwire, isTripwire } from './tripwire.ts';

/** What authoring needs of the grader: somebody who reads modules and checks cases where that can do no harm. */
export type SuiteReader = {
  /** The cases that a module holds, in the form of authored JSON. Throws `suite_invalid`. */
  list(module: string): Promise<{ cases: unknown[]; limits: unknown; script: string }>;
  /** For each case what is wrong with it, or `''`. */
  check(cases: SealedCase[]): Promise<string[]>;
};

export type Authoring = { database: Database; seals: Seals; keys: Keys; reader: SuiteReader };

/**
 * Seals what an author wrote as the suite's next revision; `file` is the sealed file that it came in, if it did. Throws
 * `suite_invalid` with words that say what to mend, and `seal_rolled_back`.
 */
export async function makeRevision(
  { database, seals, keys, reader }: Authoring,
  suite: string,
  source: AuthoredSuite,
  options: { activate: boolean; by: string; file?: SealedFile },
): Promise<RevisionName> {
  const contents = await readSource(reader, keys, suite, source);
  const problems = await reader.check(contents.cases);
  const wrong = problems.findIndex((problem) => problem !== '');
  if (wrong !== -1) throw invalid(`${calledBy(contents.cases[wrong]?.name, wrong)}: ${problems[wrong]}`);
  // JSON.stringify writes lone surrogates as escapes, so that any text survives as UTF-8.
  const text = JSON.stringify(contents);
  const digest = contentsDigest(keys, text);
  const file = options.file?.digest ?? null;
  // What is counted is what will be read again.
  const { cases } = readContents(text);
  return appendRevision(
    database,
    {
      suite,
      digest,
      caseDigests: cases.map((testCase) => caseDigest(keys.caseDigest, testCase)),
      tripwires: cases.filter(isTripwire).length,
      sealedAt: options.file?.sealedAt,
      createdBy: options.by,
    },
    (transaction, name) =>
      sealForStorage(transaction, seals, bindRevision(keys, { ...name, digest, file }, text)),
    options.activate,
  );
}

/** Opens a revision. Throws `revision_not_found`, and `seal_broken` unless it is exactly what was sealed as this revision. */
export async function openContents(parts: Opening, name: RevisionName): Promise<SuiteContents> {
  return (await openStored(parts, name)).contents;
}

/** What opening a revision needs. */
export type Opening = Pick<Authoring, 'database' | 'seals' | 'keys'>;

/** As `openContents`, with the digest of the sealed file that the revision came in, if it did. */
export async function openStored(
  { database, seals, keys }: Opening,
  name: RevisionName,
): Promise<{ contents: SuiteContents; file: string | null }> {
  const row = await findSealed(database, name);
  const text = await seals.open(row.sealed);
  const bound = readBoundRevision(keys, { ...name, digest: row.digest }, text);
  const contents = readContents(bound.contents);
  if (contents.suite !== name.suite || contents.cases.length !== row.caseCount) {
    throw notItsOwn(name, 'it has another number of cases');
  }
  // What is counted by these outside the seal would else be counted wrong, and its suite look less spent than it is.
  if (contents.cases.filter(isTripwire).length !== row.tripwires) {
    throw notItsOwn(name, 'it has another number of tripwires');
  }
  const stored = await findCaseDigests(database, name);
  const isItsOwn = (testCase: SealedCase, index: number) =>
    stored[index]?.position === index && stored[index].caseDigest === caseDigest(keys.caseDigest, testCase);
  if (stored.length !== contents.cases.length || !contents.cases.every(isItsOwn)) {
    throw notItsOwn(name, 'the identities of its cases are others');
  }
  return { contents, file: bound.file };
}

function readContents(text: string): SuiteContents {
  return suiteContentsSchema.parse(JSON.parse(text));
}

/** A revision as its author sees it: with the contents. Nobody gets them before it is recorded that they did. */
export async function openForAuthor(parts: Opening, name: RevisionName, by: string): Promise<OpenedRevision> {
  const contents = await openContents(parts, name);
  const described = await describeRevision(parts.database, name);
  await appendAudit(parts.database, { by, action: 'revision.read', about: name });
  return {
    ...described,
    limits: contents.limits,
    contents: contents.cases
      .map(disarmTripwire)
      .map(({ input, ...rest }) => ({ ...rest, input: JSON.parse(input) })),
  };
}

/** A revision as anybody with a right to suites sees it: no contents. Throws `suite_not_found`, `revision_not_found`. */
export async function describeRevision(database: Database, name: RevisionName): Promise<OpenedRevision> {
  const { revisions } = await findSuite(database, name.suite);
  const revision = revisions.find((candidate) => candidate.revision === name.revision);
  if (revision === undefined) {
    throw new SuiteError('revision_not_found', `suite ${name.suite} has no revision ${name.revision}`);
  }
  return revision;
}

async function readSource(
  reader: SuiteReader,
  keys: Keys,
  suite: string,
  source: AuthoredSuite,
): Promise<SuiteContents> {
  const listed =
    source.module === undefined
      ? { cases: source.cases ?? [], limits: undefined, script: undefined }
      : await reader.list(source.module);
  if (listed.cases.length === 0) throw invalid('a suite has at least one case');
  if (listed.cases.length > casesMax) throw invalid(`a suite has at most ${casesMax} cases`);
  const limits = readBy(limitsSchema, limitsOf(listed.limits, source.limits));
  if (!limits.ok) throw invalid(`the limits: ${told(limits.faults[0])}`);
  const cases = listed.cases.map(readCase).map((testCase) => armTripwire(keys.tripwire, testCase));
  if (cases.every(isTripwire)) throw invalid('a suite has at least one case besides its tripwires');
  const names = new Set<string>();
  for (const { name } of cases) {
    if (names.has(name)) throw invalid(`two cases are called ${quoted(name)}: give each its own name`);
    names.add(name);
  }
  const hasPredicates = cases.some(({ expect }) => 'predicate' in expect);
  const script = hasPredicates ? listed.script : undefined;
  return { suite, cases, limits: limits.value, ...(script === undefined ? {} : { script }) };
}

function readCase(authored: unknown, index: number): SealedCase {
  const name: unknown =
    typeof authored === 'object' && authored !== null ? Reflect.get(authored, 'name') : undefined;
  const called = calledBy(typeof name === 'string' ? name : undefined, index);
  const read = readBy(listedCaseSchema, authored);
  if (!read.ok) throw invalid(`${called}: ${told(read.faults[0])}`);
  const { expect, tags } = read.value;
  const hasInput = typeof authored === 'object' && authored !== null && Object.hasOwn(authored, 'input');
  try {
    return {
      name: read.value.name,
      input: hasInput ? JSON.stringify(read.value.input, tagNumbers) : '{"$undefined":true}',
      // Nothing in these two is a carried value that a tag could stand for, or needs one.
      expect:
        'schema' in expect || 'closeTo' in expect ? expect : JSON.parse(JSON.stringify(expect, tagNumbers)),
      tags: tags ?? [],
    };
  } catch (cause) {
    // The stack ended: JSON.parse takes any depth, and nothing else does.
    if (cause instanceof RangeError) throw invalid(`${called}: it is nested too deep`);
    throw cause;
  }
}

/** JSON's text can say -0, and a number too large for a double; its writer cannot, and would make them 0 and null. */
function tagNumbers(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return value;
  return { $number: Object.is(value, -0) ? '-0' : `${value}` };
}

/** What a module says of limits, and what the request says over it. */
function limitsOf(listed: unknown, given: object | undefined): unknown {
  if (listed === undefined || (typeof listed === 'object' && listed !== null && !Array.isArray(listed))) {
    return { ...listed, ...given };
  }
  return listed;
}

function told({ path, detail }: Fault): string {
  return path.length === 0 ? `it ${detail}` : `${path.join('.')}: ${detail}`;
}

function calledBy(name: string | undefined, index: number): string {
  return name === undefined ? `case ${index + 1}` : `case ${quoted(name)}`;
}

function invalid(message: string): SuiteError {
  return new SuiteError('suite_invalid', message);
}
