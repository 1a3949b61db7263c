/**
 * Generated cases: a case may make its inputs anew for every score, from a seed that is drawn then. And relations: what must hold between
 * the outputs for an input and for another that is made from it. Both are functions of a module; here is what else is known of them.
 */
import { z } from 'zod';

/** On how many inputs a generated case is run in one score. */
export const runsDefault = 100;
export const runsMax = 1_000;

/** So many times may one score call a candidate for one suite, the second inputs of relations included. */
export const trialsMax = 100_000;

/** The inputs of all cases of a suite may be this long together, in characters of carried JSON. */
export const inputsCharsMax = 64 << 20;

export const runsSchema = z.int().min(1).max(runsMax).describe('On how many inputs a generated case is run.');

/** What is sealed of a case that generates its inputs; the generator itself is in the module. */
export const generationSchema = z.strictObject({
  runs: runsSchema,
  /** The SHA-256 of the first inputs that the generator makes from a fixed seed, which tell what case it is. */
  sample: z.string().regex(/^[0-9a-f]{64}$/),
});

/** Where a generator's chance begins for one input: the state of xoroshiro128+, four 32-bit integers. */
export type ChanceState = [number, number, number, number];

/** The state that the first 16 bytes say. */
export function readState(bytes: Buffer): ChanceState {
  return [bytes.readInt32LE(0), bytes.readInt32LE(4), bytes.readInt32LE(8), bytes.readInt32LE(12)];
}

/** One input of a case as it was made, as carried JSON text, and with it the one that its relation made from it. */
export const drawnInputSchema = z.strictObject({ input: z.string(), related: z.string().optional() });
export type DrawnInput = z.infer<typeof drawnInputSchema>;

/** The inputs of one case in one score, or why there are none, which is the suite's fault and fails the case. */
export const drawnSchema = z.union([
  z.strictObject({ inputs: z.array(drawnInputSchema) }),
  z.strictObject({ problem: z.string() }),
]);
export type Drawn = z.infer<typeof drawnSchema>;

/** The smaller inputs next to a failing one; null for one that cannot be carried. */
export const smallerSchema = z.union([
  z.strictObject({ inputs: z.array(drawnInputSchema.nullable()) }),
  z.strictObject({ problem: z.string() }),
]);
export type Smaller = z.infer<typeof smallerSchema>;
