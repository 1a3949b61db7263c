/** One case as its author writes it by itself, in YAML or JSON, and what is found in it. One schema each, for both ends. */
import { z } from 'zod';
import { findingSchema, findingsMax } from './finding.ts';

/** A case's text has at most so many characters: whoever needs more writes a file, and pushes that. */
export const caseCharsMax = 64 << 10;

export const caseTextSchema = z.strictObject({
  text: z
    .string()
    .max(caseCharsMax)
    .describe('One case as in a suite: its name, its input, what is expected.'),
  form: z.enum(['yaml', 'json']).default('yaml'),
});
export type CaseText = z.infer<typeof caseTextSchema>;

/** A case among the others of a revision. */
export const caseAmongSchema = z.strictObject({
  ...caseTextSchema.shape,
  revision: z
    .int()
    .positive()
    .optional()
    .describe(
      'The revision whose limits, references and other cases it goes with; the active one unless said.',
    ),
  replaces: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe('The name of the case that it is to take the place of.'),
});
export type CaseAmong = z.infer<typeof caseAmongSchema>;

/** What is wrong in a case's text, and where. */
export const caseFindingSchema = findingSchema.pick({ path: true, detail: true, suggestion: true }).extend({
  path: findingSchema.shape.path.describe('The keys that lead to the place, from the case, as ["expect"].'),
  place: z
    .strictObject({ line: z.int().positive(), column: z.int().positive() })
    .nullable()
    .describe('Where that is in the text, both from 1; null where no place is known.'),
});
export type CaseFinding = z.infer<typeof caseFindingSchema>;

/** All that is found; empty for a case that a revision can be made with. */
export const caseFindingsSchema = z.strictObject({
  findings: z.array(caseFindingSchema).max(findingsMax).describe('What is wrong with it, by its places.'),
  more: z.int().nonnegative().describe('How many more findings there are.'),
});
export type CaseFindings = z.infer<typeof caseFindingsSchema>;

/** A finding in a line: `line 3, column 5: expect: what is wrong (what to do)`. */
export function tellCaseFinding({ path, detail, suggestion, place }: CaseFinding): string {
  const at = place === null ? [] : [`line ${place.line}, column ${place.column}`];
  const keys = path.length === 0 ? [] : [path.join('.')];
  return `${[...at, ...keys, detail].join(': ')}${suggestion === undefined ? '' : ` (${suggestion})`}`;
}
