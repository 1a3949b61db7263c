/**
 * Puts the entries of a journal or backup into a database whose tables are empty: rows become what they were, to the last bit, and
 * whatever guards history, counts or derives when somebody appends to it is not asked.
 */
import { z } from 'zod';
import { DatabaseError } from '../errors.ts';
import type { Query } from './rows.ts';

/**
 * In a session of its own, so that nothing of it stays. Needs the right to set `session_replication_role`. An entry may be replayed over
 * rows that are newer than it, because a snapshot is read while rows are appended: those that follow it then make them what they are.
 */
const replaySql = `
CREATE FUNCTION pg_temp.replay_rows(op text, of_table text, given json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  of_key text;
  on_conflict text := '';
BEGIN
  SELECT string_agg(format('%I', attname), ', ' ORDER BY place) INTO of_key
  FROM pg_index CROSS JOIN unnest(indkey) WITH ORDINALITY AS key (number, place)
  JOIN pg_attribute ON attrelid = indrelid AND attnum = number
  WHERE indrelid = format('public.%I', of_table)::regclass AND indisprimary;
  IF op IN ('update', 'delete') THEN
    EXECUTE format(
      'DELETE FROM public.%1$I WHERE (%2$s) IN (SELECT %2$s FROM json_populate_recordset(NULL::public.%1$I, $1))', of_table, of_key
    ) USING given;
  END IF;
  IF op <> 'delete' THEN
    IF op = 'insert' THEN
      on_conflict := format('ON CONFLICT (%s) DO NOTHING', of_key);
    END IF;
    EXECUTE format(
      'INSERT INTO public.%1$I OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::public.%1$I, $1) %2$s',
      of_table, on_conflict
    ) USING given;
  END IF;
END;
$$;

CREATE FUNCTION pg_temp.replay_drop(of_partition text, months json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  month text := right(of_partition, 7);
BEGIN
  IF of_partition = 'case_results_default' THEN
    DELETE FROM case_results
    WHERE to_char(at AT TIME ZONE 'UTC', 'YYYY_MM') NOT IN (SELECT json_array_elements_text(months));
  ELSE
    DELETE FROM case_results WHERE to_char(at AT TIME ZONE 'UTC', 'YYYY_MM') = month;
  END IF;
END;
$$;

CREATE FUNCTION pg_temp.replay(entries json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  entry json;
BEGIN
  FOR entry IN SELECT * FROM json_array_elements(entries) LOOP
    IF entry->>'op' = 'drop' THEN
      PERFORM pg_temp.replay_drop(entry->>'partition', entry->'months');
      CONTINUE;
    END IF;
    IF entry->>'op' = 'results' OR entry->>'table' = 'case_results' THEN
      PERFORM make_result_partition(month) FROM (
        SELECT DISTINCT date_trunc('month', (of_row->>'at')::timestamptz, 'UTC') AS month FROM json_array_elements(entry->'rows') AS of_row
      ) AS months;
    END IF;
    IF entry->>'op' = 'results' THEN
      INSERT INTO case_results (score_id, suite, revision, position, outcome, passed, duration_ms, at)
      SELECT score_id, suite, revision, of_case.*, at
      FROM json_to_recordset(entry->'rows') AS kept (
        score_id uuid, suite text, revision integer, at timestamptz, positions text, outcomes text, passes text, durations text
      )
      CROSS JOIN unnest(
        kept.positions::integer[], kept.outcomes::text[], kept.passes::boolean[], kept.durations::double precision[]
      ) AS of_case
      ON CONFLICT (score_id, suite, position, at) DO NOTHING;
    ELSE
      PERFORM pg_temp.replay_rows(entry->>'op', entry->>'table', entry->'rows');
    END IF;
  END LOOP;
END;
$$`;

/** Numbers go on after the highest that was given. */
const continueNumbers = `
DO $$
DECLARE
  each record;
  highest bigint;
BEGIN
  FOR each IN
    SELECT attrelid::regclass AS of_table, attname AS of_column FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attidentity <> ''
  LOOP
    EXECUTE format('SELECT max(%I) FROM %s', each.of_column, each.of_table) INTO highest;
    PERFORM setval(pg_get_serial_sequence(each.of_table::text, each.of_column), coalesce(highest, 1), highest IS NOT NULL);
  END LOOP;
END;
$$`;

/** The first record of the audit that does not follow from the one before it. */
const auditFault = `
SELECT sequence::text FROM (
  SELECT sequence, hash, row_number() OVER w AS place,
    encode(sha256(convert_to(coalesce(lag(hash) OVER w, '') || E'\\n' || sequence || E'\\n' || entry, 'UTF8')), 'hex') AS due
  FROM audit WINDOW w AS (ORDER BY sequence)
) AS chained WHERE hash <> due OR sequence <> place ORDER BY sequence LIMIT 1`;

const faultsSchema = z.array(z.object({ sequence: z.string() }));

/**
 * Replays texts, each an array of entries as JSON, in one transaction, and answers what `finish` does, which runs in the same: what that
 * throws undoes all. Throws what the database throws, and `journal_damaged`.
 */
export async function replay<Answer>(
  query: Query,
  texts: Iterable<string>,
  finish: () => Promise<Answer>,
): Promise<Answer> {
  await query('BEGIN');
  try {
    await query('SET LOCAL session_replication_role = replica');
    for (const statement of replaySql.split(/;\n\n(?=CREATE)/)) await query(statement);
    for (const text of texts) await query('SELECT pg_temp.replay($1::text::json)', [text]);
    await query(continueNumbers);
    const [fault] = faultsSchema.parse(await query(auditFault));
    if (fault !== undefined) {
      throw new DatabaseError(
        'journal_damaged',
        `what was read does not hold together: record ${fault.sequence} of the audit does not follow from the one before it`,
      );
    }
    await query('SET LOCAL session_replication_role = origin');
    const answer = await finish();
    await query('COMMIT');
    return answer;
  } catch (error) {
    await query('ROLLBACK').catch(() => {});
    throw error;
  }
}
