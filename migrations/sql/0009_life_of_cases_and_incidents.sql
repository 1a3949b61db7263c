CREATE TABLE "incident_cases" (
	"sequence" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "incident_cases_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"incident_id" uuid NOT NULL,
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"position" integer NOT NULL,
	"case_digest" text NOT NULL,
	"drafted_by" text NOT NULL,
	"drafted_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "incident_proofs" (
	"sequence" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "incident_proofs_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"incident_id" uuid NOT NULL,
	"case_digest" text NOT NULL,
	"escaped" text NOT NULL,
	"fix" text NOT NULL,
	"escaped_passed" boolean NOT NULL,
	"fix_passed" boolean NOT NULL,
	"proved_by" text NOT NULL,
	"proved_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "incidents" (
	"id" uuid PRIMARY KEY NOT NULL,
	"sequence" bigint GENERATED ALWAYS AS IDENTITY (sequence name "incidents_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"gate" text NOT NULL,
	"score_id" uuid NOT NULL,
	"recorded_by" text NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT now() NOT NULL,
	"sealed" "bytea" NOT NULL,
	"recipient" text NOT NULL,
	CONSTRAINT "incidents_sequence_unique" UNIQUE("sequence")
);
--> statement-breakpoint
CREATE TABLE "suite_events" (
	"sequence" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "suite_events_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"kind" text NOT NULL,
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"case_digest" text,
	"person" text NOT NULL,
	"done_by" text NOT NULL,
	"done_at" timestamp with time zone DEFAULT now() NOT NULL,
	"sealed" "bytea" NOT NULL,
	"recipient" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "gate_policies" ADD COLUMN "review" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "incident_cases_incident" ON "incident_cases" USING btree ("incident_id");--> statement-breakpoint
CREATE INDEX "incident_cases_case" ON "incident_cases" USING btree ("case_digest");--> statement-breakpoint
CREATE INDEX "incident_proofs_case" ON "incident_proofs" USING btree ("case_digest");--> statement-breakpoint
CREATE INDEX "incidents_gate" ON "incidents" USING btree ("gate","sequence");--> statement-breakpoint
CREATE INDEX "incidents_score" ON "incidents" USING btree ("score_id");--> statement-breakpoint
CREATE INDEX "suite_events_revision" ON "suite_events" USING btree ("suite","revision");--> statement-breakpoint
CREATE INDEX "suite_events_case" ON "suite_events" USING btree ("case_digest");--> statement-breakpoint
ALTER TABLE suite_events
  ADD CONSTRAINT suite_events_of_a_revision FOREIGN KEY (suite, revision) REFERENCES revisions (suite, number),
  ADD CONSTRAINT suite_events_kinds CHECK (
    (kind IN ('approved', 'rejected') AND case_digest IS NULL)
    OR (kind IN ('retired', 'published') AND case_digest IS NOT NULL)
  );
--> statement-breakpoint
ALTER TABLE incidents ADD CONSTRAINT incidents_of_a_score FOREIGN KEY (score_id) REFERENCES scores (id);
--> statement-breakpoint
ALTER TABLE incident_cases
  ADD CONSTRAINT incident_cases_of_an_incident FOREIGN KEY (incident_id) REFERENCES incidents (id),
  ADD CONSTRAINT incident_cases_of_a_revision FOREIGN KEY (suite, revision) REFERENCES revisions (suite, number);
--> statement-breakpoint
ALTER TABLE incident_proofs
  ADD CONSTRAINT incident_proofs_of_an_incident FOREIGN KEY (incident_id) REFERENCES incidents (id),
  ADD CONSTRAINT incident_proofs_of_the_escaped FOREIGN KEY (escaped) REFERENCES candidates (digest),
  ADD CONSTRAINT incident_proofs_of_a_fix FOREIGN KEY (fix) REFERENCES candidates (digest);
--> statement-breakpoint
-- These are history too; what is sealed may be sealed anew, and nothing else of a row may change.
DO $$
DECLARE
  history text;
BEGIN
  FOREACH history IN ARRAY ARRAY['incident_cases', 'incident_proofs']
  LOOP
    EXECUTE format(
      'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history()',
      history
    );
  END LOOP;
  FOREACH history IN ARRAY ARRAY['suite_events', 'incidents']
  LOOP
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
