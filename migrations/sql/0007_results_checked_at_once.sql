-- That results are of a score is checked once for all rows of a statement, not for each of a thousand rows anew, which took as long
-- as writing them. A score is never deleted and keeps its id, so that nothing has to be checked later.
ALTER TABLE case_results DROP CONSTRAINT case_results_of_a_score;
--> statement-breakpoint
CREATE FUNCTION require_scores_of_results() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM (SELECT DISTINCT score_id FROM added) AS of_added
    WHERE NOT EXISTS (SELECT FROM scores WHERE scores.id = of_added.score_id)
  ) THEN
    RAISE EXCEPTION 'case_results_of_a_score: results are of a score that is there' USING ERRCODE = 'foreign_key_violation';
  END IF;
  RETURN NULL;
END;
$$;
--> statement-breakpoint
CREATE TRIGGER case_results_of_a_score AFTER INSERT ON case_results
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION require_scores_of_results();
