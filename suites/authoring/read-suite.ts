/**
 * From what an author wrote to the contents of a revision: the module is read in the grader, every case is checked there. All
 * that is wrong is found at once, so that it can be mended at once.
 */
import { limitsSchema } from '../../runners/protocol.ts';
import { type SealedCase, sealedCaseSchema } from '../case.ts';
import { SuiteError } from '../errors.ts';
import { type Listing, listedCaseSchema } from '../grader/protocol.ts';
import { type AuthoredSuite, casesMax, type SuiteContents, slugSchema } from '../suite.ts';
import { armTripwire, isTripwire } from '../tripwire.ts';
import { quoted, readBy } from './faults.ts';
import { caseFinding, type Finding, faultFindings, findCount, findTwins, suiteFinding } from './finding.ts';
import { readReferences } from './read-references.ts';

/** What reading a suite needs of the grader: somebody who reads modules and checks cases where that can do no harm. */
export type SuiteReader = {
  /** What a module holds, its cases in the form of authored JSON. Throws `suite_invalid`. */
  list(module: string): Promise<Listing & { script: string }>;
  /** For each case what is wrong with it, or `''`. Predicates are the script's, by the positions of their cases. */
  check(cases: PlacedCase[], script: string | undefined): Promise<string[]>;
  /** The texts of a script's predicates, by the positions of their cases; undefined where they cannot be had. */
  predicates(script: string): Promise<(string | null)[] | undefined>;
};

export type PlacedCase = { position: number; testCase: SealedCase };

/** A suite as it was read: all that is wrong with it, and its contents unless something is. */
export type ReadSuite = {
  /** What the suite calls itself. */
  name: string | null;
  cases: number;
  findings: Finding[];
  contents: SuiteContents | undefined;
};

/** Reads what an author wrote to be pushed as a suite of this name. Throws no error for anything that the author can mend. */
export async function readSuite(
  reader: SuiteReader,
  tripwireKey: Buffer,
  suite: string,
  source: AuthoredSuite,
): Promise<ReadSuite> {
  const listed = await listSource(reader, source);
  if ('finding' in listed) return { name: null, cases: 0, findings: [listed.finding], contents: undefined };
  const { cases: authored, script, problems } = listed;
  const about = problems.map(({ position, path, detail }) =>
    position === null
      ? suiteFinding(path, detail)
      : caseFinding({ name: nameOf(authored[position]), position }, path, detail, uncarriable),
  );
  const names = [listed.name, source.name].map((name) => readName(suite, name));
  const limits = readBy(limitsSchema, limitsOf(listed.limits, source.limits));
  const limitFaults = limits.ok ? [] : limits.faults;
  const held = readReferences(source.references ?? listed.references);
  if (authored.length > casesMax) {
    const findings = findCount({ cases: authored.length, tripwires: 0, max: casesMax });
    return { name: null, cases: authored.length, findings, contents: undefined };
  }
  const named = authored.flatMap((each, position) => {
    const name = nameOf(each);
    return name === null ? [] : [{ name, position }];
  });
  const told = new Set(problems.map(({ position }) => position));
  const read = authored.map((each, position) => (told.has(position) ? [] : readCase(each, position)));
  const placed = read.flatMap((each, position) =>
    'testCase' in each ? [{ position, testCase: armTripwire(tripwireKey, each.testCase) }] : [],
  );
  const checked = await reader.check(placed, script);
  const wrong = placed.flatMap(({ position, testCase: { name } }, index) => {
    const problem = checked[index] ?? '';
    return problem === '' ? [] : [caseFinding({ name, position }, [], problem)];
  });
  const ofCases = [
    ...about,
    ...read.flatMap((each) => ('testCase' in each ? [] : each)),
    ...wrong,
    ...findTwins(named),
  ];
  const tripwires = placed.filter(({ testCase }) => isTripwire(testCase)).length;
  const findings = [
    ...new Map(names.flatMap(({ findings }) => findings).map((each) => [each.detail, each])).values(),
    ...limitFaults.map(({ path, detail }) => suiteFinding(['limits', ...path], detail)),
    ...held.findings,
    ...findCount({ cases: authored.length, tripwires, max: casesMax }),
    ...ofCases.toSorted((a, b) => (a.position ?? -1) - (b.position ?? -1)),
  ];
  const name = names.find((each) => each.name !== null)?.name ?? null;
  if (findings.length > 0 || !limits.ok)
    return { name, cases: authored.length, findings, contents: undefined };
  const cases = placed.map(({ testCase }) => testCase);
  const hasPredicates = cases.some(({ expect }) => 'predicate' in expect);
  const contents = {
    suite,
    cases,
    limits: limits.value,
    references: held.references,
    ...(hasPredicates && script !== undefined ? { script } : {}),
  };
  return { name, cases: cases.length, findings, contents };
}

const uncarriable = 'docs/values.md lists what can be carried';

type Listed = Listing & { script: string | undefined };

async function listSource(
  reader: SuiteReader,
  source: AuthoredSuite,
): Promise<Listed | { finding: Finding }> {
  const { module, cases = [] } = source;
  if (module === undefined) return { cases, problems: [], script: undefined };
  try {
    return await reader.list(module);
  } catch (error) {
    if (!(error instanceof SuiteError && error.code === 'suite_invalid')) throw error;
    return { finding: suiteFinding([], error.message) };
  }
}

function readName(suite: string, given: unknown): { name: string | null; findings: Finding[] } {
  if (given === undefined) return { name: null, findings: [] };
  const read = readBy(slugSchema, given);
  if (!read.ok) return { name: null, findings: [suiteFinding(['name'], read.faults[0].detail)] };
  if (read.value === suite) return { name: suite, findings: [] };
  const detail = `the suite calls itself ${quoted(read.value)}, and would be pushed as ${quoted(suite)}`;
  const finding = suiteFinding(['name'], detail, `push it as ${read.value}, or change its name`);
  return { name: read.value, findings: [finding] };
}

/** The case as it is sealed, or all that is wrong with its form. */
function readCase(authored: unknown, position: number): { testCase: SealedCase } | Finding[] {
  const about = { name: nameOf(authored), position };
  const isObject = typeof authored === 'object' && authored !== null;
  if (isObject && Reflect.get(authored, 'expect') === undefined) {
    const others = readBy(listedCaseSchema.omit({ expect: true }), withoutExpectation(authored));
    const faults = others.ok ? [] : others.faults;
    const rest = faults.map(({ path, detail }) => caseFinding(about, path, detail));
    return [...rest, caseFinding(about, ['expect'], 'is missing')];
  }
  const read = readBy(listedCaseSchema, authored);
  if (!read.ok) {
    const faults = read.faults.map(({ path, detail }) => ({ path: ['cases', position, ...path], detail }));
    return faultFindings(faults, () => about.name);
  }
  const { expect, tags, owner, expires } = read.value;
  const hasInput = isObject && Object.hasOwn(authored, 'input');
  try {
    const testCase = {
      name: read.value.name,
      input: hasInput ? JSON.stringify(read.value.input, tagNumbers) : '{"$undefined":true}',
      // Nothing in these two is a carried value that a tag could stand for, or needs one.
      expect:
        'schema' in expect || 'closeTo' in expect ? expect : JSON.parse(JSON.stringify(expect, tagNumbers)),
      tags: tags ?? [],
      ...(owner === undefined ? {} : { owner }),
      ...(expires === undefined ? {} : { expires }),
    };
    return { testCase: sealedCaseSchema.parse(testCase) };
  } catch (cause) {
    // The stack ended: JSON.parse takes any depth, and nothing else does.
    if (cause instanceof RangeError) return [caseFinding(about, [], 'it is nested too deep')];
    throw cause;
  }
}

function withoutExpectation(authored: object): object {
  return Object.fromEntries(Object.entries(authored).filter(([key]) => key !== 'expect'));
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

function nameOf(authored: unknown): string | null {
  const name: unknown =
    typeof authored === 'object' && authored !== null ? Reflect.get(authored, 'name') : undefined;
  return typeof name === 'string' ? name : null;
}
