-- What trends would compute for each of a hundred thousand rows is computed once, as a row is appended, whoever appends it.
ALTER TABLE "suite_results" ADD COLUMN "is_green" boolean;--> statement-breakpoint
ALTER TABLE "suite_results" ADD COLUMN "visible_is_green" boolean;--> statement-breakpoint
ALTER TABLE "suite_results" ADD COLUMN "latency_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "suite_results" ADD COLUMN "to_green_ms" bigint;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "is_green" boolean;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "visible_is_green" boolean;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "latency_ms" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "to_green_ms" bigint;--> statement-breakpoint
CREATE FUNCTION ms_between(earlier timestamptz, later timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT greatest(0, floor(extract(epoch FROM later - earlier) * 1000))::bigint
$$;
--> statement-breakpoint
CREATE FUNCTION derive_trend_columns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- An attempt is settled if it is green or red; a suite's result, if a case was run.
  IF TG_TABLE_NAME = 'verdicts' THEN
    NEW.is_green := CASE NEW.reason WHEN 'green' THEN true WHEN 'red' THEN false END;
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
UPDATE verdicts SET
  is_green = CASE reason WHEN 'green' THEN true WHEN 'red' THEN false END,
  visible_is_green = CASE WHEN visible_total > 0 THEN visible_passed = visible_total END,
  latency_ms = ms_between(requested_at, decided_at),
  to_green_ms = CASE WHEN is_first_green THEN ms_between(first_requested_at, decided_at) END;
--> statement-breakpoint
ALTER TABLE verdicts ENABLE TRIGGER resealed_at_most;--> statement-breakpoint
ALTER TABLE suite_results DISABLE TRIGGER append_only;--> statement-breakpoint
UPDATE suite_results SET
  is_green = CASE WHEN total > 0 THEN passed = total END,
  visible_is_green = CASE WHEN visible_total > 0 THEN visible_passed = visible_total END,
  latency_ms = ms_between(requested_at, decided_at),
  to_green_ms = CASE WHEN is_first_green THEN ms_between(first_requested_at, decided_at) END;
--> statement-breakpoint
ALTER TABLE suite_results ENABLE TRIGGER append_only;--> statement-breakpoint
CREATE TRIGGER trend_columns BEFORE INSERT ON verdicts FOR EACH ROW EXECUTE FUNCTION derive_trend_columns();
--> statement-breakpoint
CREATE TRIGGER trend_columns BEFORE INSERT ON suite_results FOR EACH ROW EXECUTE FUNCTION derive_trend_columns();
--> statement-breakpoint
-- All that a trend reads of an attempt is in its index, and as little else as can be.
DROP INDEX verdicts_trend;
--> statement-breakpoint
CREATE INDEX verdicts_trend ON verdicts (gate, requested_at) INCLUDE (
  attempt, latency_ms, to_green_ms, bits, is_green, is_first_green, visible_is_green, author, agent, model
);
--> statement-breakpoint
DROP INDEX suite_results_trend;
--> statement-breakpoint
CREATE INDEX suite_results_trend ON suite_results (suite, requested_at) INCLUDE (
  attempt, latency_ms, to_green_ms, bits, revision, is_green, is_first_green, visible_is_green, gate, author, agent, model
);
