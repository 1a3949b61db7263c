/** Alarms: candidates that look as if they had seen a suite, as they are read back. */
import { and, desc, eq, inArray } from 'drizzle-orm';
import type { Database } from '../migrations/open-database.ts';
import { alarms, scores } from '../migrations/tables.ts';
import type { RevisionName } from '../suites/revisions.ts';
import { alarmSchema, type RaisedAlarm } from './disclosed.ts';
import { changeSchema } from './gate.ts';

/** What a candidate seems to know of a suite. */
export type Alarm = RevisionName & { kind: 'tripwire' | 'fingerprints'; cases: number };

/** What was raised about a score. */
export async function findAlarms(database: Database, score: string): Promise<Alarm[]> {
  const rows = await database.select().from(alarms).where(eq(alarms.scoreId, score)).orderBy(alarms.sequence);
  return rows.map(readAlarm);
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
  return rows.map(({ alarms: alarm, scores: { id, gate, changeId, candidate, ...score } }) => {
    const { commit, repository, author, agent, model } = score;
    const named = Object.entries({ repository, author, agent, model }).filter(([, text]) => text !== null);
    const change = changeSchema.parse({ id: changeId, commit, ...Object.fromEntries(named) });
    return {
      ...readAlarm(alarm),
      score: id,
      gate,
      change,
      candidate,
      raisedAt: alarm.raisedAt.toISOString(),
    };
  });
}

function readAlarm({ suite, revision, kind, cases }: typeof alarms.$inferSelect): Alarm {
  return { suite, revision, kind: alarmSchema.shape.kind.parse(kind), cases };
}
