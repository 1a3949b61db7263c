/** A case as it is authored, and as it is sealed. */
import { z } from 'zod';
import { carriedSchema, expectationSchema, sealedExpectationSchema } from './expectation.ts';
import { expiresSchema } from './expiry.ts';

const caseNameSchema = z.string().min(1).max(500);
export const tagsSchema = z.array(z.string().min(1).max(100)).max(50);

/** What of a case changes nothing of what it asks: whose it is, and from when on it is not asked any more. */
export const lifeFields = {
  owner: z.string().min(1).max(200).optional().describe('Whose it is.'),
  expires: expiresSchema
    .optional()
    .describe('From then on it is not asked any more: a day, which begins at midnight UTC, or an instant.'),
};

/** One holdback case as it is authored in JSON. */
export const caseSchema = z.strictObject({
  name: caseNameSchema,
  input: carriedSchema.optional().describe('What run is called with. Left out, it is undefined.'),
  expect: expectationSchema,
  tags: tagsSchema.optional(),
  ...lifeFields,
});
export type Case = z.infer<typeof caseSchema>;

/** A case as it is sealed. `input` is carried JSON text. */
export const sealedCaseSchema = z.strictObject({
  name: caseNameSchema,
  input: z.string(),
  expect: sealedExpectationSchema,
  tags: tagsSchema,
  ...lifeFields,
});
export type SealedCase = z.infer<typeof sealedCaseSchema>;
