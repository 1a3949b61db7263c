/**
 * Appends to the audit: who did what, when, to what. To be called in the transaction that does it, as its last statement, so that
 * neither is without the other.
 */
import { sql } from 'drizzle-orm';
import type { Database } from './open-database.ts';

/** What is recorded: every change of suites, gates and tokens, every score and verdict, every reading of case contents. */
export const auditActions = [
  'gate.set',
  'revision.made',
  'revision.activated',
  'revision.read',
  'revision.preflighted',
  'strength.measured',
  'revision.reviewed',
  'case.retired',
  'case.published',
  'case.dry_run',
  'incident.recorded',
  'incident.drafted',
  'incident.proved',
  'incident.read',
  'token.made',
  'token.revoked',
  'score.accepted',
  'score.failures_read',
  'score.cases_read',
  'results.dropped',
  'score.replayed',
  'verdict.decided',
  'verdict.overridden',
  'alarm.raised',
  'identity.rotated',
  'backup.taken',
  'backup.restored',
] as const;
export type AuditAction = (typeof auditActions)[number];

export type AuditEntry = {
  /** Who did it: the id of a token, the subject of a CI system's token, or `service`. */
  by: string;
  action: AuditAction;
  /** What it was done to, in names and numbers. Never anything of a case. */
  about: Record<string, string | number | boolean | null | string[]>;
};

/** Appends a record. Nobody else can append until the transaction ends, so it should be the transaction's last statement. */
export async function appendAudit(database: Database, entry: AuditEntry): Promise<void> {
  await database.execute(sql`SELECT append_audit(${auditEntry(entry)})`);
}

/** The text of a record of now, for a statement that appends it with what it is about. */
export function auditEntry({ by, action, about }: AuditEntry): string {
  return JSON.stringify({ at: new Date().toISOString(), by, action, about });
}
