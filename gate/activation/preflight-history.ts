/** Every preflight, as it was recorded: one function for each question asked of the database. */
import { and, desc, eq } from 'drizzle-orm';
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import { preflights } from '../../migrations/tables.ts';
import type { RevisionName } from '../../suites/revisions.ts';

export type RecordedPreflight = { rounds: number; passed: boolean; at: Date };

/** Records that a revision's references were run, by whom and how it went. */
export async function appendPreflight(
  database: Database,
  name: RevisionName,
  preflight: RecordedPreflight & { runner: string; by: string },
): Promise<void> {
  const { by, runner, rounds, passed } = preflight;
  await database.transaction(async (transaction) => {
    await transaction.insert(preflights).values({ ...name, ...preflight });
    await appendAudit(transaction, {
      by,
      action: 'revision.preflighted',
      about: { ...name, runner, rounds, passed },
    });
  });
}

/** The newest preflight of a revision on this version of the runners. */
export async function findPreflight(
  database: Database,
  { suite, revision }: RevisionName,
  runner: string,
): Promise<RecordedPreflight | undefined> {
  const { rounds, passed, at } = preflights;
  const [row] = await database
    .select({ rounds, passed, at })
    .from(preflights)
    .where(and(eq(preflights.suite, suite), eq(preflights.revision, revision), eq(preflights.runner, runner)))
    .orderBy(desc(preflights.sequence))
    .limit(1);
  return row;
}
