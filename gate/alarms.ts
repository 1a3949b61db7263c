/** Alarms: candidates that look as if they had seen a suite, as they are read back. */
import { and, desc, eq, inArray } from 'drizzle-orm';
import type { Database } from '../migrations/open-database.ts';
import { alarms, scores } from '../migrations/tables.ts';
import { type Alarm, alarmSchema, type RaisedAlarm } from './disclosure/disclosed.ts';
import { changeOf } from './history.ts';

/** What was raised about scores, each with the id of its score. */
export async function findAlarms(
  database: Database,
  ofScores: string[],
): Promise<{ score: string; alarm: Alarm }[]> {
  if (ofScores.length === 0) return [];
  const rows = await database
    .select()
    .from(alarms)
    .where(inArray(alarms.scoreId, ofScores))
    .orderBy(alarms.sequence);
  return rows.map((row) => ({ score: row.scoreId, alarm: readAlarm(row) }));
}

/** The newest alarms, of these gates and suites or, where that is null, of all. */
export async function listAlarms(
  database: Database,
  within: { gates: string[] | null; suites: string[] | null },
  limit: number,
): Promise<RaisedAlarm[]> {
  const rows = await database
    .select()
    .from(alarms)
    .innerJoin(scores, eq(scores.id, alarms.scoreId))
    .where(
      and(
        within.gates === null ? undefined : inArray(scores.gate, within.gates),
        within.suites === null ? undefined : inArray(alarms.suite, within.suites),
      ),
    )
    .orderBy(desc(alarms.sequence))
    .limit(limit);
  return rows.map(({ alarms: alarm, scores: score }) => ({
    ...readAlarm(alarm),
    score: score.id,
    gate: score.gate,
    change: changeOf(score),
    candidate: score.candidate,
    raisedAt: alarm.raisedAt.toISOString(),
  }));
}

function readAlarm({ suite, revision, kind, cases }: typeof alarms.$inferSelect): Alarm {
  return { suite, revision, kind: alarmSchema.shape.kind.parse(kind), cases };
}
