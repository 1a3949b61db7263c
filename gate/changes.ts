/** Attempts as people look for them: of one change, or of every change that fits, newest first, page by page. */
import { and, desc, eq, getTableColumns, gte, inArray, lt, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { Database } from '../migrations/open-database.ts';
import { scores, verdicts } from '../migrations/tables.ts';
import { type AttemptRecord, isPublished, toAttempt } from './history.ts';

/** What is looked for. What is left out is everything. */
export type AttemptsAsked = {
  gate?: string | undefined;
  change?: string | undefined;
  repository?: string | undefined;
  author?: string | undefined;
  agent?: string | undefined;
  model?: string | undefined;
  /** As it was decided, whatever people made of it. */
  verdict?: 'merge' | 'block' | undefined;
  reason?: string | undefined;
  /** Requested from then on, and before then. */
  from?: Date | undefined;
  to?: Date | undefined;
  /** The gates that the reader may know of; null for all. */
  gates: string[] | null;
  /** Where the reader hears of verdicts at the ends of slots, of this length: then no question tells of one before. */
  slotMs: number | undefined;
  /** The sequence number of the last attempt of the page before. */
  before: number | undefined;
  limit: number;
};

/** One page of them. What is sealed is not read. */
export async function listAttempts(database: Database, asked: AttemptsAsked): Promise<AttemptRecord[]> {
  const asksVerdict = asked.verdict !== undefined || asked.reason !== undefined;
  // The two are the same moment; an index of the table that is asked most of has it in its order.
  const requestedAt = asksVerdict ? verdicts.requestedAt : scores.requestedAt;
  const { sealedFailures: _, ...decided } = getTableColumns(verdicts);
  const rows = await database
    .select({ scores: getTableColumns(scores), verdicts: decided })
    .from(scores)
    .leftJoin(verdicts, eq(verdicts.scoreId, scores.id))
    .where(
      and(
        asked.gates === null ? undefined : inArray(scores.gate, asked.gates),
        equals(scores.gate, asked.gate),
        equals(scores.changeId, asked.change),
        equals(scores.repository, asked.repository),
        equals(scores.author, asked.author),
        equals(scores.agent, asked.agent),
        equals(scores.model, asked.model),
        equals(verdicts.verdict, asked.verdict),
        equals(verdicts.reason, asked.reason),
        asksVerdict && asked.slotMs !== undefined ? isPublished(asked.slotMs) : undefined,
        asked.from === undefined ? undefined : gte(requestedAt, asked.from),
        asked.to === undefined ? undefined : lt(requestedAt, asked.to),
        asked.before === undefined ? undefined : isBefore(requestedAt, asked.before),
      ),
    )
    .orderBy(desc(requestedAt), desc(scores.sequence))
    .limit(asked.limit);
  return rows.map(toAttempt);
}

/** That an attempt comes after another in the list: said twice, because an index has the moments alone where a verdict is asked for. */
function isBefore(requestedAt: PgColumn, sequence: number): SQL {
  const moment = sql`(SELECT last.requested_at FROM scores AS last WHERE last.sequence = ${sequence})`;
  return sql`${requestedAt} <= ${moment} AND (${requestedAt}, ${scores.sequence}) < (${moment}, ${sequence}::bigint)`;
}

function equals(column: PgColumn, value: string | undefined): SQL | undefined {
  return value === undefined ? undefined : sql`${column} = ${value}`;
}
