-- A verdict that repeats an earlier one settles nothing anew: nothing was run for it, and trends do not count it, as those of a suite never did.
CREATE OR REPLACE FUNCTION derive_trend_columns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- An attempt is settled if it was run and is green or red; a suite's result, if a case was run.
  IF TG_TABLE_NAME = 'verdicts' THEN
    NEW.is_green := CASE WHEN NEW.repeats IS NULL THEN CASE NEW.reason WHEN 'green' THEN true WHEN 'red' THEN false END END;
  ELSE
    NEW.is_green := CASE WHEN NEW.total > 0 THEN NEW.passed = NEW.total END;
  END IF;
  NEW.visible_is_green := CASE WHEN NEW.visible_total > 0 THEN NEW.visible_passed = NEW.visible_total END;
  NEW.latency_ms := ms_between(NEW.requested_at, NEW.decided_at);
  NEW.to_green_ms := CASE WHEN NEW.is_first_green THEN ms_between(NEW.first_requested_at, NEW.decided_at) END;
  RETURN NEW;
END;
$$;
--> statement-breakpoint
ALTER TABLE verdicts DISABLE TRIGGER resealed_at_most;--> statement-breakpoint
UPDATE verdicts SET is_green = NULL WHERE repeats IS NOT NULL AND is_green IS NOT NULL;
--> statement-breakpoint
ALTER TABLE verdicts ENABLE TRIGGER resealed_at_most;
