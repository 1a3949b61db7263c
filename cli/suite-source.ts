/**
 * Reads a suite from a file: declarative cases in JSON, a module bundled into one text, or one that is sealed already. What is checked here needs no
 * service; the rest (patterns, JSON Schemas, tagged values, the cases of a module) is the service's to check.
 */
import { extname } from 'node:path';
import { authoredSuiteSchema } from '../suites/suite.ts';
import { readBytes } from './build.ts';
import { bundleModule } from './bundle.ts';
import { usageError } from './errors.ts';

export type SuiteSourceFile =
  /** `text` is the file's own JSON, so that every key, escape and number arrives as it was written. */
  | { form: 'cases'; text: string; caseCount: number }
  | { form: 'module'; text: string }
  | { form: 'sealed'; text: string };

/** How an age file in ASCII armour begins, whatever it is called. */
const sealedStart = '-----BEGIN AGE ENCRYPTED FILE-----';

/** How many things that are wrong with a suite are told at once. */
const problemsMax = 10;

/** Reads and checks a suite's file; `text` is the body of a request. Throws a usage error that says what to mend. */
export async function readSuiteSource(path: string): Promise<SuiteSourceFile> {
  const bytes = await readBytes(path);
  const text = new TextDecoder('latin1').decode(bytes);
  if (text.trimStart().startsWith(sealedStart))
    return { form: 'sealed', text: JSON.stringify({ sealed: text }) };
  const extension = extname(path);
  if (extension === '.json') return readCases(path, bytes);
  if (!['.ts', '.mts', '.js', '.mjs', '.cjs'].includes(extension)) {
    throw usageError(
      `${path} is no suite: a suite is a .json file, a module in .ts, .js or .mjs, or what \`holdback suite seal\` wrote`,
    );
  }
  const bundled = await bundleModule(path, { keepNames: true });
  return { form: 'module', text: JSON.stringify({ module: new TextDecoder().decode(bundled) }) };
}

function readCases(path: string, bytes: Uint8Array): SuiteSourceFile {
  const text = decode(path, bytes);
  const source = parse(path, text);
  const checked = authoredSuiteSchema.safeParse(source);
  if (!checked.success)
    throw wrongSuite(
      path,
      checked.error.issues.map((issue) => placed(issue, source)),
    );
  const { cases, module } = checked.data;
  if (module !== undefined) return { form: 'module', text };
  const names = (cases ?? []).map(({ name }) => name);
  if (names.length === 0) throw wrongSuite(path, ['there is no case in it: a suite has at least one']);
  const left = new Set(names);
  const twice = names.filter((name) => !left.delete(name));
  if (twice.length > 0)
    throw wrongSuite(
      path,
      twice.map((name) => `two cases are called ${JSON.stringify(name)}`),
    );
  const lost = [...lostNumbers(at(source, 'cases'), [])];
  if (lost.length > 0)
    throw wrongSuite(
      path,
      lost.map((place) => placed(place, source)),
    );
  return { form: 'cases', text, caseCount: names.length };
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw usageError(`${path} is not UTF-8`, { cause });
  }
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw usageError(`${path} is not JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function wrongSuite(path: string, problems: string[]): Error {
  const told = problems.slice(0, problemsMax);
  const more = problems.length > told.length ? [`and ${problems.length - told.length} more`] : [];
  return usageError(`${path} is not a suite: ${[...told, ...more].join('; ')}`);
}

type Problem = { path: PropertyKey[]; message: string };

/** Numbers that would silently become others on the way: JSON can be read with them, but not written. */
function* lostNumbers(value: unknown, path: PropertyKey[]): Generator<Problem> {
  if (typeof value === 'object' && value !== null) {
    for (const [key, part] of Object.entries(value)) yield* lostNumbers(part, [...path, key]);
  }
  if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return;
  const tag = JSON.stringify({ $number: Object.is(value, -0) ? '-0' : String(value) });
  yield {
    path: ['cases', Number(path[0]), ...path.slice(1)],
    message: `JSON does not keep this number: write ${tag}`,
  };
}

/** What is wrong, with the case's name and the field. */
function placed({ path, message }: Problem, source: unknown): string {
  const [field, index, ...rest] = path;
  if (field !== 'cases' || typeof index !== 'number') return [...path.map(String), message].join(': ');
  const name = at(at(at(source, 'cases'), index), 'name');
  const called = typeof name === 'string' ? `case ${JSON.stringify(name)}` : `case ${index + 1}`;
  return `${called}: ${rest.length === 0 ? message : `${rest.map(String).join('.')}: ${message}`}`;
}

function at(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
