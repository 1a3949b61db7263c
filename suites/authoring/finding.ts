/** What is wrong with a suite, in words for its author: where, what, and what to do. One schema for the service and the command. */
import { z } from 'zod';
import { oneKind } from '../expectation.ts';
import { type Fault, quoted } from './faults.ts';
import { suggestionFor } from './suggestion.ts';

/** So many findings are told at once: a large suite may have one in every case. */
export const findingsMax = 20;

export const findingSchema = z.strictObject({
  case: z.string().nullable().describe('The name of the case, if it is about one that has a name.'),
  position: z.int().nonnegative().nullable().describe('The position of the case among the cases, from 0.'),
  path: z
    .array(z.union([z.string(), z.int()]))
    .describe('The keys that lead to the place, from the suite, as ["cases", 0, "expect"].'),
  detail: z.string().describe('What is wrong there.'),
  suggestion: z.string().optional().describe('What to do.'),
});
export type Finding = z.infer<typeof findingSchema>;

/** A finding about the suite itself. */
export function suiteFinding(path: PropertyKey[], detail: string, suggestion?: string): Finding {
  return finding(null, null, path, detail, suggestion);
}

/** A finding about a case; `path` begins in the case. */
export function caseFinding(
  { name, position }: { name: string | null; position: number },
  path: PropertyKey[],
  detail: string,
  suggestion?: string,
): Finding {
  return finding(name, position, ['cases', position, ...path], detail, suggestion);
}

function finding(
  name: string | null,
  position: number | null,
  path: PropertyKey[],
  detail: string,
  suggestion = suggestionFor(path, detail),
): Finding {
  return {
    case: name,
    position,
    path: path.map((key) => (typeof key === 'number' ? key : String(key))),
    detail,
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

/** The faults of a suite's schema as findings; `name` tells the name of the case at a position. */
export function faultFindings(faults: Fault[], name: (position: number) => string | null): Finding[] {
  return faults.filter((fault) => !isSaidBelow(fault, faults)).map((fault) => faultFinding(fault, name));
}

/** An expectation of an unknown kind has no kind that is known: that is said once. */
function isSaidBelow({ path, detail }: Fault, faults: Fault[]): boolean {
  const isAbove = (other: Fault) =>
    other.path.length > path.length && path.every((key, index) => other.path[index] === key);
  return detail === oneKind && faults.some(isAbove);
}

function faultFinding({ path, detail }: Fault, name: (position: number) => string | null): Finding {
  const [field, position, ...rest] = path;
  if (field !== 'cases' || typeof position !== 'number')
    return suiteFinding(path, path.length === 0 ? `it ${detail}` : detail);
  const about = { name: name(position), position };
  return caseFinding(about, rest, rest.length === 0 ? `the case ${detail}` : detail);
}

/** That cases share a name, or have one that is taken: one finding for each case after the first of that name. */
export function findTwins(cases: { name: string; position: number }[], taken: string[] = []): Finding[] {
  const names = new Set(taken);
  return cases.flatMap((one) => {
    if (!names.has(one.name)) {
      names.add(one.name);
      return [];
    }
    return [caseFinding(one, ['name'], `two cases are called ${quoted(one.name)}`, 'give each its own name')];
  });
}

/** That references share a name: one finding for each after the first of that name. */
export function findReferenceTwins(names: (string | null)[]): Finding[] {
  return names.flatMap((name, position) => {
    if (name === null || names.indexOf(name) === position) return [];
    const detail = `two references are called ${quoted(name)}`;
    return [suiteFinding(['references', position, 'name'], detail, 'give each its own name')];
  });
}

/** That there is no case at all, or none besides tripwires, or too many. */
export function findCount(count: { cases: number; tripwires: number; max: number }): Finding[] {
  if (count.cases === 0) return [suiteFinding(['cases'], 'a suite has at least one case')];
  if (count.cases > count.max) return [suiteFinding(['cases'], `a suite has at most ${count.max} cases`)];
  if (count.cases > count.tripwires) return [];
  return [suiteFinding(['cases'], 'a suite has at least one case besides its tripwires')];
}

/** The finding in a sentence, with the case it is about. */
export function tellFinding({ case: name, position, path, detail, suggestion }: Finding): string {
  const keys = position === null ? path : path.slice(2);
  const called = name === null ? `case ${(position ?? 0) + 1}` : `case ${quoted(name)}`;
  const what = [
    ...(position === null ? [] : [called]),
    ...(keys.length === 0 ? [] : [keys.join('.')]),
    detail,
  ];
  return `${what.join(': ')}${suggestion === undefined ? '' : ` (${suggestion})`}`;
}
