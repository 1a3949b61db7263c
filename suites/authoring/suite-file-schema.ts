/** The JSON Schema of a suite's file, for editors: made from the schemas that read it, so that it cannot say anything else. */
import { z } from 'zod';
import { caseSchema } from '../case.ts';
import { referenceSchema, referencesMax } from '../reference.ts';
import { authoredSuiteSchema, casesMax } from '../suite.ts';

// A module has a file of its own.
const { module: _module, ...fields } = authoredSuiteSchema.shape;
const fileSchema = z.strictObject({
  ...fields,
  cases: z.array(caseSchema).min(1).max(casesMax),
  references: z
    .array(
      z.union([
        referenceSchema,
        referenceSchema.omit({ build: true }).extend({
          file: z.string().min(1).describe('A module beside this file: the command bundles it.'),
        }),
      ]),
    )
    .max(referencesMax)
    .optional()
    .describe('Builds whose verdict is known. No revision is activated on which they do not behave.'),
});

/** The text of suite.schema.json. Draft 7 is what editors know best. */
export function suiteFileSchemaText(): string {
  const schema = z.toJSONSchema(fileSchema, { target: 'draft-7', io: 'input' });
  const about = {
    title: 'A holdback suite',
    description: 'Cases with declared expectations, in JSON or YAML.',
  };
  return `${JSON.stringify({ ...about, ...schema }, null, 2)}\n`;
}
