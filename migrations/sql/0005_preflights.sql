CREATE TABLE "preflights" (
	"sequence" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "preflights_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"runner" text NOT NULL,
	"rounds" integer NOT NULL,
	"passed" boolean NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"by" text NOT NULL
);
--> statement-breakpoint
CREATE INDEX "preflights_revision" ON "preflights" USING btree ("suite","revision","runner","sequence");
--> statement-breakpoint
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON preflights
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_history();
--> statement-breakpoint
ALTER TABLE preflights
  ADD CONSTRAINT preflights_of_a_revision FOREIGN KEY (suite, revision) REFERENCES revisions (suite, number);
