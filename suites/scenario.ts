/** Scenarios: cases of several steps in one realm, in which a step's input may hand on the output of an earlier one. */
import { z } from 'zod';
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

/** What is wrong with the references to outputs in the input of a step; undefined stands for a case without steps. */
export function findWrongReferences(input: unknown, step: number | undefined): ReferenceFault[] {
  if (!mentionsOutput(input)) return [];
  const faults: ReferenceFault[] = [];
  const pending: { node: unknown; path: (string | number)[] }[] = [{ node: input, path: [] }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path } = next;
    let { node } = next;
    if (typeof node !== 'object' || node === null) continue;
    const isData = Object.keys(node).length === 1 && Object.hasOwn(node, '$object');
    if (isData) node = Reflect.get(node, '$object');
    if (typeof node !== 'object' || node === null) continue;
    if (!isData && Object.hasOwn(node, '$output')) {
      const detail = faultOfReference(node, step);
      if (detail !== undefined) faults.push({ path, detail });
      continue;
    }
    const isArray = Array.isArray(node);
    const above = isData ? [...path, '$object'] : path;
    for (const [key, member] of Object.entries(node)) {
      if (typeof member !== 'object' || member === null) continue;
      pending.push({ node: member, path: [...above, isArray ? Number(key) : key] });
    }
  }
  return faults;
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
