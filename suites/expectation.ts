/** What a case requires of an observation, as it is authored and as it is sealed. */
import { z } from 'zod';

/** A value in which what JSON cannot say is tagged, as in `{"$undefined": true}`. */
export const carriedSchema = z.unknown();

const throwsSchema = z.union(
  [
    z.literal(true),
    z.strictObject({
      name: z.string().optional().describe("The error's name."),
      message: z.string().optional().describe('The source of a regular expression.'),
    }),
  ],
  { error: 'is true or {name?: "…", message?: "…"}' },
);

export const expectationKinds = [
  'equals',
  'strictEquals',
  'matches',
  'closeTo',
  'oneOf',
  'throws',
  'schema',
  'tripwire',
] as const;
export type ExpectationKind = (typeof expectationKinds)[number];

/** What is said where an expectation has none of the kinds, or several. */
export const oneKind = `an expectation has exactly one of ${expectationKinds.join(', ')}`;

/** What a case requires of an observation, declared: exactly one of the kinds. */
export const expectationSchema = z
  .strictObject({
    equals: carriedSchema.optional().describe("As Vitest's toEqual."),
    strictEquals: carriedSchema.optional().describe("As Vitest's toStrictEqual."),
    matches: carriedSchema.optional().describe("A subset, as Vitest's toMatchObject."),
    closeTo: z
      .strictObject({ value: carriedSchema, tolerance: z.number().nonnegative() })
      .optional()
      .describe('A number within the tolerance.'),
    oneOf: z.array(carriedSchema).min(1).optional().describe('One of these, each as with equals.'),
    throws: throwsSchema.optional().describe('That it throws: true, or which error.'),
    schema: z
      .union([z.boolean(), z.record(z.string(), z.unknown())], {
        error: 'is a JSON Schema: an object, true or false',
      })
      .optional()
      .describe('A JSON Schema.'),
    tripwire: z
      .literal(true)
      .optional()
      .describe(
        'No answer is wanted. The service makes one up that only who has seen the sealed suite can give.',
      ),
  })
  .refine((expectation) => Object.keys(expectation).length === 1, { error: oneKind })
  .meta({ minProperties: 1, maxProperties: 1 });
export type Expectation = z.infer<typeof expectationSchema>;

/** What a sealed case requires: a declared expectation, the predicate of its module, or nothing, where it is a tripwire. */
export const sealedExpectationSchema = z.union(
  [
    z.strictObject({ predicate: z.literal(true) }),
    z.strictObject({ tripwire: z.string().describe('The answer that nobody can know.') }),
    expectationSchema,
  ],
  { error: oneKind },
);

export type SealedExpectation = z.infer<typeof sealedExpectationSchema>;
