/**
 * Reads a suite from a file: declarative cases in JSON or YAML, a module bundled into one text, or one that is sealed already.
 * What is checked here needs no service; the rest (patterns, JSON Schemas, tagged values, the cases of a module) is the service's
 * to check.
 */
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readBy } from '../suites/authoring/faults.ts';
import {
  caseFinding,
  type Finding,
  faultFindings,
  findCount,
  findReferenceTwins,
  findTwins,
  suiteFinding,
} from '../suites/authoring/finding.ts';
import { type Place, readSuiteText, type SuiteText } from '../suites/authoring/suite-text.ts';
import { authoredSuiteSchema, casesMax } from '../suites/suite.ts';
import { readBytes } from './build.ts';
import { buildsAsText } from './builds-as-text.ts';
import { BundleError, bundleModule } from './bundle.ts';
import { usageError } from './errors.ts';
import { bundleReferences } from './reference-files.ts';
import { type Findings, gather, type PlacedFinding, SuiteRefused } from './suite-refused.ts';

export type SuiteSourceFile = {
  path: string;
  /** The body of a request. Of JSON it is the file's own text, so that every key, escape and number arrives as it was written. */
  text: string;
  /** Where findings of the service are in the file. */
  place(finding: Finding): PlacedFinding;
} & (
  | { form: 'cases'; caseCount: number; name: string | undefined }
  /** What a module calls itself, its evaluation alone tells. */
  | { form: 'module' }
  | { form: 'sealed' }
);

/** How an age file in ASCII armour begins, whatever it is called. */
const sealedStart = '-----BEGIN AGE ENCRYPTED FILE-----';

const yamlExtensions = ['.yaml', '.yml'];
const moduleExtensions = ['.ts', '.mts', '.js', '.mjs', '.cjs'];

/** What an author's module imports as `holdback`: the helper of this very version, whether the package is installed there or not. */
const helper = fileURLToPath(
  new URL(`../suites/authoring/define-suite${extname(import.meta.url)}`, import.meta.url),
);

/** Reads a suite's file. Throws a SuiteRefused that says what to mend, and a usage error for what is no suite's file at all. */
export async function readSuiteSource(path: string): Promise<SuiteSourceFile> {
  const bytes = await readBytes(path);
  const text = new TextDecoder('latin1').decode(bytes);
  if (text.trimStart().startsWith(sealedStart))
    return {
      form: 'sealed',
      path,
      text: JSON.stringify({ sealed: text }),
      place: (one) => placed(one, path, null),
    };
  const extension = extname(path);
  if (extension === '.json') return readCases(path, decode(path, bytes), 'json');
  if (yamlExtensions.includes(extension)) return readCases(path, decode(path, bytes), 'yaml');
  if (!moduleExtensions.includes(extension)) {
    throw usageError(
      `${path} is no suite: a suite is a .json or .yaml file, a module in .ts, .js or .mjs, or what \`holdback suite seal\` wrote`,
    );
  }
  return readModule(path, decode(path, bytes));
}

/** A name that a suite's file may be meant for, if it does not say: that of the file without its endings. */
export function nameOfFile(path: string): string {
  const [start = ''] = basename(path).split('.');
  const name = start.replaceAll(/[^a-zA-Z0-9_-]/g, '-').replace(/^[^a-zA-Z0-9]+/, '');
  return name.slice(0, 100) || 'suite';
}

/** What a service found, at its places in the file. */
export function placeAll(source: SuiteSourceFile, findings: Finding[], more: number): Findings {
  return gather(findings.map(source.place), more);
}

async function readModule(path: string, source: string): Promise<SuiteSourceFile> {
  try {
    const bundled = await bundleModule(path, {
      keepNames: true,
      alias: { holdback: helper },
      plugins: [buildsAsText],
    });
    const text = JSON.stringify({ module: new TextDecoder().decode(bundled) });
    return { form: 'module', path, text, place: (one) => placed(one, path, placeOfName(source, one.case)) };
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    const findings = error.faults.map(({ file, place, text }) => {
      const finding = suiteFinding([], `cannot be bundled: ${text}`);
      return placed(finding, file === null ? path : join(dirname(path), file), place);
    });
    throw new SuiteRefused(path, gather(findings));
  }
}

async function readCases(path: string, text: string, form: 'json' | 'yaml'): Promise<SuiteSourceFile> {
  const written = readSuiteText(text, form);
  const { references, findings: ofFiles } = await bundleReferences(path, written.value);
  const read =
    references === undefined ? written : { ...written, value: withReferences(written.value, references) };
  const findings = [...findingsOf(read), ...ofFiles];
  const place = (one: Finding) => placed(one, path, read.placeOf(one.path));
  if (read.wrong.length > 0 || findings.length > 0) {
    const ofText = read.wrong.map((fault) => {
      const { detail, suggestion } = fault;
      return placed(findingAt(fault.path, read.value, detail, suggestion), path, fault.place);
    });
    throw new SuiteRefused(path, gather([...ofText, ...findings.map(place)]));
  }
  const { name, cases, module } = authoredSuiteSchema.parse(read.value);
  const body = form === 'json' ? withBuilds(text, read, references) : JSON.stringify(read.value);
  if (module !== undefined) return { form: 'module', path, text: body, place };
  return { form: 'cases', path, text: body, place, name, caseCount: cases?.length ?? 0 };
}

function withReferences(suite: unknown, references: unknown[]): object {
  return { ...Object(suite), references };
}

/** The text of a suite with other references: what is not a reference stays as it was written. */
function withBuilds(text: string, { rangeOf }: SuiteText, references: unknown[] | undefined): string {
  const range = rangeOf('references');
  if (references === undefined || range === null) return text;
  return `${text.slice(0, range[0])}${JSON.stringify(references)}${text.slice(range[1])}`;
}

/** All that a suite's value tells of what is wrong with it. */
function findingsOf({ value, wrong }: SuiteText): Finding[] {
  // What could not be read has no value to look at.
  if (value === undefined && wrong.length > 0) return [];
  const read = readBy(authoredSuiteSchema, value);
  const cases = at(value, 'cases');
  const authored: unknown[] = Array.isArray(cases) ? cases : [];
  const named = authored.flatMap((each, position) => {
    const name = at(each, 'name');
    return typeof name === 'string' ? [{ name, position }] : [];
  });
  const tripwires = authored.filter((each) => at(at(each, 'expect'), 'tripwire') === true).length;
  const isCounted = Array.isArray(cases) && authored.length <= casesMax;
  return [
    ...(read.ok ? [] : faultFindings(read.faults, (position) => nameAt(value, position))),
    ...(isCounted ? findCount({ cases: authored.length, tripwires, max: casesMax }) : []),
    ...findTwins(named),
    ...findReferenceTwins(namesOf(at(value, 'references'))),
  ];
}

function namesOf(references: unknown): (string | null)[] {
  if (!Array.isArray(references)) return [];
  return references.map((each) => {
    const name = at(each, 'name');
    return typeof name === 'string' ? name : null;
  });
}

function findingAt(path: PropertyKey[], value: unknown, detail: string, suggestion?: string): Finding {
  const [field, position, ...rest] = path;
  if (field !== 'cases' || typeof position !== 'number') return suiteFinding(path, detail, suggestion);
  return caseFinding({ name: nameAt(value, position), position }, rest, detail, suggestion);
}

function nameAt(value: unknown, position: number): string | null {
  const name = at(at(at(value, 'cases'), position), 'name');
  return typeof name === 'string' ? name : null;
}

function placed(finding: Finding, file: string, place: Place | null): PlacedFinding {
  return { ...finding, file, place };
}

/** Where a module writes the name of a case as a literal, if it does so once. */
function placeOfName(source: string, name: string | null): Place | null {
  if (name === null) return null;
  const literals = [JSON.stringify(name), `'${name}'`, `\`${name}\``];
  const offsets = literals.flatMap((literal) => {
    const first = source.indexOf(literal);
    if (first === -1) return [];
    return source.includes(literal, first + 1) ? [first, first] : [first];
  });
  const [offset] = offsets;
  if (offset === undefined || offsets.length > 1) return null;
  const before = source.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw usageError(`${path} is not UTF-8`, { cause });
  }
}

function at(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
