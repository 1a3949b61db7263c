/**
 * From what an author wrote to a sealed revision: what `readSuite` made of it is sealed to the service's recipient. And back
 * again, for those who may see the contents.
 */
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import type { SealedCase } from '../case.ts';
import { caseDigest } from '../case-digest.ts';
import { SuiteError } from '../errors.ts';
import { expiresAt, spentAt } from '../expiry.ts';
import { appendRevision, findCaseDigests, findSealed, findSuite, type RevisionName } from '../revisions.ts';
import type { Keys } from '../sealing/keys.ts';
import { bindRevision, contentsDigest, notItsOwn, readBoundRevision } from '../sealing/revision-text.ts';
import { sealForStorage } from '../sealing/seal-for-storage.ts';
import type { SealedFile } from '../sealing/sealed-file.ts';
import type { Seals } from '../sealing/sealing.ts';
import {
  type AuthoredSuite,
  type OpenedRevision,
  type SuiteContents,
  suiteContentsSchema,
} from '../suite.ts';
import { disarmTripwire, isTripwire } from '../tripwire.ts';
import { type Finding, tellFinding } from './finding.ts';
import { readSuite, type SuiteReader, type TryBuild } from './read-suite.ts';

export type Authoring = {
  database: Database;
  seals: Seals;
  keys: Keys;
  reader: SuiteReader;
  tryBuild: TryBuild;
};

/**
 * Seals what an author wrote as the suite's next revision, a draft; `file` is the sealed file that it came in, if it did. Throws
 * `suite_invalid` with words that say what to mend, and `seal_rolled_back`.
 */
export async function makeRevision(
  parts: Authoring,
  suite: string,
  source: AuthoredSuite,
  options: { by: string; file?: SealedFile },
): Promise<RevisionName> {
  const { contents, findings } = await readSuite(parts, parts.keys.tripwire, suite, source);
  if (contents === undefined) throw invalid(findings);
  return sealContents(parts, contents, options);
}

/**
 * Seals contents that were read, or that another revision has, as the suite's next revision, a draft; `record` appends what belongs to
 * it in the same transaction. Throws `seal_rolled_back`.
 */
export async function sealContents(
  { database, seals, keys }: Opening,
  contents: SuiteContents,
  options: {
    by: string;
    file?: SealedFile;
    record?: (transaction: Database, name: RevisionName) => Promise<void>;
  },
): Promise<RevisionName> {
  const { suite } = contents;
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
      cases: cases.map((testCase) => ({
        digest: caseDigest(keys.caseDigest, testCase),
        expiresAt: expiresAt(testCase),
      })),
      spentAt: spentAt({ cases }),
      tripwires: cases.filter(isTripwire).length,
      sealedAt: options.file?.sealedAt,
      createdBy: options.by,
    },
    (transaction, name) =>
      sealForStorage(transaction, seals, bindRevision(keys, { ...name, digest, file }, text)),
    options.record,
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
    stored[index]?.position === index &&
    stored[index].caseDigest === caseDigest(keys.caseDigest, testCase) &&
    stored[index].expiresAt?.getTime() === expiresAt(testCase)?.getTime();
  if (stored.length !== contents.cases.length || !contents.cases.every(isItsOwn)) {
    throw notItsOwn(name, 'the identities of its cases, or their ends, are others');
  }
  if (row.spentAt?.getTime() !== spentAt(contents)?.getTime()) {
    throw notItsOwn(name, 'it is spent at another time');
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
    references: contents.references,
    contents: contents.cases.map(asAuthored),
  };
}

/** A case in the form in which it was authored; a tripwire pretends to be like any other. */
export function asAuthored(testCase: SealedCase) {
  const { input, steps, generate, ...rest } = disarmTripwire(testCase);
  return {
    ...rest,
    ...(input === undefined ? {} : { input: JSON.parse(input) }),
    ...(generate === undefined ? {} : { generate: true as const, runs: generate.runs }),
    ...(steps === undefined
      ? {}
      : { steps: steps.map((step) => ({ ...step, input: JSON.parse(step.input) })) }),
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

/** The first thing that is wrong, and how many more there are. */
function invalid([first, ...rest]: Finding[]): SuiteError {
  const what = first === undefined ? 'it is not a suite' : tellFinding(first);
  const more = rest.length === 0 ? '' : ` (and ${rest.length} more: \`holdback suite check\` tells all)`;
  return new SuiteError('suite_invalid', `${what}${more}`);
}
