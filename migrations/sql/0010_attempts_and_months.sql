-- Attempts are counted, and what trends ask of an attempt stands beside its verdict and beside each of its suites. Results of cases are
-- kept by months, so that old ones can be dropped. Rows that exist are completed: history may not be changed, so that its guards are
-- taken off for it and put on again, all in the one transaction in which migrations run.
ALTER TABLE "scores" ADD COLUMN "attempt" integer;--> statement-breakpoint
ALTER TABLE "scores" ADD COLUMN "first_requested_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "scores" ADD COLUMN "visible_passed" integer;--> statement-breakpoint
ALTER TABLE "scores" ADD COLUMN "visible_total" integer;--> statement-breakpoint
ALTER TABLE scores DISABLE TRIGGER append_only;--> statement-breakpoint
UPDATE scores SET attempt = counted.attempt, first_requested_at = counted.first_requested_at
FROM (
  SELECT id,
    row_number() OVER of_change AS attempt,
    first_value(requested_at) OVER of_change AS first_requested_at
  FROM scores WINDOW of_change AS (PARTITION BY gate, repository, change_id ORDER BY sequence)
) AS counted
WHERE counted.id = scores.id;
--> statement-breakpoint
ALTER TABLE scores ENABLE TRIGGER append_only;--> statement-breakpoint
ALTER TABLE "scores" ALTER COLUMN "attempt" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "scores" ALTER COLUMN "first_requested_at" SET NOT NULL;--> statement-breakpoint
ALTER TABLE scores
  ADD CONSTRAINT scores_count_attempts CHECK (attempt >= 1),
  ADD CONSTRAINT scores_tell_visible_tests CHECK (
    (visible_passed IS NULL AND visible_total IS NULL) OR (visible_passed BETWEEN 0 AND visible_total AND visible_total IS NOT NULL)
  );
--> statement-breakpoint
DROP INDEX "scores_change";--> statement-breakpoint
CREATE INDEX "scores_change" ON "scores" USING btree ("gate","change_id","repository","sequence");--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "gate" text;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "requested_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "change_id" text;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "repository" text;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "author" text;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "agent" text;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "model" text;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "attempt" integer;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "first_requested_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "visible_passed" integer;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "visible_total" integer;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "is_first_green" boolean;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "bits" double precision;--> statement-breakpoint
ALTER TABLE verdicts DISABLE TRIGGER resealed_at_most;--> statement-breakpoint
UPDATE verdicts SET
  gate = scores.gate, requested_at = scores.requested_at, change_id = scores.change_id, repository = scores.repository,
  author = left(scores.author, 100), agent = left(scores.agent, 100), model = left(scores.model, 100),
  attempt = scores.attempt, first_requested_at = scores.first_requested_at,
  is_first_green = verdicts.verdict = 'merge' AND coalesce(green.place, 0) = 1,
  bits = coalesce((SELECT max(charges.bits) FROM charges WHERE charges.score_id = scores.id), 0)
FROM scores LEFT JOIN (
  SELECT of_merge.id, row_number() OVER (
    PARTITION BY of_merge.gate, of_merge.repository, of_merge.change_id ORDER BY merge.decided_at, of_merge.sequence
  ) AS place
  FROM verdicts AS merge JOIN scores AS of_merge ON of_merge.id = merge.score_id WHERE merge.verdict = 'merge'
) AS green ON green.id = scores.id
WHERE scores.id = verdicts.score_id;
--> statement-breakpoint
ALTER TABLE verdicts ENABLE TRIGGER resealed_at_most;--> statement-breakpoint
ALTER TABLE "verdicts" ALTER COLUMN "gate" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "verdicts" ALTER COLUMN "requested_at" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "verdicts" ALTER COLUMN "change_id" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "verdicts" ALTER COLUMN "attempt" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "verdicts" ALTER COLUMN "first_requested_at" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "verdicts" ALTER COLUMN "is_first_green" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "verdicts" ALTER COLUMN "bits" SET NOT NULL;--> statement-breakpoint
ALTER TABLE verdicts
  ADD CONSTRAINT verdicts_first_green_is_green CHECK (NOT is_first_green OR verdict = 'merge'),
  ADD CONSTRAINT verdicts_cost CHECK (bits >= 0);
--> statement-breakpoint
CREATE UNIQUE INDEX verdicts_first_green ON verdicts (gate, change_id, (coalesce(repository, ''))) WHERE is_first_green;
--> statement-breakpoint
CREATE INDEX verdicts_trend ON verdicts (gate, requested_at) INCLUDE (
  reason, decided_at, author, agent, model, attempt, first_requested_at, visible_passed, visible_total, is_first_green, bits
);
--> statement-breakpoint
CREATE TABLE "suite_results" (
	"score_id" uuid NOT NULL,
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"candidate" text NOT NULL,
	"passed" integer NOT NULL,
	"total" integer NOT NULL,
	"decided_at" timestamp with time zone NOT NULL,
	"gate" text NOT NULL,
	"requested_at" timestamp with time zone NOT NULL,
	"change_id" text NOT NULL,
	"repository" text,
	"author" text,
	"agent" text,
	"model" text,
	"attempt" integer NOT NULL,
	"first_requested_at" timestamp with time zone NOT NULL,
	"visible_passed" integer,
	"visible_total" integer,
	"is_first_green" boolean NOT NULL,
	"bits" double precision NOT NULL,
	CONSTRAINT "suite_results_score_id_suite_pk" PRIMARY KEY("score_id","suite")
);
--> statement-breakpoint
INSERT INTO suite_results
SELECT
  counted.score_id, counted.suite, counted.revision, scores.candidate, counted.passed, counted.total, verdicts.decided_at,
  verdicts.gate, verdicts.requested_at, verdicts.change_id, verdicts.repository, verdicts.author, verdicts.agent, verdicts.model,
  verdicts.attempt, verdicts.first_requested_at, NULL, NULL,
  counted.passed = counted.total AND row_number() OVER (
    PARTITION BY counted.suite, verdicts.gate, verdicts.repository, verdicts.change_id, counted.passed = counted.total
    ORDER BY verdicts.decided_at, scores.sequence
  ) = 1,
  coalesce(charges.bits, 0)
FROM (
  SELECT score_id, suite, revision, count(*) FILTER (WHERE passed) AS passed, count(*) AS total
  FROM case_results GROUP BY score_id, suite, revision
) AS counted
JOIN scores ON scores.id = counted.score_id
JOIN verdicts ON verdicts.score_id = counted.score_id
LEFT JOIN charges ON charges.score_id = counted.score_id AND charges.suite = counted.suite;
--> statement-breakpoint
ALTER TABLE suite_results
  ADD CONSTRAINT suite_results_of_a_score FOREIGN KEY (score_id) REFERENCES scores (id),
  ADD CONSTRAINT suite_results_are_counts CHECK (passed BETWEEN 0 AND total AND bits >= 0),
  ADD CONSTRAINT suite_results_first_green_is_green CHECK (NOT is_first_green OR (passed = total AND total > 0));
--> statement-breakpoint
CREATE INDEX "suite_results_candidate" ON "suite_results" USING hash ("candidate");--> statement-breakpoint
CREATE UNIQUE INDEX suite_results_first_green ON suite_results (suite, gate, change_id, (coalesce(repository, ''))) WHERE is_first_green;
--> statement-breakpoint
CREATE INDEX suite_results_trend ON suite_results (suite, requested_at) INCLUDE (
  gate, revision, passed, total, decided_at, author, agent, model, attempt, first_requested_at, visible_passed, visible_total,
  is_first_green, bits
);
--> statement-breakpoint
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON suite_results
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history();
--> statement-breakpoint
-- Results of cases, by months of UTC.
ALTER TABLE case_results RENAME TO case_results_before;--> statement-breakpoint
ALTER TABLE case_results_before RENAME CONSTRAINT case_results_score_id_suite_position_pk TO case_results_before_pk;--> statement-breakpoint
CREATE TABLE "case_results" (
	"score_id" uuid NOT NULL,
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"position" integer NOT NULL,
	"outcome" text NOT NULL,
	"passed" boolean NOT NULL,
	"duration_ms" double precision NOT NULL,
	"at" timestamp with time zone NOT NULL,
	CONSTRAINT "case_results_score_id_suite_position_at_pk" PRIMARY KEY("score_id","suite","position","at")
) PARTITION BY RANGE ("at");
--> statement-breakpoint
CREATE INDEX case_results_failed ON case_results (suite, at) INCLUDE (revision, position, outcome) WHERE NOT passed;
--> statement-breakpoint
-- What is of no month that has a partition, so that no insert ever fails for want of one.
CREATE TABLE case_results_default PARTITION OF case_results DEFAULT;
--> statement-breakpoint
-- A score's results are of its moment, so that they are found in one partition, and each case has one result however many there are.
CREATE OR REPLACE FUNCTION require_scores_of_results() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM (SELECT DISTINCT score_id, at FROM added) AS of_added
    WHERE NOT EXISTS (SELECT FROM scores WHERE scores.id = of_added.score_id AND scores.requested_at = of_added.at)
  ) THEN
    RAISE EXCEPTION 'case_results_of_a_score: results are of a score that is there' USING ERRCODE = 'foreign_key_violation';
  END IF;
  RETURN NULL;
END;
$$;
--> statement-breakpoint
-- Triggers of statements are not inherited: whoever writes to a partition by its own name meets the same guards.
CREATE FUNCTION guard_results(guarded text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format(
    'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history()',
    guarded
  );
  EXECUTE format(
    'CREATE TRIGGER case_results_of_a_score AFTER INSERT ON %I
     REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION require_scores_of_results()',
    guarded
  );
END;
$$;
--> statement-breakpoint
SELECT guard_results('case_results'), guard_results('case_results_default');
--> statement-breakpoint
-- Makes the partition of the month that a moment is in, if it can be made: what stands in the default partition stays there.
CREATE FUNCTION make_result_partition(moment timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  month timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
  begins timestamptz := month AT TIME ZONE 'UTC';
  ends timestamptz := (month + interval '1 month') AT TIME ZONE 'UTC';
  named text := 'case_results_' || to_char(month, 'YYYY_MM');
BEGIN
  IF to_regclass(named) IS NOT NULL THEN
    RETURN;
  END IF;
  -- One process makes it; another that waited for the lock finds it made.
  PERFORM pg_advisory_xact_lock(7276555);
  IF to_regclass(named) IS NOT NULL OR EXISTS (SELECT FROM case_results_default WHERE at >= begins AND at < ends) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE %I PARTITION OF case_results FOR VALUES FROM (%L) TO (%L)', named, begins, ends);
  PERFORM guard_results(named);
END;
$$;
--> statement-breakpoint
SELECT make_result_partition(month) FROM (
  SELECT DISTINCT date_trunc('month', requested_at, 'UTC') AS month FROM scores
  UNION SELECT now() UNION SELECT now() + interval '1 month' UNION SELECT now() + interval '2 months'
) AS months;
--> statement-breakpoint
INSERT INTO case_results (score_id, suite, revision, position, outcome, passed, duration_ms, at)
SELECT score_id, suite, revision, position, outcome, passed, duration_ms, requested_at
FROM case_results_before JOIN scores ON scores.id = score_id;
--> statement-breakpoint
DROP TABLE case_results_before;
--> statement-breakpoint
CREATE TABLE "flaky_results" (
	"score_id" uuid NOT NULL,
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"position" integer NOT NULL,
	"passed" boolean NOT NULL,
	"at" timestamp with time zone NOT NULL,
	CONSTRAINT "flaky_results_score_id_suite_position_pk" PRIMARY KEY("score_id","suite","position")
);
--> statement-breakpoint
ALTER TABLE flaky_results ADD CONSTRAINT flaky_results_of_a_score FOREIGN KEY (score_id) REFERENCES scores (id);
--> statement-breakpoint
CREATE INDEX "flaky_results_suite" ON "flaky_results" USING btree ("suite","at");
--> statement-breakpoint
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON flaky_results
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history();
--> statement-breakpoint
-- Notes which cases of a score's suite ended otherwise than in another score of the same candidate against the same revision.
CREATE FUNCTION note_flaky_results(score uuid, of_suite text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO flaky_results (score_id, suite, revision, position, passed, at)
  SELECT DISTINCT mine.score_id, mine.suite, mine.revision, mine.position, mine.passed, mine.at
  FROM suite_results AS own
  JOIN suite_results AS other
    ON other.candidate = own.candidate AND other.suite = own.suite AND other.revision = own.revision AND other.score_id <> own.score_id
  JOIN case_results AS mine ON mine.score_id = own.score_id AND mine.at = own.requested_at AND mine.suite = own.suite
  JOIN case_results AS theirs
    ON theirs.score_id = other.score_id AND theirs.at = other.requested_at AND theirs.suite = own.suite
    AND theirs.position = mine.position AND theirs.passed <> mine.passed
  WHERE own.score_id = score AND own.suite = of_suite
$$;
--> statement-breakpoint
SELECT note_flaky_results(score_id, suite) FROM suite_results;
--> statement-breakpoint
-- Appends an attempt and its record in the audit, in one statement: each statement of it sees what was committed before. Attempts are
-- appended one after the other, so that whoever sees one sees all that come before it: budgets and the number of the attempt count on
-- that. Where an attempt with the same idempotency key is there, nothing is appended and no row is answered.
CREATE FUNCTION append_score(given jsonb, audit_entry text)
RETURNS TABLE (appended_sequence bigint, appended_attempt integer, appended_first_requested_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
  score scores := jsonb_populate_record(NULL::scores, given);
BEGIN
  PERFORM pg_advisory_xact_lock(7276554);
  SELECT coalesce(max(attempt), 0) + 1, coalesce(min(first_requested_at), score.requested_at)
  INTO score.attempt, score.first_requested_at
  FROM scores
  WHERE gate = score.gate AND change_id = score.change_id
    AND (repository = score.repository OR (repository IS NULL AND score.repository IS NULL));
  INSERT INTO scores (
    id, gate, policy_version, change_id, commit, repository, author, agent, model, candidate, requested_at, requested_by, deadline_at,
    idempotency_key, request_digest, attempt, first_requested_at, visible_passed, visible_total
  ) VALUES (
    score.id, score.gate, score.policy_version, score.change_id, score.commit, score.repository, score.author, score.agent, score.model,
    score.candidate, score.requested_at, score.requested_by, score.deadline_at,
    score.idempotency_key, score.request_digest, score.attempt, score.first_requested_at, score.visible_passed, score.visible_total
  )
  ON CONFLICT (requested_by, idempotency_key) DO NOTHING
  RETURNING sequence, attempt, first_requested_at INTO appended_sequence, appended_attempt, appended_first_requested_at;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  -- Last, because nobody else can append to the audit until the transaction ends.
  PERFORM append_audit(audit_entry);
  RETURN NEXT;
END;
$$;
--> statement-breakpoint
-- Appends the one verdict of a score with all that comes with it, in one statement. `scored` has an object for each suite that ran, `{suite, revision, passed, total, bits, positions, outcomes, passes, durations}`:
-- `bits` is what it is charged, null for nothing, and the last four are arrays as text, a column each, because these are read in half the time
-- of as many objects.
CREATE FUNCTION append_verdict(given jsonb, failures bytea, scored jsonb, raised jsonb, audit_entries text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  verdict verdicts := jsonb_populate_record(NULL::verdicts, given);
  score scores;
  part jsonb;
  result suite_results;
  audit_entry text;
BEGIN
  SELECT * INTO score FROM scores WHERE id = verdict.score_id;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'verdicts_of_a_score: a verdict is of a score that is there' USING ERRCODE = 'foreign_key_violation';
  END IF;
  -- One verdict of a change after the other, so that one green alone is the first, and one of a candidate, so that results that differ meet.
  PERFORM pg_advisory_xact_lock(
    hashtextextended(score.gate || E'\n' || coalesce(score.repository, '') || E'\n' || score.change_id, 5)
  );
  PERFORM pg_advisory_xact_lock(hashtextextended(score.candidate, 4));
  verdict.sealed_failures := failures;
  verdict.gate := score.gate;
  verdict.requested_at := score.requested_at;
  verdict.change_id := score.change_id;
  verdict.repository := score.repository;
  verdict.author := left(score.author, 100);
  verdict.agent := left(score.agent, 100);
  verdict.model := left(score.model, 100);
  verdict.attempt := score.attempt;
  verdict.first_requested_at := score.first_requested_at;
  verdict.visible_passed := score.visible_passed;
  verdict.visible_total := score.visible_total;
  verdict.bits := coalesce((SELECT max((each->>'bits')::double precision) FROM jsonb_array_elements(scored) AS each), 0);
  verdict.is_first_green := verdict.verdict = 'merge' AND NOT EXISTS (
    SELECT FROM verdicts WHERE is_first_green AND gate = score.gate AND change_id = score.change_id
      AND coalesce(repository, '') = coalesce(score.repository, '')
  );
  INSERT INTO verdicts SELECT verdict.*;
  FOR part IN SELECT * FROM jsonb_array_elements(scored) LOOP
    result := jsonb_populate_record(jsonb_populate_record(NULL::suite_results, to_jsonb(verdict) - 'sealed_failures'), part);
    result.candidate := score.candidate;
    result.is_first_green := result.total > 0 AND result.passed = result.total AND NOT EXISTS (
      SELECT FROM suite_results WHERE is_first_green AND suite = result.suite AND gate = score.gate AND change_id = score.change_id
        AND coalesce(repository, '') = coalesce(score.repository, '')
    );
    IF result.bits IS NULL THEN
      result.bits := 0;
    ELSE
      INSERT INTO charges (score_id, suite, revision, bits) VALUES (score.id, result.suite, result.revision, result.bits);
    END IF;
    INSERT INTO suite_results SELECT result.*;
    INSERT INTO case_results (score_id, suite, revision, position, outcome, passed, duration_ms, at)
    SELECT score.id, result.suite, result.revision, of_case.*, score.requested_at
    FROM unnest(
      (part->>'positions')::integer[], (part->>'outcomes')::text[], (part->>'passes')::boolean[], (part->>'durations')::double precision[]
    ) AS of_case;
    IF EXISTS (
      SELECT FROM suite_results WHERE candidate = score.candidate AND suite = result.suite AND revision = result.revision
        AND score_id <> score.id
    ) THEN
      PERFORM note_flaky_results(score.id, result.suite);
    END IF;
  END LOOP;
  INSERT INTO alarms (score_id, suite, revision, kind, cases)
  SELECT score.id, suite, revision, kind, cases
  FROM jsonb_to_recordset(raised) AS alarm (suite text, revision integer, kind text, cases integer);
  -- Last, because nobody else can append to the audit until the transaction ends.
  FOREACH audit_entry IN ARRAY audit_entries LOOP
    PERFORM append_audit(audit_entry);
  END LOOP;
END;
$$;
