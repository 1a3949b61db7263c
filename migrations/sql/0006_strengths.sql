CREATE TABLE "strengths" (
	"sequence" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "strengths_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" uuid NOT NULL,
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"reference" text,
	"build" text NOT NULL,
	"is_full" boolean NOT NULL,
	"mutants" integer NOT NULL,
	"killed" integer NOT NULL,
	"score" double precision NOT NULL,
	"counts" boolean NOT NULL,
	"sealed" "bytea" NOT NULL,
	"recipient" text NOT NULL,
	"measured_at" timestamp with time zone DEFAULT now() NOT NULL,
	"measured_by" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "gate_policies" ADD COLUMN "minimum_strength" double precision;--> statement-breakpoint
CREATE UNIQUE INDEX "strengths_id" ON "strengths" USING btree ("id");--> statement-breakpoint
CREATE INDEX "strengths_revision" ON "strengths" USING btree ("suite","revision","sequence");--> statement-breakpoint
ALTER TABLE strengths
  ADD CONSTRAINT strengths_of_a_revision FOREIGN KEY (suite, revision) REFERENCES revisions (suite, number),
  ADD CONSTRAINT strengths_are_shares CHECK (mutants > 0 AND killed BETWEEN 0 AND mutants AND score = killed::double precision / mutants),
  -- What somebody sent is no measure of a suite for anybody else.
  ADD CONSTRAINT strengths_count_on_references CHECK (NOT counts OR reference IS NOT NULL);
--> statement-breakpoint
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON strengths
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history();
--> statement-breakpoint
CREATE TRIGGER resealed_at_most BEFORE UPDATE ON strengths
  FOR EACH ROW EXECUTE FUNCTION refuse_all_but_resealing();
