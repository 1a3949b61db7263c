/** A case as it is authored, and as it is sealed. */
import { z } from 'zod';
import {
  carriedSchema,
  expectationSchema,
  type SealedExpectation,
  sealedExpectationSchema,
} from './expectation.ts';
import { expiresSchema } from './expiry.ts';
import { fixtureFields } from './fixtures.ts';

import { generationSchema, runsSchema } from './generation.ts';

import { referenceNameSchema } from './reference.ts';

import {
  callSchema,
  findWrongReferences,
  type SealedStep,
  sealedStepSchema,
  stepSchema,
  stepsMax,
  usualCall,
} from './scenario.ts';

const caseNameSchema = z.string().min(1).max(500);
export const tagsSchema = z.array(z.string().min(1).max(100)).max(50);

/** What of a case changes nothing of what it asks: whose it is, and from when on it is not asked any more. */
export const lifeFields = {
  owner: z.string().min(1).max(200).optional().describe('Whose it is.'),
  expires: expiresSchema
    .optional()
    .describe('From then on it is not asked any more: a day, which begins at midnight UTC, or an instant.'),
};

/** What of a case is required in comparison with a build that the suite holds. */
const comparisonFields = {
  sameAs: referenceNameSchema
    .optional()
    .describe('A reference that is right: the output must equal its, on the same input.'),
  // Of less than this chance would decide.
  within: z
    .number()
    .min(2)
    .max(1_000)
    .optional()
    .describe(
      'So many times the processor time of the reference are allowed: that of sameAs, or else the first that is right.',
    ),
};

/** The fields of a case as it is authored in JSON. Which of them go together, `contradictionsOf` says. */
export const caseFields = {
  name: caseNameSchema,
  call: callSchema.optional(),
  input: carriedSchema.optional().describe('What is called with. Left out, it is undefined.'),
  expect: expectationSchema.optional(),
  steps: z
    .array(stepSchema)
    .min(1)
    .max(stepsMax)
    .optional()
    .describe('Calls one after the other in one realm, instead of call, input and expect.'),
  ...comparisonFields,
  ...fixtureFields,
  tags: tagsSchema.optional(),
  ...lifeFields,
};

/** One holdback case as it is authored in JSON. */
export const caseSchema = z
  .strictObject(caseFields)
  .superRefine((testCase, context) => {
    for (const { path, detail } of contradictionsOf(testCase)) {
      context.addIssue({ code: 'custom', path, message: detail });
    }
  })
  .meta({ anyOf: [{ required: ['expect'] }, { required: ['sameAs'] }, { required: ['steps'] }] });
export type Case = z.infer<typeof caseSchema>;

/** What is said of a scenario that requires nothing. */
export const noStepExpects = 'no step says what is required of it';
/** What is said of a field that only a case without steps may have. */
export const belongsToSteps = 'is for a case without steps';
const belongsToPlain = 'is for a case without http';

/** What of a case does not go together, though each field may be right by itself. Anything may be asked about. */
export function contradictionsOf(testCase: unknown): { path: (string | number)[]; detail: string }[] {
  if (typeof testCase !== 'object' || testCase === null) return [];
  const of = (holder: unknown, key: string): unknown =>
    typeof holder === 'object' && holder !== null ? Reflect.get(holder, key) : undefined;
  const steps = of(testCase, 'steps');
  if (steps === undefined) {
    const wrong = findWrongReferences(of(testCase, 'input'), undefined);
    return [
      ...wrong.map(({ path, detail }) => ({ path: ['input', ...path], detail })),
      ...(['expect', 'relate', 'sameAs'].every((field) => of(testCase, field) === undefined)
        ? [{ path: ['expect'], detail: 'is missing' }]
        : []),
      ...(of(testCase, 'sameAs') !== undefined && of(testCase, 'http') !== undefined
        ? [{ path: ['sameAs'], detail: belongsToPlain }]
        : []),
      ...findWrongMaking((key) => of(testCase, key)),
    ];
  }
  const strays = ['call', 'input', 'expect', 'sameAs', 'generate', 'runs', 'relate'].filter(
    (field) => of(testCase, field) !== undefined,
  );
  const listed: unknown[] = Array.isArray(steps) ? steps : [];
  const requires = listed.some((step) => of(step, 'expect') !== undefined);
  return [
    ...strays.map((field) => ({ path: [field], detail: belongsToSteps })),
    ...(listed.length > 0 && !requires ? [{ path: ['steps'], detail: noStepExpects }] : []),
    ...listed.flatMap((step, index) =>
      findWrongReferences(of(step, 'input'), index).map(({ path, detail }) => ({
        path: ['steps', index, 'input', ...path],
        detail,
      })),
    ),
  ];
}

/** What does not go together in how the inputs of a case are made, and what is required of them. */
function findWrongMaking(field: (key: string) => unknown): { path: string[]; detail: string }[] {
  const [isGenerated, isRelated] = [field('generate') !== undefined, field('relate') !== undefined];
  const expect = field('expect');
  const isTripwire = typeof expect === 'object' && expect !== null && 'tripwire' in expect;
  return [
    ...(isGenerated && field('input') !== undefined
      ? [{ path: ['input'], detail: 'is made by generate, so that there is no other' }]
      : []),
    ...(!isGenerated && field('runs') !== undefined
      ? [{ path: ['runs'], detail: 'is for a case that generates its inputs' }]
      : []),
    ...(isTripwire && (isGenerated || isRelated)
      ? [{ path: ['expect'], detail: 'a tripwire has one input, and no relation' }]
      : []),
  ];
}

/** A case as it is sealed. `input` is carried JSON text; a scenario has `steps` instead. */
export const sealedCaseSchema = z.strictObject({
  name: caseNameSchema,
  call: callSchema.optional(),
  input: z.string().optional(),
  expect: sealedExpectationSchema.optional(),
  steps: z.array(sealedStepSchema).min(1).max(stepsMax).optional(),
  ...comparisonFields,
  ...fixtureFields,
  /** Instead of an input. */
  generate: generationSchema.optional(),
  /** That its outputs must be related, by a function of the module. */
  relate: z.literal(true).optional(),
  tags: tagsSchema,
  ...lifeFields,
});
export type SealedCase = z.infer<typeof sealedCaseSchema>;

/** A case as its author reads it: as it is authored, but that a predicate is only told to be there. */
const openedExpectationSchema = z.record(z.string(), z.unknown()).optional();
export const openedCaseSchema = z.strictObject({
  ...caseFields,
  expect: openedExpectationSchema,
  steps: z.array(stepSchema.extend({ expect: openedExpectationSchema })).optional(),
  generate: z.literal(true).optional().describe('That a function of its module makes its inputs.'),
  runs: runsSchema.optional(),
  relate: z.literal(true).optional().describe('That a function of its module relates its outputs.'),
  tags: tagsSchema,
});

/** What run is called with where a case or a step gives no input. */
export const noInput = '{"$undefined":true}';

/** One call of a case, whether it is the only one or a step: what is called, with what, and what must come of it. */
export type CaseStep = {
  /** Undefined where the case has no steps. */
  step: number | undefined;
  name: string | undefined;
  call: string;
  input: string;
  /** Undefined for set-up. */
  expect: SealedExpectation | undefined;
};

/** The calls of a case: its steps, or the one call that a plain case is. */
export function stepsOf({ call, input, expect, steps }: Omit<SealedCase, 'name' | 'tags'>): CaseStep[] {
  if (steps !== undefined) return steps.map((each, step) => caseStep(each, step));
  return [caseStep({ call, input: input ?? noInput, expect }, undefined)];
}

function caseStep({ name, call, input, expect }: SealedStep, step: number | undefined): CaseStep {
  return { step, name, call: call ?? usualCall, input, expect };
}

/** What a case requires, step by step. */
export function expectationsOf(testCase: SealedCase): SealedExpectation[] {
  return stepsOf(testCase).flatMap(({ expect }) => (expect === undefined ? [] : [expect]));
}

/** Whether a case asks a predicate of its module. */
export function hasPredicate(testCase: SealedCase): boolean {
  return expectationsOf(testCase).some((expect) => 'predicate' in expect);
}

/** Whether functions of its module belong to a case: a predicate, a generator, a relation. */
export function hasFunctions(testCase: SealedCase): boolean {
  return hasPredicate(testCase) || testCase.generate !== undefined || testCase.relate === true;
}

/**
 * Whether a case is observed step by step, with the requests that were made: see `runners/case-run.ts`. One that is not is a
 * single call, and its observation what came of that.
 */
export function isScenario({ steps, http }: Omit<SealedCase, 'name' | 'tags'>): boolean {
  return steps !== undefined || http !== undefined;
}

/** The case with each of its expectations replaced. */
export function mapExpectations(
  testCase: SealedCase,
  map: (expect: SealedExpectation, input: string) => SealedExpectation,
): SealedCase {
  const { steps, expect, input = noInput } = testCase;
  return {
    ...testCase,
    ...(expect === undefined ? {} : { expect: map(expect, input) }),
    ...(steps === undefined
      ? {}
      : {
          steps: steps.map((step) =>
            step.expect === undefined ? step : { ...step, expect: map(step.expect, step.input) },
          ),
        }),
  };
}
