/**
 * What the embedded database itself does for its journal: triggers put every row that is added, changed or removed into an outbox, in
 * the transaction that does it, and say so when it commits. Made by the program when it opens the database, and by no migration,
 * because PostgreSQL has a log of its own.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

/** Runs statements, one or several, and answers the rows of each. */
export type Exec = (statements: string) => Promise<{ rows: unknown[] }[]>;

/** The channel on which a commit says that there is something in the outbox. */
export const journalChannel = 'holdback_journal';

/** What an entry begins with that stands for a build; its digest follows. */
const buildMark = 'build ';

/** Of a row of the outbox, the entry as JSON text, and about how long it is, in bytes: both to be selected from `journal.outbox`. */
export const entryOf = ofBuildOr(
  `format('{"op":"insert","table":"candidates","rows":[%s]}', row_to_json(build))`,
  'what',
);
export const bytesOf = ofBuildOr('2 * octet_length(build.bytes)', 'octet_length(what)');

/** One expression about the `build` that an entry stands for, and one about any other entry. */
function ofBuildOr(ofBuild: string, other: string): string {
  const length = buildMark.length;
  return `CASE WHEN left(what, ${length}) = '${buildMark}'
    THEN (SELECT ${ofBuild} FROM public.candidates AS build WHERE build.digest = substr(what, ${length + 1}))
    ELSE ${other} END`;
}

const captureSql = `
CREATE SCHEMA IF NOT EXISTS journal;
CREATE TABLE IF NOT EXISTS journal.outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL);
-- It is compressed where it is written, if that is worth it.
ALTER TABLE journal.outbox ALTER COLUMN what SET STORAGE EXTERNAL;

CREATE OR REPLACE FUNCTION journal.keep(kept text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO journal.outbox (what) VALUES (kept);
  PERFORM pg_notify('${journalChannel}', '');
END;
$$;

CREATE OR REPLACE FUNCTION journal.keep_rows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  kept text;
BEGIN
  SELECT json_agg(changed)::text INTO kept FROM changed;
  IF kept IS NOT NULL THEN
    PERFORM journal.keep(format('{"op":"%s","table":"%s","rows":%s}', lower(TG_OP), TG_TABLE_NAME, kept));
  END IF;
  RETURN NULL;
END;
$$;

-- A thousand results are a few arrays: as many objects take ten times the space and the time.
CREATE OR REPLACE FUNCTION journal.keep_results() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  kept text;
BEGIN
  SELECT json_agg(json_build_object(
    'score_id', score_id, 'suite', suite, 'revision', revision, 'at', at, 'positions', positions::text, 'outcomes', outcomes::text,
    'passes', passes::text, 'durations', durations::text
  ))::text INTO kept
  FROM (
    SELECT score_id, suite, revision, at, array_agg(position) AS positions, array_agg(outcome) AS outcomes,
      array_agg(passed) AS passes, array_agg(duration_ms) AS durations
    FROM changed GROUP BY score_id, suite, revision, at
  ) AS grouped;
  IF kept IS NOT NULL THEN
    PERFORM journal.keep('{"op":"results","rows":' || kept || '}');
  END IF;
  RETURN NULL;
END;
$$;

-- A build never changes, and is long: it is read from its own table when it is written down.
CREATE OR REPLACE FUNCTION journal.keep_builds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM journal.keep('${buildMark}' || digest) FROM changed;
  RETURN NULL;
END;
$$;

-- Months of results are dropped whole, which no trigger of a table sees.
CREATE OR REPLACE FUNCTION journal.keep_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
  dropped text;
BEGIN
  FOR dropped IN
    SELECT object_name FROM pg_event_trigger_dropped_objects()
    WHERE object_type = 'table' AND schema_name = 'public' AND object_name ~ '^case_results_(\\d{4}_\\d{2}|default)$'
  LOOP
    PERFORM journal.keep(json_build_object(
      'op', 'drop', 'partition', dropped,
      'months', coalesce((
        SELECT json_agg(right(relname, 7)) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'public.case_results'::regclass AND relname <> 'case_results_default'
      ), '[]')
    )::text);
  END LOOP;
END;
$$;

CREATE OR REPLACE FUNCTION journal.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is kept in the journal row by row: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END;
$$;
`;

const listTables = `
SELECT relname AS name FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname`;

const dropTriggers = `
DO $$
DECLARE
  each record;
BEGIN
  FOR each IN
    SELECT tgname, tgrelid::regclass AS of_table FROM pg_trigger
    WHERE tgname IN ('journal_insert', 'journal_update', 'journal_delete', 'journal_truncate') AND tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', each.tgname, each.of_table);
  END LOOP;
END;
$$;
DROP EVENT TRIGGER IF EXISTS journal_drop;
COMMENT ON SCHEMA journal IS NULL;`;

/** What keeps new rows of a table, where it is something of its own. */
const keepersOfNew: Record<string, string> = { case_results: 'keep_results', candidates: 'keep_builds' };

function triggersOf(table: string): string {
  const rows = (op: string, transition: string) => {
    const keep = (op === 'INSERT' && keepersOfNew[table]) || 'keep_rows';
    return `CREATE TRIGGER journal_${op.toLowerCase()} AFTER ${op} ON public."${table}" REFERENCING ${transition} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION journal.${keep}();`;
  };
  return [
    rows('INSERT', 'NEW'),
    rows('UPDATE', 'NEW'),
    rows('DELETE', 'OLD'),
    `CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON public."${table}" FOR EACH STATEMENT EXECUTE FUNCTION journal.refuse();`,
  ].join('\n');
}

const namesSchema = z.array(z.object({ name: z.string() }));
const commentSchema = z.array(z.object({ comment: z.string().nullable() }));
const positionsSchema = z.tuple([
  z.object({ first: z.coerce.number().nullable(), last: z.coerce.number().nullable() }),
]);

/** Sees to it that every row that is committed from now on is in the outbox. */
export async function startCapture(exec: Exec): Promise<void> {
  const [tables, comments] = await exec(
    `${listTables}; SELECT obj_description(to_regnamespace('journal'), 'pg_namespace') AS comment`,
  );
  const names = namesSchema.parse(tables?.rows).map(({ name }) => name);
  const triggers = names.map(triggersOf).join('\n');
  const version = createHash('sha256').update(captureSql).update(triggers).digest('hex');
  if (commentSchema.parse(comments?.rows)[0]?.comment === version) return;
  await exec(`
    ${captureSql}
    ${dropTriggers}
    ${triggers}
    CREATE EVENT TRIGGER journal_drop ON sql_drop EXECUTE FUNCTION journal.keep_drop();
    COMMENT ON SCHEMA journal IS '${version}';`);
}

/** Takes the triggers off, for migrations: a snapshot follows these. What is in the outbox stays. */
export async function stopCapture(exec: Exec): Promise<void> {
  await exec(`CREATE SCHEMA IF NOT EXISTS journal; ${dropTriggers}`);
}

/** The numbers of the first and the last entry that the outbox holds; undefined where it holds none, or there is no outbox. */
export async function positionsOf(exec: Exec): Promise<{ first: number; last: number } | undefined> {
  const [there] = await exec("SELECT to_regclass('journal.outbox')::text AS name");
  if (z.array(z.object({ name: z.string().nullable() })).parse(there?.rows)[0]?.name == null)
    return undefined;
  const [found] = await exec('SELECT min(id) AS first, max(id) AS last FROM journal.outbox');
  const [{ first, last }] = positionsSchema.parse(found?.rows);
  return first === null || last === null ? undefined : { first, last };
}

/**
 * Empties the outbox if nothing is in it that follows this entry. One row stays, so that the database says of itself up to which
 * entry it goes.
 */
export async function emptyOutbox(exec: Exec, sequence: number): Promise<void> {
  await exec(`
    DO $$
    BEGIN
      IF coalesce((SELECT max(id) FROM journal.outbox), 0) <= ${sequence} THEN
        TRUNCATE journal.outbox;
        INSERT INTO journal.outbox (id, what) OVERRIDING SYSTEM VALUE VALUES (${sequence}, '');
        PERFORM setval(pg_get_serial_sequence('journal.outbox', 'id'), greatest(${sequence}, 1));
      END IF;
    END;
    $$`);
}
