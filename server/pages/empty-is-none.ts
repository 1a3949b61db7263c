/** A field of a form that was left empty: browsers send it all the same, and it means that nothing was asked. */
import { type ZodType, z } from 'zod';

/** The field as the schema reads it, or undefined where it is missing or empty. */
export function emptyIsNone<Output>(schema: ZodType<Output>) {
  return z
    .literal('')
    .transform(() => undefined)
    .or(schema)
    .optional();
}
