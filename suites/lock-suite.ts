/** The lock of a suite: what is decided about its revisions, reviews of them included, is decided one transaction after the other. */
import { sql } from 'drizzle-orm';
import type { Database } from '../migrations/open-database.ts';

/** Waits for the suite's lock, which is the transaction's until that ends. */
export async function lockSuite(transaction: Database, suite: string): Promise<void> {
  await transaction.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${suite}, 1))`);
}
