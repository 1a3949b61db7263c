-- History is append-only, whoever asks: no row of these tables is ever changed or deleted.
CREATE FUNCTION refuse_to_change_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END;
$$;
--> statement-breakpoint
DO $$
DECLARE
  history text;
BEGIN
  FOREACH history IN ARRAY ARRAY['gate_policies', 'revisions', 'activations', 'candidates', 'scores', 'verdicts', 'case_results']
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
-- The last guard against a false green: no row can say `merge` unless every case of at least one passed.
ALTER TABLE verdicts
  ADD CONSTRAINT verdicts_merge_is_green CHECK (
    (verdict = 'merge' AND reason = 'green' AND passed = total AND total > 0)
    OR (verdict = 'block' AND reason <> 'green')
  ),
  ADD CONSTRAINT verdicts_of_a_score FOREIGN KEY (score_id) REFERENCES scores (id);
--> statement-breakpoint
ALTER TABLE case_results ADD CONSTRAINT case_results_of_a_score FOREIGN KEY (score_id) REFERENCES scores (id);
--> statement-breakpoint
ALTER TABLE scores ADD CONSTRAINT scores_of_a_candidate FOREIGN KEY (candidate) REFERENCES candidates (digest);
--> statement-breakpoint
ALTER TABLE activations
  ADD CONSTRAINT activations_of_a_revision FOREIGN KEY (suite, revision) REFERENCES revisions (suite, number);
