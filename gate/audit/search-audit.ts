/** The audit from its newest record back, for people who look for something in it: a bounded stretch of it at a time. */
import { and, desc, gt, like, lt, max } from 'drizzle-orm';
import type { Database } from '../../migrations/open-database.ts';
import { audit } from '../../migrations/tables.ts';
import type { AuditRecord } from './audit-chain.ts';

/** So many records are looked through at a time: what is looked for may be rare, and nothing is indexed but their order. */
export const lookedThroughMax = 5_000;

export type AuditSearch = {
  /** Records before this number; from the newest on if undefined. */
  before: number | undefined;
  action: string | undefined;
  by: string | undefined;
  /** A text that is in the entry, as it is written in JSON. */
  text: string | undefined;
  limit: number;
};

/** What was found, newest first, and between which numbers it was looked for; `next` is where to go on, null at the beginning. */
export type AuditFindings = { records: AuditRecord[]; from: number; to: number; next: number | null };

export async function searchAudit(database: Database, asked: AuditSearch): Promise<AuditFindings> {
  const [newest] = await database.select({ sequence: max(audit.sequence) }).from(audit);
  const to = Math.min(newest?.sequence ?? 0, (asked.before ?? Number.POSITIVE_INFINITY) - 1);
  const after = Math.max(0, to - lookedThroughMax);
  const rows = await database
    .select()
    .from(audit)
    .where(and(gt(audit.sequence, after), lt(audit.sequence, to + 1), ...patternsOf(asked)))
    .orderBy(desc(audit.sequence))
    .limit(asked.limit + 1);
  const records = rows.slice(0, asked.limit);
  const last = records.at(-1);
  const isCut = rows.length > asked.limit && last !== undefined;
  const from = isCut ? last.sequence : after + 1;
  return { records, from, to, next: from > 1 ? from : null };
}

/** Entries are JSON texts as `JSON.stringify` writes them: within a string every quote has a backslash, so that none looks like a key. */
function patternsOf({ action, by, text }: AuditSearch) {
  const holds = (part: string) => like(audit.entry, `%${part.replace(/[\\%_]/g, '\\$&')}%`);
  return [
    ...(action === undefined ? [] : [holds(`"action":${JSON.stringify(action)}`)]),
    ...(by === undefined ? [] : [holds(`"by":${JSON.stringify(by)}`)]),
    ...(text === undefined ? [] : [holds(JSON.stringify(text).slice(1, -1))]),
  ];
}
