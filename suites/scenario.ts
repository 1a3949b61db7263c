/** Scenarios: cases of several steps in one realm, in which a step's input may hand on the output of an earlier one. */
import { z } from 'zod';
import { depthMax } from '../runners/realm/value.ts';
import { carriedSchema, expectationSchema, sealedExpectationSchema } from './expectation.ts';

/** What is said of an `at` that leads nowhere. */
export const noPointer = 'is not a JSON Pointer';

/** So many steps may one scenario have. */
export const stepsMax = 100;

/** What is called if a case or a step does not say. */
export const usualCall = 'run';

export const callSchema = z
  .string()
  .max(200)
  .regex(/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u, 'is not a name that a module can export')
  .describe('The name of the export that is called. Left out, it is run.');

const stepNameSchema = z.string().min(1).max(200);

/** One step as it is authored in JSON. */
export const stepSchema = z
  .strictObject({
    name: stepNameSchema.optional(),
    call: callSchema.optional(),
    input: carriedSchema
      .optional()
      .describe(
        'What is called with. In it, {"$output": 0} stands for the output of the first step, {"$output": 0, "at": "/id"} for a part of that.',
      ),
    expect: expectationSchema.optional(),
  })
  .describe('One call. Without an expectation it is set-up, and must not throw.');

/** One step as it is sealed. `input` is carried JSON text. */
export const sealedStepSchema = z.strictObject({
  name: stepNameSchema.optional(),
  call: callSchema.optional(),
  input: z.string(),
  expect: sealedExpectationSchema.optional(),
});
export type SealedStep = z.infer<typeof sealedStepSchema>;

/** What is wrong with a reference to an output: where, in an input, and what. */
export type ReferenceFault = { path: (string | number)[]; detail: string };

/** A place in an input: a link for each level, because a path that is copied at every level takes the square of the depth. */
type Place = { key: string | number; up: Place } | undefined;

/** So many wrong references are told of one input. */
const faultsMax = 20;

/**
 * What is wrong with the references to outputs in the input of a step; undefined stands for a case without steps. What is deeper than can
 * be carried, where a tag is at most four levels of JSON, is not looked at: whoever carries it refuses it.
 */
export function findWrongReferences(input: unknown, step: number | undefined): ReferenceFault[] {
  if (!mentionsOutput(input)) return [];
  const faults: ReferenceFault[] = [];
  const pending: { node: unknown; place: Place; depth: number }[] = [
    { node: input, place: undefined, depth: 1 },
  ];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { place, depth } = next;
    let { node } = next;
    if (typeof node !== 'object' || node === null || depth > 4 * depthMax) continue;
    const isData = Object.keys(node).length === 1 && Object.hasOwn(node, '$object');
    if (isData) node = Reflect.get(node, '$object');
    if (typeof node !== 'object' || node === null) continue;
    if (!isData && Object.hasOwn(node, '$output')) {
      const detail = faultOfReference(node, step);
      if (detail !== undefined) faults.push({ path: pathOf(place), detail });
      if (faults.length === faultsMax) break;
      continue;
    }
    const isArray = Array.isArray(node);
    const up: Place = isData ? { key: '$object', up: place } : place;
    for (const [key, member] of Object.entries(node)) {
      if (typeof member !== 'object' || member === null) continue;
      pending.push({ node: member, place: { key: isArray ? Number(key) : key, up }, depth: depth + 1 });
    }
  }
  return faults;
}

function pathOf(place: Place): (string | number)[] {
  const path: (string | number)[] = [];
  for (let at = place; at !== undefined; at = at.up) path.push(at.key);
  return path.reverse();
}

/** Whether there is anything that could be a reference. Most inputs have none, and are not walked with all their paths. */
function mentionsOutput(input: unknown): boolean {
  const pending = [input];
  while (pending.length > 0) {
    const node = pending.pop();
    if (typeof node !== 'object' || node === null) continue;
    if (Object.hasOwn(node, '$output')) return true;
    for (const member of Object.values(node)) {
      if (typeof member === 'object' && member !== null) pending.push(member);
    }
  }
  return false;
}

function faultOfReference(reference: object, step: number | undefined): string | undefined {
  if (step === undefined) return 'only the input of a step can hand on an output';
  const { $output: output, at, ...others }: { $output?: unknown; at?: unknown } = { ...reference };
  const [stranger] = Object.keys(others);
  if (stranger !== undefined) return `a reference to an output has $output and at, not ${stranger}`;
  if (typeof output !== 'number' || !Number.isInteger(output) || output < 0 || output >= step) {
    const what = JSON.stringify(output)?.slice(0, 100) ?? 'that';
    return `${what} is not the number of an earlier step; the first is 0`;
  }
  if (at === undefined || (typeof at === 'string' && isPointer(at))) return undefined;
  return `${JSON.stringify(at).slice(0, 100)} ${noPointer}`;
}

/** RFC 6901. */
function isPointer(text: string): boolean {
  return /^(?:\/(?:[^~/]|~[01])*)*$/.test(text);
}
