/** What is wrong with a value that a schema refuses, in words for whoever wrote the value: the one place that words it. */
import type { ZodType, z } from 'zod';

/** One thing that is wrong: where, as the keys that lead there, and what. */
export type Fault = { path: PropertyKey[]; detail: string };

export type Read<Value> = { ok: true; value: Value } | { ok: false; faults: [Fault, ...Fault[]] };

/** So many faults are told at most: a large suite may have one in every case. */
const faultsMax = 20;
const shownCharsMax = 100;

/** Reads a value by a schema, or tells what is wrong with it, in the order of the value. */
export function readBy<Schema extends ZodType>(schema: Schema, value: unknown): Read<z.infer<Schema>> {
  const parsed = schema.safeParse(value, { error: wordIssue });
  if (parsed.success) return { ok: true, value: parsed.data };
  const [first = { path: [], detail: 'is not of the right form' }, ...rest] = faultsOf(
    parsed.error.issues,
    [],
  );
  return { ok: false, faults: [first, ...rest.slice(0, faultsMax - 1)] };
}

/** A text of somebody else's, quoted, and cut to a length that can be read. */
export function quoted(text: string): string {
  return JSON.stringify(text.length <= shownCharsMax ? text : `${text.slice(0, shownCharsMax)}…`);
}

type Issue = z.core.$ZodIssue;

function wordIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `must be ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      if (issue.input === undefined) return 'is missing';
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
    case 'invalid_format':
      return issue.format === 'uuid' ? 'must be a UUID' : undefined;
    case 'too_small':
      return `must ${measure(issue.origin)} at least ${least(issue)}${unit(issue.origin, issue.minimum)}`;
    case 'too_big':
      return `must ${measure(issue.origin)} at most ${issue.maximum}${unit(issue.origin, issue.maximum)}`;
    case 'invalid_union':
      return 'is not of any of the forms it may have';
    default:
      return undefined;
  }
}

const kinds: Record<string, string | undefined> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
};

function measure(origin: string): string {
  return origin === 'string' || origin === 'array' ? 'have' : 'be';
}

function least({
  minimum,
  inclusive,
}: {
  minimum: number | bigint;
  inclusive?: boolean | undefined;
}): string {
  return inclusive === false && minimum === 0 ? '1' : `${minimum}`;
}

function unit(origin: string, count: number | bigint): string {
  const units: Record<string, string | undefined> = { string: 'character', array: 'element' };
  const name = units[origin];
  return name === undefined ? '' : ` ${name}${Number(count) === 1 ? '' : 's'}`;
}

function faultsOf(issues: Issue[], above: PropertyKey[]): Fault[] {
  return issues.flatMap((issue) => {
    const path = [...above, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: [...path, key], detail: 'is not a known field' }));
    }
    if (issue.code === 'invalid_union') {
      const meant = nearest(issue.errors);
      if (meant !== undefined) return faultsOf(meant, path);
    }
    return [{ path, detail: issue.message }];
  });
}

/** The one form of several that was most likely meant: the fewest things are wrong with it. */
function nearest(forms: Issue[][]): Issue[] | undefined {
  const weights = forms.map(weigh);
  const least = Math.min(...weights);
  const [meant, another] = forms.filter((_, index) => weights[index] === least);
  return another === undefined ? meant : undefined;
}

function weigh(issues: Issue[]): number {
  // A value of another kind altogether was not meant as this form.
  const isOther = (issue: Issue) =>
    issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
  return issues.some(isOther) ? Number.POSITIVE_INFINITY : issues.length;
}
