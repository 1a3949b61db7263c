/** Reads each part of a request by its route's schema. What is wrong is told by JSON pointers, with the names of cases. */
import type { FastifySchemaCompiler } from 'fastify';
import type { ZodType } from 'zod';
import { type Fault, quoted, readBy } from '../suites/authoring/faults.ts';
import { InvalidRequest } from './problems.ts';

/** Fastify's names of a request's parts, as a caller would call them. */
const partNames: Record<string, string | undefined> = {
  querystring: 'query',
  params: 'path',
};

export const validatorCompiler: FastifySchemaCompiler<ZodType> = ({ schema, httpPart = 'body' }) => {
  const part = partNames[httpPart] ?? httpPart;
  return (value: unknown) => {
    const repeated = part === 'query' ? findRepeated(value) : undefined;
    if (repeated !== undefined) return { error: new InvalidRequest([inPart(part, repeated, value)]) };
    // Fastify gives null where there is no body at all.
    const read = readBy(schema, part === 'body' && value === null ? undefined : value);
    if (read.ok) return { value: read.value };
    return { error: new InvalidRequest(read.faults.map((fault) => inPart(part, fault, value))) };
  };
};

/** A query's field that is given twice: which of the two is meant nobody can tell. */
function findRepeated(query: unknown): Fault | undefined {
  const [key] = Object.entries(Object(query)).find(([, value]) => Array.isArray(value)) ?? [];
  return key === undefined ? undefined : { path: [key], detail: 'is given more than once' };
}

function inPart(part: string, { path, detail }: Fault, value: unknown): { pointer: string; detail: string } {
  const name = nameOnTheWay(path, value);
  return {
    pointer: [part, ...path.map(pointerToken)].join('/'),
    detail: name === undefined ? detail : `${detail} (in ${quoted(name)})`,
  };
}

/** A JSON pointer's token (RFC 6901), cut where somebody sends a novel as a name. */
function pointerToken(key: PropertyKey): string {
  const token = String(key).replaceAll('~', '~0').replaceAll('/', '~1');
  return token.length <= 100 ? token : `${token.slice(0, 100)}…`;
}

/** The `name` of the array's element that the path leads through, as of a case in a suite. */
function nameOnTheWay(path: PropertyKey[], value: unknown): string | undefined {
  let at = value;
  for (const key of path) {
    at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
    const name: unknown =
      typeof key === 'number' && typeof at === 'object' && at !== null ? Reflect.get(at, 'name') : undefined;
    if (typeof name === 'string') return name;
  }
  return undefined;
}
