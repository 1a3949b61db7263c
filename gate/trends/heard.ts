/**
 * What a reader who hears in slots is told of when verdicts were decided, for questions to the database about `verdicts` and
 * `suite_results`: that tells of every case that was run, so they hear of the end of its slot, and from then on. See
 * `disclosure/publication.ts`.
 */
import { type SQL, sql } from 'drizzle-orm';
import { marginMs } from '../disclosure/publication.ts';

/** How long after its request a verdict is published, in milliseconds. */
export function latencyOf(slotMs: number): SQL {
  if (slotMs === 0) return sql`latency_ms`;
  const [margin, slot] = [sql`${marginMs(slotMs)}::double precision`, sql`${slotMs}::integer`];
  return sql`((floor((latency_ms + ${margin}) / ${slot})::integer + 1) * ${slot})`;
}

/** That it is published by a moment. */
export function isPublishedBy(moment: Date, slotMs: number): SQL {
  return sql`requested_at + ${latencyOf(slotMs)} * interval '1 millisecond' <= ${instantOf(moment)}`;
}

/** A moment, as the database has it. */
export function instantOf(moment: Date): SQL {
  return sql`${moment.toISOString()}::timestamptz`;
}
