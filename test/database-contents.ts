/** All that the tables of a database hold, so that two databases can be held against each other row by row. */
import { z } from 'zod';
import type { OpenDatabase } from '../migrations/open-database.ts';

const namesSchema = z.array(z.object({ name: z.string() }));
const rowsSchema = z.array(z.object({ row: z.string() }));

/** The rows of every table by its name, each as JSON text, in an order that does not depend on where they lie. */
export async function contentsOf({ run }: Pick<OpenDatabase, 'run'>): Promise<Record<string, string[]>> {
  const { rows: tables } = await run(`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname`);
  const contents: Record<string, string[]> = {};
  for (const { name } of namesSchema.parse(tables)) {
    const { rows } = await run(`SELECT to_json(t)::text AS row FROM public."${name}" AS t`);
    contents[name] = rowsSchema
      .parse(rows)
      .map(({ row }) => row)
      .toSorted();
  }
  return contents;
}
