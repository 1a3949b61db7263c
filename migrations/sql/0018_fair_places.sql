-- As before, and how many of the places are the gate's own (`own`), so that one gate cannot hold all of them.
DROP FUNCTION place_in_queue(text, text, text, integer, interval);--> statement-breakpoint
-- Where a score that is being accepted stands in the queue (see gate/queue/score-queue.ts), whose jobs are rows of pgboss.job. To be
-- called under the lock of append_score, so that one is placed after the other. Each job of a gate has a turn, one more than the gate's job
-- before it, and no less than what is being served: so gates take turns, however many jobs one of them has (start-time fair
-- queueing, Goyal, Vin and Cheng, 1996). `rank` is the rank of its priority, from 1; a job's priority is rank * 100000000 - turn.
-- A finished job keeps its place until `publishedAt`, so that a place that is free tells nobody that a verdict was decided.
CREATE FUNCTION place_in_queue(of_gate text, of_change text, of_commit text, rank integer, slot interval)
RETURNS TABLE (turn integer, waiting integer, places integer, own integer, superseded uuid[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  step CONSTANT integer := 100000000;
BEGIN
  RETURN QUERY
  WITH pending AS (
    SELECT id, state, data, group_id, rank * step - priority AS own_turn, priority > (rank - 1) * step AND priority <= rank * step AS is_equal
    FROM pgboss.job WHERE name = 'scores' AND state < 'completed'
  ),
  unpublished AS (
    SELECT group_id FROM pgboss.job
    -- A repetition is published two slots after it was decided, and time to write results down is added: so this is wide.
    WHERE slot > interval '0' AND name = 'scores' AND state = 'completed' AND completed_on > now() - 3 * slot - interval '1 minute'
      AND (output->>'publishedAt')::timestamptz > now()
  )
  SELECT
    -- Beyond the last turn of its priority all have that one, and come in the order in which they were accepted.
    least(
      greatest(min(own_turn) FILTER (WHERE is_equal), max(own_turn) FILTER (WHERE is_equal AND group_id = of_gate) + 1, 0),
      step - 1
    ),
    (count(*) FILTER (WHERE state < 'active'))::integer,
    (count(*) + (SELECT count(*) FROM unpublished))::integer,
    (count(*) FILTER (WHERE group_id = of_gate) + (SELECT count(*) FROM unpublished WHERE group_id = of_gate))::integer,
    coalesce(
      array_agg(id) FILTER (WHERE state < 'active' AND is_equal AND data->>'change' = of_change AND data->>'commit' <> of_commit), '{}'
    )
  FROM pending;
END;
$$;
