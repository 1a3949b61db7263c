/**
 * A year of history for a bench, made inside PostgreSQL: so many scores with all that is appended with them, as rows that the service
 * itself could have appended. Triggers are off and indexes are made afterwards, so that it takes minutes.
 */
import type postgres from 'postgres';

export type SeededGate = {
  gate: string;
  /** How many of all scores are at this gate. */
  share: number;
  suites: SeededSuite[];
};
export type SeededSuite = { suite: string; cases: number; revisions: number };

/** How many changes there are for each score: most need more than one attempt. */
const changesPerScore = 0.45;

/**
 * Appends history that ends now. Each suite needs its revisions and each gate its policy before. Says how far it is by `say`.
 */
export async function seedHistory(
  client: postgres.Sql,
  { gates, scores }: { gates: SeededGate[]; scores: number },
  say: (what: string) => void,
): Promise<void> {
  const connection = await client.reserve();
  try {
    const run = async (what: string, statement: string) => {
      const started = performance.now();
      await connection.unsafe(statement);
      say(`${what}: ${((performance.now() - started) / 1_000).toFixed(1)} s`);
    };
    // Rows come as they would have been appended: nothing has to be checked for each of twenty million.
    await connection.unsafe(`
      SET session_replication_role = replica; SET maintenance_work_mem = '512MB'; SET work_mem = '256MB';
      SET synchronous_commit = off; SET jit = off; SELECT setseed(0.5)`);
    const dropped = await dropIndexes(connection);
    await run('attempts', attemptsOf(gates, scores));
    await run('scores', scoresStatement);
    await run('verdicts', verdictsStatement);
    await run('results of suites', suiteResultsStatement);
    await run('charges', chargesStatement);
    for (const month of await monthsOf(connection)) {
      await run(`results of cases, ${month.toISOString().slice(0, 7)}`, caseResultsStatement(month));
    }
    await run('escapes', escapesStatement);
    await run('flaky results', flakyStatement);
    for (const { name, definition } of dropped) await run(name, definition);
    await run('the rest', 'DROP TABLE seed_attempts, seed_results, seed_suites');
    for (const table of ['scores', 'verdicts', 'suite_results', 'case_results', 'charges', 'incidents'])
      await run(`vacuum of ${table}`, `VACUUM (ANALYZE) ${table}`);
    await run('vacuum of the rest', 'VACUUM (ANALYZE)');
  } finally {
    connection.release();
  }
}

type Dropped = { name: string; definition: string };

/** Drops the indexes of the large tables, and answers how to make them again. */
async function dropIndexes(connection: postgres.ReservedSql): Promise<Dropped[]> {
  const tables = ['scores', 'verdicts', 'suite_results', 'case_results', 'charges'];
  const constraints = await connection<{ table: string; name: string; definition: string }[]>`
    SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE contype IN ('p', 'u') AND conrelid::regclass::text IN ${connection(tables)}`;
  const names = new Set(constraints.map(({ name }) => name));
  const indexes = await connection<{ name: string; definition: string }[]>`
    SELECT indexname AS name, indexdef AS definition FROM pg_indexes WHERE tablename IN ${connection(tables)}`;
  // What refers to these is not checked meanwhile, and is found as it was.
  const foreign = await connection<{ table: string; name: string; definition: string }[]>`
    SELECT conrelid::regclass::text AS table, conname AS name, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE contype = 'f' AND confrelid::regclass::text IN ${connection(tables)}`;
  for (const { table, name } of [...foreign, ...constraints])
    await connection.unsafe(`ALTER TABLE ${table} DROP CONSTRAINT "${name}"`);
  const plain = indexes.filter(({ name }) => !names.has(name));
  for (const { name } of plain) await connection.unsafe(`DROP INDEX "${name}"`);
  return [
    ...constraints.map(({ table, name, definition }) => ({
      name,
      definition: `ALTER TABLE ${table} ADD CONSTRAINT "${name}" ${definition}`,
    })),
    ...plain.map(({ name, definition }) => ({ name, definition: definition.replace(' ONLY ', ' ') })),
    // They hold by construction, and were checked for no row of this.
    ...foreign.map(({ table, name, definition }) => ({
      name,
      definition: `ALTER TABLE ${table} ADD CONSTRAINT "${name}" ${definition} NOT VALID`,
    })),
  ];
}

/**
 * Every attempt of every change, with what decides how it comes out. A change is tried until it is green or given up; its author works
 * with one agent, and agents differ in how often they are right and in how far the visible tests believe them.
 */
function attemptsOf(gates: SeededGate[], scores: number): string {
  const shares = gates.map(({ share }) => share);
  const bounds = shares.map((_, index) => shares.slice(0, index).reduce((sum, share) => sum + share, 0));
  const suites = gates.flatMap(({ gate, suites: own }) =>
    own.map(
      ({ suite, cases, revisions }, place) => `('${gate}', '${suite}', ${cases}, ${revisions}, ${place})`,
    ),
  );
  return `
    CREATE UNLOGGED TABLE seed_suites AS
    SELECT * FROM (VALUES ${suites.join()}) AS own (gate, suite, cases, revisions, place);
    CREATE UNLOGGED TABLE seed_attempts AS
    WITH changes AS MATERIALIZED (
      SELECT number, date_trunc('milliseconds', now() - random() * interval '364 days' - interval '1 hour') AS begun, random() AS at_gate, random() AS diligence,
        (random() * random() * 50)::int AS author, random() AS tries, random() AS says
      FROM generate_series(1, ${Math.round(scores * changesPerScore)}) AS number
    ),
    attempts AS (
      SELECT changes.*, attempt, (1 + floor(-ln(1 - tries * 0.999) * 1.75))::int AS attempts, random() AS luck, random() AS visible_luck,
        random() AS took, random() AS pause, random() AS which
      FROM changes, generate_series(1, (1 + floor(-ln(1 - tries * 0.999) * 1.75))::int) AS attempt
      LIMIT ${scores}
    )
    SELECT gen_random_uuid() AS id,
      (ARRAY['${gates.map(({ gate }) => gate).join("','")}'])[width_bucket(at_gate * ${shares.reduce((sum, share) => sum + share, 0)}, ARRAY[${bounds.join()}]::float8[])] AS gate,
      'PR-' || number AS change_id, 'acme/shop-' || number % 9 AS repository, 'person-' || author AS author,
      CASE author % 7 WHEN 6 THEN NULL ELSE 'agent-' || author % 6 END AS agent,
      CASE author % 7 WHEN 6 THEN NULL ELSE 'model-' || author % 15 END AS model,
      attempt, attempt = attempts AND luck < 0.8 AS green, luck > 0.97 AS unsettled, luck,
      begun AS first_requested_at, date_trunc('milliseconds', least(begun + (attempt - 1) * (interval '9 minutes' + pause * interval '1 minute'), now())) AS requested_at,
      (400 - 700 * ln(1 - took * 0.9999))::bigint AS took_ms,
      CASE WHEN says < 0.85 THEN 40 END AS visible_total,
      CASE WHEN says < 0.85 THEN CASE WHEN visible_luck < 0.9 THEN 40 ELSE 37 END END AS visible_passed,
      which, 'sha256:' || md5(number || '-' || attempt) || md5(attempt || '-' || number) AS candidate
    FROM attempts
    ORDER BY requested_at;
    ANALYZE seed_attempts`;
}

const scoresStatement = `
  INSERT INTO scores (
    id, gate, policy_version, change_id, commit, repository, author, agent, model, candidate, requested_at, requested_by, deadline_at,
    request_digest, attempt, first_requested_at, visible_passed, visible_total
  )
  SELECT id, gate, 1, change_id, md5(candidate), repository, author, agent, model, candidate, requested_at, 'seed',
    requested_at + interval '2 hours', md5(candidate), attempt, first_requested_at, visible_passed, visible_total
  FROM seed_attempts ORDER BY requested_at`;

/** Which revision of a suite was active: the older, the lower. */
const revisionThen = `greatest(1, least(own.revisions, ceil(own.revisions * (1 - extract(epoch FROM now() - seed.requested_at) / 31536000))::int))`;

/** How many cases of a suite failed: of a red attempt, some of its first suite, and in a third of them of the others too. */
const failed = `CASE WHEN seed.green OR seed.unsettled THEN 0
  WHEN own.place = 0 OR seed.which < 0.33 THEN 1 + floor(seed.which * 3)::int % 3 ELSE 0 END`;

/** The first case that failed, of those that follow each other. The last two of a suite never fail. */
const firstFailed = `floor(seed.luck * 997)::int % (own.cases - 4)`;

/** A verdict that tells no more than itself, in the first slot, costs two bits. */
const bits = 2;

/** What the database derives from a row where triggers are on. */
const derivedColumns = 'is_green, visible_is_green, latency_ms, to_green_ms';
const derivedOf = (isFirstGreen: string) => `visible_passed = visible_total, took_ms,
    CASE WHEN ${isFirstGreen} THEN ms_between(first_requested_at, seed.requested_at) + took_ms END`;

const verdictsStatement = `
  INSERT INTO verdicts (
    score_id, verdict, reason, revisions, passed, total, duration_ms, seed, decided_at, gate, requested_at, change_id, repository, author,
    agent, model, attempt, first_requested_at, visible_passed, visible_total, is_first_green, bits, ${derivedColumns}
  )
  SELECT seed.id, CASE WHEN green THEN 'merge' ELSE 'block' END,
    CASE WHEN green THEN 'green' WHEN NOT unsettled THEN 'red' WHEN which < 0.5 THEN 'indeterminate' ELSE 'budget_exhausted' END,
    coalesce(ran.revisions, '[]'), coalesce(ran.passed, 0), coalesce(ran.total, 0), took_ms - 100, md5(candidate) || md5(id::text),
    requested_at + took_ms * interval '1 millisecond', gate, requested_at, change_id, repository, author, agent, model, attempt,
    first_requested_at, visible_passed, visible_total, green, CASE WHEN unsettled THEN 0 ELSE ${bits} END,
    CASE WHEN NOT unsettled THEN green END, ${derivedOf('green')}
  FROM seed_attempts AS seed, LATERAL (
    SELECT jsonb_agg(jsonb_build_object('suite', suite, 'revision', ${revisionThen})) AS revisions,
      sum(cases) AS total, sum(cases - ${failed}) AS passed
    FROM seed_suites AS own WHERE own.gate = seed.gate AND NOT seed.unsettled
  ) AS ran
  ORDER BY requested_at`;

const suiteResultsStatement = `
  CREATE UNLOGGED TABLE seed_results AS
  SELECT seed.id, own.suite, own.cases, ${revisionThen} AS revision, ${failed} AS failed, ${firstFailed} AS first_failed, requested_at
  FROM seed_attempts AS seed JOIN seed_suites AS own USING (gate)
  WHERE NOT seed.unsettled
  ORDER BY requested_at;
  INSERT INTO suite_results (
    score_id, suite, revision, candidate, passed, total, decided_at, gate, requested_at, change_id, repository, author, agent, model,
    attempt, first_requested_at, visible_passed, visible_total, is_first_green, bits, ${derivedColumns}
  )
  SELECT seed.id, result.suite, revision, candidate, cases - failed, cases, seed.requested_at + took_ms * interval '1 millisecond',
    gate, seed.requested_at, change_id, repository, author, agent, model, attempt, first_requested_at, visible_passed, visible_total,
    is_first_green, ${bits}, failed = 0, ${derivedOf('is_first_green')}
  FROM (
    SELECT result.*,
      failed = 0 AND row_number() OVER (PARTITION BY suite, gate, change_id, repository, failed = 0 ORDER BY attempt) = 1 AS is_first_green
    FROM seed_results AS result JOIN seed_attempts USING (id)
  ) AS result JOIN seed_attempts AS seed USING (id)
  ORDER BY seed.requested_at`;

const chargesStatement = `
  INSERT INTO charges (score_id, suite, revision, bits, spent)
  SELECT score_id, suite, revision, bits,
    sum(bits) OVER (PARTITION BY suite, revision ORDER BY requested_at ROWS UNBOUNDED PRECEDING)
  FROM suite_results ORDER BY requested_at`;

async function monthsOf(connection: postgres.ReservedSql): Promise<Date[]> {
  const rows = await connection<{ month: Date }[]>`
    SELECT DISTINCT date_trunc('month', requested_at, 'UTC') AS month FROM seed_attempts ORDER BY 1`;
  for (const { month } of rows) await connection`SELECT make_result_partition(${month})`;
  return rows.map(({ month }) => month);
}

function caseResultsStatement(month: Date): string {
  const from = month.toISOString();
  return `
    INSERT INTO case_results_${from.slice(0, 7).replace('-', '_')} (score_id, suite, revision, position, outcome, passed, duration_ms, at)
    SELECT id, suite, revision, position, 'returned', position NOT BETWEEN first_failed AND first_failed + failed - 1,
      1 + position * 0.25, requested_at
    FROM seed_results, generate_series(0, cases - 1) AS position
    WHERE requested_at >= '${from}' AND requested_at < '${from}'::timestamptz + interval '1 month'`;
}

/** A bug is known of a few of what became green. What is sealed of it cannot be opened. */
const escapesStatement = `
  INSERT INTO incidents (id, gate, score_id, recorded_by, recorded_at, sealed, recipient)
  SELECT gen_random_uuid(), gate, id, 'seed', requested_at + interval '3 days', '', ''
  FROM seed_attempts WHERE green AND which < 0.005 ORDER BY requested_at`;

const flakyStatement = `
  INSERT INTO flaky_results (score_id, suite, revision, position, passed, at)
  SELECT id, suite, revision, first_failed, false, requested_at FROM seed_results WHERE failed > 0 AND random() < 0.001`;
