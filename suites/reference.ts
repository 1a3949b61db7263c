/**
 * A reference: a build that a suite holds and whose verdict its author knows, so that the suite can be tried on it before it judges
 * anybody else's. It is sealed with the cases.
 */
import { z } from 'zod';
import { candidateBytesMax } from '../runners/protocol.ts';

export const referencesMax = 20;
/** All builds of a suite together, in bytes. */
export const referenceBytesMax = 32 << 20;

export const referenceNameSchema = z.string().min(1).max(100);

export const referenceSchema = z.strictObject({
  name: referenceNameSchema,
  build: z
    .string()
    .min(1)
    .refine((text) => text.isWellFormed(), { error: 'must be well-formed Unicode' })
    .refine((text) => Buffer.byteLength(text) <= candidateBytesMax, {
      error: `must have at most ${candidateBytesMax} bytes`,
    })
    .describe('The text of the build: one module, as a candidate is.'),
  verdict: z
    .enum(['merge', 'block'])
    .describe('`merge` for a build that is known to be right, `block` for one that is known to be wrong.'),
});
export type Reference = z.infer<typeof referenceSchema>;

export const referencesSchema = z
  .array(referenceSchema)
  .max(referencesMax)
  .refine(
    (references) =>
      references.reduce((sum, { build }) => sum + Buffer.byteLength(build), 0) <= referenceBytesMax,
    { error: `all builds together must have at most ${referenceBytesMax} bytes` },
  );
