/** The database that pg-boss is told it runs on; `place_in_queue` and our tables have been tried on `postgres` and `pglite` alone. */
export const queueBackends = ['postgres', 'citus', 'yugabytedb', 'cockroachdb'] as const;
export type QueueBackend = (typeof queueBackends)[number];
