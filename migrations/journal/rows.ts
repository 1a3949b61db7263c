/** Reads all rows of all tables, table by table and some at a time, in the form in which a journal and a backup keep them. */
import { z } from 'zod';

/** Asks with parameters, and answers the rows. */
export type Query = (statement: string, parameters?: unknown[]) => Promise<unknown[]>;

/** At most so many rows are read at once, and where they are long, about so many bytes, however well these are compressed where they lie. */
const rowsMax = 1_000;
const bytesMax = 2 ** 20;

const tablesSchema = z.array(
  z.object({
    name: z.string(),
    keys: z.array(z.string()).min(1),
    types: z.array(z.string()),
    long: z.array(z.string()),
  }),
);
const pageSchema = z.tuple([
  z.object({ rows: z.string().nullable(), count: z.coerce.number(), last: z.array(z.string().nullable()) }),
]);

/** Every table of ours with the columns of its key, and those that are long. */
const listTables = `
SELECT relname AS name,
  array_agg(attname::text ORDER BY place) AS keys,
  array_agg(format_type(atttypid, atttypmod) ORDER BY place) AS types,
  ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = pg_class.oid AND a.atttypid = 'bytea'::regtype AND NOT a.attisdropped) AS long
FROM pg_class
JOIN pg_index ON indrelid = pg_class.oid AND indisprimary
CROSS JOIN unnest(indkey) WITH ORDINALITY AS key (number, place)
JOIN pg_attribute ON attrelid = pg_class.oid AND attnum = number
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
GROUP BY pg_class.oid, relname ORDER BY relname`;

/** Entries that add all rows, each as JSON text. Rows that are changed meanwhile are read before or after. */
export async function* readRows(query: Query): AsyncGenerator<{ entry: string; count: number }> {
  for (const { name, keys, types, long } of tablesSchema.parse(await query(listTables))) {
    const key = keys.map((column) => `"${column}"`).join(', ');
    const size = ['100', ...long.map((column) => `coalesce(octet_length("${column}"), 0)`)].join(' + ');
    const after = types.map((type, index) => `$${index + 1}::text::${type}`).join(', ');
    const last = `ARRAY[${keys.map((column) => `(array_agg(of_page."${column}" ORDER BY place DESC))[1]::text`).join(', ')}]`;
    const page = (where: string) => `
      SELECT json_agg(whole ORDER BY place)::text AS rows, count(*) AS count, ${last} AS last
      FROM (
        SELECT t AS whole, ${keys.map((column) => `t."${column}"`).join(', ')}, place
        FROM (
          SELECT ${key}, row_number() OVER w AS place, sum(${size}) OVER w - (${size}) AS before
          FROM (SELECT * FROM public."${name}" ${where} ORDER BY ${key} LIMIT ${rowsMax}) AS first_rows WINDOW w AS (ORDER BY ${key})
        ) AS placed
        JOIN public."${name}" AS t USING (${key})
        WHERE before < ${bytesMax}
      ) AS of_page`;
    for (let from: string[] | undefined; ; ) {
      const where = from === undefined ? '' : `WHERE (${key}) > (${after})`;
      const [{ rows, count, last: reached }] = pageSchema.parse(await query(page(where), from));
      // Of no rows nothing is the last.
      if (rows === null) break;
      yield { entry: `{"op":"add","table":"${name}","rows":${rows}}`, count };
      from = reached.flatMap((key) => key ?? []);
    }
  }
}
