/** Who made each revision of a suite, and who made it the active one, and when: as people are called, not as they are identified. */
import { desc, eq, sql } from 'drizzle-orm';
import type { Database } from '../../migrations/open-database.ts';
import { activations, revisions, tokens } from '../../migrations/tables.ts';

/** What somebody did at some moment. */
export type Deed = { person: string; at: Date };

export type RevisionHistory = { made: Map<number, Deed>; activated: (Deed & { revision: number })[] };

/** So many activations are told. */
const activationsMax = 200;

/** The history of a suite's revisions; activations newest first. A suite that there is not has none. */
export async function findRevisionHistory(database: Database, suite: string): Promise<RevisionHistory> {
  const made = await database
    .select({
      revision: revisions.number,
      person: calledBy(revisions.createdBy),
      at: revisions.createdAt,
    })
    .from(revisions)
    .leftJoin(tokens, sql`${tokens.id}::text = ${revisions.createdBy}`)
    .where(eq(revisions.suite, suite));
  const activated = await database
    .select({
      revision: activations.revision,
      person: calledBy(activations.activatedBy),
      at: activations.activatedAt,
    })
    .from(activations)
    .leftJoin(tokens, sql`${tokens.id}::text = ${activations.activatedBy}`)
    .where(eq(activations.suite, suite))
    .orderBy(desc(activations.sequence))
    .limit(activationsMax);
  return { made: new Map(made.map(({ revision, ...deed }) => [revision, deed])), activated };
}

/** The owner of a token, or else its name; who has none, as a job of CI, is called as it was recorded. */
function calledBy(by: typeof revisions.createdBy | typeof activations.activatedBy) {
  return sql<string>`coalesce(${tokens.owner}, ${tokens.name}, ${by})`;
}
