/**
 * One case, read as if it stood among those of a revision: with the suite's limits and references, because it is run under those and may
 * be compared with these, and with everything asked that holds for all cases together.
 */
import { type Case, caseSchema, type SealedCase } from '../case.ts';
import { caseDigest } from '../case-digest.ts';
import type { SuiteContents } from '../suite.ts';
import type { CaseFinding, CaseFindings, CaseText } from './case-text.ts';
import { readBy } from './faults.ts';
import { caseFinding, type Finding, faultFindings, findingsMax } from './finding.ts';
import type { Authoring } from './make-revision.ts';
import { readSuite } from './read-suite.ts';
import { readSuiteText } from './suite-text.ts';

/** The case as it would be sealed, or all that is wrong with it. */
export type ReadCase = { testCase: SealedCase } | { findings: Finding[] };

type CaseReading = Pick<Authoring, 'reader' | 'tryBuild' | 'keys'>;

/** Reads a case that is to be among those of `before`, in the place of the one at the position `replaces`, or as one more. */
export async function readCase(
  { reader, tryBuild, keys }: CaseReading,
  before: SuiteContents,
  authored: Case,
  replaces?: number,
): Promise<ReadCase> {
  const { suite, limits, references } = before;
  const among = before.cases.filter((_, position) => position !== replaces);
  const source = { cases: [authored], limits, references };
  const read = await readSuite({ reader, tryBuild }, keys.tripwire, suite, source, among);
  const [testCase] = read.contents?.cases ?? [];
  if (testCase === undefined) return { findings: read.findings };
  const digest = caseDigest(keys.caseDigest, testCase);
  const replaced = before.cases.find((_, position) => position === replaces);
  // One that asked the same before may go on to: only its name or what else is known of it changes.
  if (replaced !== undefined && caseDigest(keys.caseDigest, replaced) === digest) return { testCase };
  const twin = among.find((each) => caseDigest(keys.caseDigest, each) === digest);
  if (twin === undefined) return { testCase };
  const detail = `suite ${suite} asks this already, as case ${JSON.stringify(twin.name)}`;
  return { findings: [caseFinding({ name: testCase.name, position: 0 }, [], detail, 'ask something else')] };
}

/** The same of a case's text: what is wrong with it is told with its places there. */
export async function readCaseText(
  reading: CaseReading,
  before: SuiteContents,
  { text, form }: CaseText,
  replaces?: number,
): Promise<{ testCase: SealedCase } | CaseFindings> {
  const { value, wrong, placeOf } = readSuiteText(text, form);
  const ofText = wrong.map(({ path, place, ...fault }) => ({ ...fault, path: path.map(keyOf), place }));
  // What could not be read has no value to look at.
  if (ofText.length > 0 && value === undefined) return gather(ofText);
  const placed = ({ position, path, detail, suggestion }: Finding): CaseFinding => {
    const within = position === null ? [] : path.slice(2);
    const place = position === null ? null : placeOf(within);
    return { path: within, detail, ...(suggestion === undefined ? {} : { suggestion }), place };
  };
  const parsed = readBy(caseSchema, value);
  if (!parsed.ok) {
    const faults = parsed.faults.map(({ path, detail }) => ({ path: ['cases', 0, ...path], detail }));
    return gather([...ofText, ...faultFindings(faults, () => null).map(placed)]);
  }
  if (ofText.length > 0) return gather(ofText);
  const read = await readCase(reading, before, parsed.value, replaces);
  return 'testCase' in read ? read : gather(read.findings.map(placed));
}

function keyOf(key: PropertyKey): string | number {
  return typeof key === 'number' ? key : String(key);
}

/** As many findings as are told at once, in the order of the text. */
function gather(findings: CaseFinding[]): CaseFindings {
  const sorted = findings.toSorted(
    (a, b) => (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0),
  );
  return { findings: sorted.slice(0, findingsMax), more: Math.max(0, sorted.length - findingsMax) };
}
