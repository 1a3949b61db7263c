/** The JSON Schema of a suite's file, for editors: made from the schemas that read it, so that it cannot say anything else. */
import { z } from 'zod';
import { caseSchema } from '../case.ts';
import { authoredSuiteSchema, casesMax } from '../suite.ts';

// A module has a file of its own.
const { module: _module, ...fields } = authoredSuiteSchema.shape;
const fileSchema = z.strictObject({ ...fields, cases: z.array(caseSchema).min(1).max(casesMax) });

/** The text of suite.schema.json. Draft 7 is what editors know best. */
export function suiteFileSchemaText(): string {
  const schema = z.toJSONSchema(fileSchema, { target: 'draft-7', io: 'input' });
  const about = {
    title: 'A holdback suite',
    description: 'Cases with declared expectations, in JSON or YAML.',
  };
  return `${JSON.stringify({ ...about, ...schema }, null, 2)}\n`;
}
