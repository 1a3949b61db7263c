/**
 * From what an author wrote to the contents of a revision: the module is read in the grader, every case is checked there. All
 * that is wrong is found at once, so that it can be mended at once.
 */
import type { z } from 'zod';
import { limitsSchema } from '../../runners/protocol.ts';
import {
  type CaseStep,
  contradictionsOf,
  hasFunctions,
  noInput,
  type SealedCase,
  sealedCaseSchema,
  stepsOf,
} from '../case.ts';
import { SuiteError } from '../errors.ts';
import type { SealedExpectation } from '../expectation.ts';
import { canonicalZone, zonesMax } from '../fixtures.ts';
import { runsDefault, trialsMax } from '../generation.ts';
import { type Listing, listedCaseSchema } from '../grader/protocol.ts';
import type { Reference } from '../reference.ts';
import { type AuthoredSuite, casesMax, type SuiteContents, slugSchema } from '../suite.ts';
import { armTripwire, isTripwire } from '../tripwire.ts';
import { quoted, readBy } from './faults.ts';
import { findUncompared } from './find-uncompared.ts';
import { caseFinding, type Finding, faultFindings, findCount, findTwins, suiteFinding } from './finding.ts';
import { readReferences } from './read-references.ts';
import { type DrawInputs, type Making, type Tried, tryInputs } from './try-inputs.ts';

/** What reading a suite needs of the grader: somebody who reads modules and checks cases where that can do no harm. */
export type SuiteReader = {
  /** What a module holds, its cases in the form of authored JSON. Throws `suite_invalid`. */
  list(module: string): Promise<Listing & { script: string }>;
  /** For each call what is wrong with it, or `''`. Predicates are the script's, by the positions of their cases and steps. */
  check(calls: PlacedCall[], script: string | undefined): Promise<string[]>;
  /** For each case at these positions what is wrong with the relation that the script gives it, or `''`. */
  checkRelations(positions: number[], script: string): Promise<string[]>;
  /** Makes inputs by the script's functions, with the script that makes inputs where there is one. */
  draw(sources: InputSources): DrawInputs;
  /** The script that makes inputs, as it is sealed with revisions that need it. */
  generator(): Promise<string>;
  /** The texts of a script's functions, by the positions of their cases; undefined where they cannot be had. */
  predicates(script: string): Promise<(string | null)[] | undefined>;
};

/** What keeps a build from being run by cases, or `''`. It is run where it can do no harm. */
export type TryBuild = (build: string, contents: Pick<SuiteContents, 'cases' | 'limits'>) => Promise<string>;
/** What inputs are made by: the suite's module, and the script that makes inputs. */
export type InputSources = { script?: string | undefined; generator?: string | undefined };

/** A call of the case at a position. */
export type PlacedCall = CaseStep & { position: number };

type PlacedCase = { position: number; testCase: SealedCase };

/** A suite as it was read: all that is wrong with it, and its contents unless something is. */
export type ReadSuite = {
  /** What the suite calls itself. */
  name: string | null;
  cases: number;
  findings: Finding[];
  contents: SuiteContents | undefined;
};

/**
 * Reads what an author wrote to be pushed as a suite of this name. `among` are cases that the suite has besides: what holds for all cases
 * together is asked of these too. Throws no error for anything that the author can mend.
 */
export async function readSuite(
  { reader, tryBuild }: { reader: SuiteReader; tryBuild: TryBuild },
  tripwireKey: Buffer,
  suite: string,
  source: AuthoredSuite,
  among: SealedCase[] = [],
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
  const count = authored.length + among.length;
  if (count > casesMax) {
    const findings = findCount({ cases: count, tripwires: 0, max: casesMax });
    return { name: null, cases: authored.length, findings, contents: undefined };
  }
  const named = authored.flatMap((each, position) => {
    const name = nameOf(each);
    return name === null ? [] : [{ name, position }];
  });
  const told = new Set(problems.map(({ position }) => position));
  const makings = authored.flatMap((each, position) => (told.has(position) ? [] : makingOf(each, position)));
  const isGenerated = makings.some(({ input }) => input === null);
  const generator = isGenerated ? await reader.generator() : undefined;
  const tried =
    script === undefined ? new Map() : await tryInputs(reader.draw({ script, generator }), makings);
  const read = authored.map((each, position) =>
    told.has(position) ? [] : readCase(each, position, tried.get(position)),
  );
  const placed = read.flatMap((each, position) =>
    'testCase' in each ? [{ position, testCase: armTripwire(tripwireKey, each.testCase) }] : [],
  );
  const calls = placed.flatMap(({ position, testCase }) =>
    stepsOf(testCase).map((call) => ({ ...call, input: tried.get(position)?.input ?? call.input, position })),
  );
  const checked = await reader.check(calls, script);
  const wrong = calls.flatMap(({ position, step }, index) => {
    const problem = checked[index] ?? '';
    const about = { name: nameOf(authored[position]), position };
    return problem === '' ? [] : [caseFinding(about, step === undefined ? [] : ['steps', step], problem)];
  });
  const related = placed.filter(({ testCase }) => testCase.relate === true);
  const relations =
    script === undefined
      ? []
      : await reader.checkRelations(
          related.map(({ position }) => position),
          script,
        );
  const wrongRelations = related.flatMap(({ position, testCase: { name } }, index) => {
    const problem = relations[index] ?? '';
    return problem === '' ? [] : [caseFinding({ name, position }, ['relate', 'hold'], problem)];
  });
  const ofCases = [
    ...about,
    ...read.flatMap((each) => ('testCase' in each ? [] : each)),
    ...wrong,
    ...wrongRelations,
    ...findZones(placed, among),
    ...findUncompared(placed, held.references),
    ...findTwins(
      named,
      among.map(({ name }) => name),
    ),
  ];
  const tripwires = [...among, ...placed.map(({ testCase }) => testCase)].filter(isTripwire).length;
  const findings = [
    ...new Map(names.flatMap(({ findings }) => findings).map((each) => [each.detail, each])).values(),
    ...limitFaults.map(({ path, detail }) => suiteFinding(['limits', ...path], detail)),
    ...held.findings,
    ...findCount({ cases: count, tripwires, max: casesMax }),
    ...findTrials([...among, ...placed.map(({ testCase }) => testCase)]),
    ...ofCases.toSorted((a, b) => (a.position ?? -1) - (b.position ?? -1)),
  ];
  const name = names.find((each) => each.name !== null)?.name ?? null;
  if (findings.length === 0 && limits.ok) {
    const asked = { cases: placed.map(({ testCase }) => testCase), limits: limits.value };
    findings.push(...(await tryReferences(tryBuild, held.references, asked)));
  }
  if (findings.length > 0 || !limits.ok)
    return { name, cases: authored.length, findings, contents: undefined };
  const cases = placed.map(({ testCase }) => testCase);
  const hasScript = cases.some(hasFunctions);
  const contents = {
    suite,
    cases,
    limits: limits.value,
    references: held.references,
    ...(hasScript && script !== undefined ? { script } : {}),
    ...(generator === undefined ? {} : { generator }),
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
function readCase(
  authored: unknown,
  position: number,
  tried: Tried | undefined,
): { testCase: SealedCase } | Finding[] {
  const about = { name: nameOf(authored), position };
  const read = readBy(listedCaseSchema, authored);
  const faults = [...(read.ok ? [] : read.faults), ...contradictionsOf(authored)];
  if (!read.ok || faults.length > 0) {
    const placed = faults.map(({ path, detail }) => ({ path: ['cases', position, ...path], detail }));
    return faultFindings(placed, () => about.name);
  }
  const { input, expect, steps, generate, runs = runsDefault, tags = [], ...rest } = read.value;
  if (tried !== undefined && 'problem' in tried)
    return [caseFinding(about, [generate === true ? 'generate' : 'relate'], tried.problem)];
  const isPlain = steps === undefined;
  try {
    const testCase = {
      ...rest,
      ...(isPlain && generate === undefined ? { input: carriedText(hasInput(authored), input) } : {}),
      ...(generate === undefined ? {} : { generate: { runs, sample: tried?.sample } }),
      ...(expect === undefined ? {} : { expect: sealedExpectation(expect) }),
      ...(isPlain ? {} : { steps: steps.map((step, index) => sealedStep(step, stepAt(authored, index))) }),
      tags,
    };
    return { testCase: sealedCaseSchema.parse(testCase) };
  } catch (cause) {
    // The stack ended: JSON.parse takes any depth, and nothing else does.
    if (cause instanceof RangeError) return [caseFinding(about, [], 'it is nested too deep')];
    throw cause;
  }
}

/** What is made of a case's inputs by its functions, if it has any that are well-formed. */
function makingOf(authored: unknown, position: number): Making[] {
  const read = readBy(listedCaseSchema, authored);
  if (!read.ok || contradictionsOf(authored).length > 0) return [];
  const { generate, relate, input } = read.value;
  if (generate === undefined && relate === undefined) return [];
  return [{ position, input: generate ? null : carriedText(hasInput(authored), input) }];
}

/** That the cases call a candidate too often. */
function findTrials(cases: SealedCase[]): Finding[] {
  const trials = cases.reduce((sum, { generate, relate }) => {
    return sum + (generate?.runs ?? 1) * (relate === true ? 2 : 1);
  }, 0);
  if (trials <= trialsMax) return [];
  const detail = `they call a candidate ${trials} times in one score, and may do so ${trialsMax} times`;
  return [suiteFinding(['cases'], detail, 'lower the runs of cases that generate their inputs')];
}

type ListedStep = NonNullable<z.infer<typeof listedCaseSchema>['steps']>[number];

function sealedStep({ input, expect, ...rest }: ListedStep, authored: unknown): object {
  return {
    ...rest,
    input: carriedText(hasInput(authored), input),
    ...(expect === undefined ? {} : { expect: sealedExpectation(expect) }),
  };
}

function stepAt(authored: unknown, index: number): unknown {
  return Reflect.get(Object(Reflect.get(Object(authored), 'steps')), index);
}

function hasInput(authored: unknown): boolean {
  return typeof authored === 'object' && authored !== null && Object.hasOwn(authored, 'input');
}

function carriedText(isGiven: boolean, input: unknown): string {
  return isGiven ? JSON.stringify(input, tagNumbers) : noInput;
}

/** Nothing in a schema or a tolerance is a carried value that a tag could stand for, or needs one. */
function sealedExpectation(expect: SealedExpectation): unknown {
  return 'schema' in expect || 'closeTo' in expect ? expect : JSON.parse(JSON.stringify(expect, tagNumbers));
}

/** Of each build that the cases cannot be run on, why. */
async function tryReferences(
  tryBuild: TryBuild,
  references: Reference[],
  asked: Pick<SuiteContents, 'cases' | 'limits'>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [position, { build }] of references.entries()) {
    const problem = await tryBuild(build, asked);
    if (problem !== '') findings.push(suiteFinding(['references', position, 'build'], problem));
  }
  return findings;
}

/** That the cases are in too many time zones: the first case too many is told. */
function findZones(placed: PlacedCase[], among: SealedCase[]): Finding[] {
  const known = among.flatMap(({ zone }) => (zone === undefined ? [] : [canonicalZone(zone) ?? zone]));
  const zones = new Set<string>(known);
  for (const { position, testCase } of placed) {
    const { name, zone } = testCase;
    if (zone !== undefined) zones.add(canonicalZone(zone) ?? zone);
    if (zones.size > zonesMax)
      return [caseFinding({ name, position }, ['zone'], `a suite has at most ${zonesMax} time zones`)];
  }
  return [];
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
