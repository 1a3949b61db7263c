/**
 * A history of attempts for a test that looks at many: rows as the service itself appends them, put into the database at once. The same
 * numbers come out each time.
 */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { Database } from '../migrations/open-database.ts';

export type SeededAgent = {
  agent: string | null;
  author: string;
  model: string;
  /** How often its builds are right, and how often they pass the visible tests. */
  right: number;
  visible: number;
};

/** What all of them are of. */
const candidate = `sha256:${'0'.repeat(64)}`;

/** Appends so many attempts at a gate with one suite of the same name a day, for so many days until now; the first are the oldest. */
export async function seedAttempts(
  database: Database,
  {
    gate,
    agents,
    days,
    perDay,
    now,
  }: { gate: string; agents: SeededAgent[]; days: number; perDay: number; now: Date },
): Promise<void> {
  const random = numbers(7);
  const rows: Record<string, unknown>[] = [];
  for (let day = days - 1; day >= 0; day--) {
    // Nothing happens on one day in ten: charts have gaps.
    if (day % 10 === 4) continue;
    for (let nth = 0; nth < perDay; nth++) {
      const agent = agents[Math.floor(random() * random() * agents.length)];
      if (agent === undefined) continue;
      const attempt = 1 + Math.floor(random() * random() * 7);
      const requestedAt = now.getTime() - day * 86_400_000 - Math.floor(random() * 3_600_000) - 60_000;
      const isGreen = random() < agent.right + 0.1 * (1 - day / days);
      const passesVisible = isGreen || random() < agent.visible;
      rows.push({
        score_id: randomUUID(),
        gate,
        change_id: `PR-${rows.length}`,
        ...{ agent: agent.agent, author: agent.author, model: agent.model },
        requested_at: new Date(requestedAt).toISOString(),
        decided_at: new Date(requestedAt + 400 - 900 * Math.log(1 - random() * 0.999)).toISOString(),
        attempt,
        // Somebody asks again after ten minutes or an hour.
        first_requested_at: new Date(
          requestedAt - (attempt - 1) * 1_800_000 * (0.3 + random()),
        ).toISOString(),
        visible_passed: passesVisible ? 40 : 37,
        visible_total: 40,
        is_first_green: isGreen,
        verdict: isGreen ? 'merge' : 'block',
        reason: isGreen ? 'green' : 'red',
        bits: 0.01 + random() * 0.05,
        passed: isGreen ? 2 : 1,
      });
    }
  }
  const attempts = sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS row (
    score_id uuid, gate text, change_id text, agent text, author text, model text, requested_at timestamptz, decided_at timestamptz,
    attempt int, first_requested_at timestamptz, visible_passed int, visible_total int, is_first_green boolean, verdict text,
    reason text, bits float8, passed int
  )`;
  await database.execute(sql`
    INSERT INTO candidates (digest, bytes) VALUES (${candidate}, '') ON CONFLICT DO NOTHING`);
  await database.execute(sql`
    INSERT INTO scores (
      id, gate, policy_version, change_id, commit, author, agent, model, candidate, requested_at, requested_by, deadline_at,
      request_digest, attempt, first_requested_at, visible_passed, visible_total
    )
    SELECT score_id, gate, 1, change_id, 'c0ffee', author, agent, model, ${candidate}, requested_at, 'a test',
      requested_at, '', attempt, first_requested_at, visible_passed, visible_total FROM ${attempts}`);
  await database.execute(sql`
    INSERT INTO verdicts (
      score_id, verdict, reason, revisions, passed, total, duration_ms, decided_at, gate, requested_at, change_id, author, agent, model,
      attempt, first_requested_at, visible_passed, visible_total, is_first_green, bits
    )
    SELECT score_id, verdict, reason, jsonb_build_array(jsonb_build_object('suite', gate, 'revision', 1)), passed, 2, 5, decided_at,
      gate, requested_at, change_id, author, agent, model, attempt, first_requested_at, visible_passed, visible_total, is_first_green,
      bits
    FROM ${attempts}`);
  await database.execute(sql`
    INSERT INTO suite_results (
      score_id, suite, revision, candidate, passed, total, decided_at, gate, requested_at, change_id, author, agent, model, attempt,
      first_requested_at, visible_passed, visible_total, is_first_green, bits
    )
    SELECT score_id, gate, 1, ${candidate}, passed, 2, decided_at, gate, requested_at, change_id, author, agent, model,
      attempt, first_requested_at, visible_passed, visible_total, is_first_green, bits
    FROM ${attempts}`);
  // Of one green in fifty, a bug is known by now.
  await database.execute(sql`
    INSERT INTO incidents (id, gate, score_id, recorded_by, sealed, recipient)
    SELECT gen_random_uuid(), gate, score_id, 'a test', '', '' FROM ${attempts}
    WHERE verdict = 'merge' AND substr(change_id, 4)::int % 50 = 0`);
  // The second case of a red one failed; the first never does.
  await database.execute(sql`
    INSERT INTO case_results (score_id, suite, revision, position, outcome, passed, duration_ms, at)
    SELECT score_id, gate, 1, position, 'returned', position < passed, 0.5, requested_at
    FROM ${attempts}, generate_series(0, 1) AS position`);
}

/** Numbers from 0 to 1 that look like chance (a linear congruential generator, Numerical Recipes). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}
