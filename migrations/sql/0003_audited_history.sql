-- The tables that came later are history too.
DO $$
DECLARE
  history text;
BEGIN
  FOREACH history IN ARRAY ARRAY['revision_cases', 'charges', 'alarms', 'overrides', 'audit', 'audit_heads']
  LOOP
    EXECUTE format(
      'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history()',
      history
    );
  END LOOP;
END;
$$;
--> statement-breakpoint
-- When the identity is rotated, sealed bytes are sealed anew. Nothing else of a row may change with them.
CREATE FUNCTION refuse_all_but_resealing() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  seals text[] := ARRAY['sealed', 'recipient', 'sealed_failures', 'sealed_to'];
BEGIN
  IF to_jsonb(OLD) - seals IS DISTINCT FROM to_jsonb(NEW) - seals THEN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END;
$$;
--> statement-breakpoint
DO $$
DECLARE
  history text;
BEGIN
  FOREACH history IN ARRAY ARRAY['revisions', 'verdicts']
  LOOP
    EXECUTE format('DROP TRIGGER append_only ON %I', history);
    EXECUTE format(
      'CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON %I
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history()',
      history
    );
    EXECUTE format(
      'CREATE TRIGGER resealed_at_most BEFORE UPDATE ON %I
       FOR EACH ROW EXECUTE FUNCTION refuse_all_but_resealing()',
      history
    );
  END LOOP;
END;
$$;
--> statement-breakpoint
ALTER TABLE revision_cases
  ADD CONSTRAINT revision_cases_of_a_revision FOREIGN KEY (suite, revision) REFERENCES revisions (suite, number);
--> statement-breakpoint
ALTER TABLE charges
  ADD CONSTRAINT charges_of_a_score FOREIGN KEY (score_id) REFERENCES scores (id),
  ADD CONSTRAINT charges_cost CHECK (bits >= 0);
--> statement-breakpoint
ALTER TABLE alarms ADD CONSTRAINT alarms_of_a_score FOREIGN KEY (score_id) REFERENCES scores (id);
--> statement-breakpoint
ALTER TABLE overrides ADD CONSTRAINT overrides_of_a_score FOREIGN KEY (score_id) REFERENCES scores (id);
--> statement-breakpoint
ALTER TABLE verdicts ADD CONSTRAINT verdicts_repeat_a_score FOREIGN KEY (repeats) REFERENCES scores (id);
--> statement-breakpoint
-- Appends one record to the audit. Records are chained: each hash is SHA-256 over the hash before it, the record's number and
-- its exact text, a line each. The lock is held until the transaction ends, so that numbers have no gaps.
CREATE FUNCTION append_audit(new_entry text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  last_sequence bigint;
  last_hash text;
BEGIN
  PERFORM pg_advisory_xact_lock(7276553);
  SELECT sequence, hash INTO last_sequence, last_hash FROM audit ORDER BY sequence DESC LIMIT 1;
  last_sequence := coalesce(last_sequence, 0) + 1;
  INSERT INTO audit (sequence, entry, hash)
  VALUES (
    last_sequence,
    new_entry,
    encode(sha256(convert_to(coalesce(last_hash, '') || E'\n' || last_sequence || E'\n' || new_entry, 'UTF8')), 'hex')
  );
  RETURN last_sequence;
END;
$$;
