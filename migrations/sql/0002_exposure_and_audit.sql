CREATE TABLE "alarms" (
	"sequence" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "alarms_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"score_id" uuid NOT NULL,
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"kind" text NOT NULL,
	"cases" integer NOT NULL,
	"raised_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "audit" (
	"sequence" bigint PRIMARY KEY NOT NULL,
	"entry" text NOT NULL,
	"hash" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "audit_heads" (
	"sequence" bigint PRIMARY KEY NOT NULL,
	"hash" text NOT NULL,
	"signature" text NOT NULL,
	"public_key" text NOT NULL,
	"signed_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "charges" (
	"score_id" uuid NOT NULL,
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"bits" double precision NOT NULL,
	CONSTRAINT "charges_score_id_suite_pk" PRIMARY KEY("score_id","suite")
);
--> statement-breakpoint
CREATE TABLE "overrides" (
	"sequence" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "overrides_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"score_id" uuid NOT NULL,
	"approved_by" text NOT NULL,
	"person" text NOT NULL,
	"reason" text NOT NULL,
	"approved_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "revision_cases" (
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"position" integer NOT NULL,
	"case_digest" text NOT NULL,
	CONSTRAINT "revision_cases_suite_revision_position_pk" PRIMARY KEY("suite","revision","position")
);
--> statement-breakpoint
CREATE TABLE "secrets" (
	"name" text PRIMARY KEY NOT NULL,
	"sealed" "bytea" NOT NULL,
	"recipient" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "gate_policies" ADD COLUMN "override_approvals" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "revisions" ADD COLUMN "tripwires" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "revisions" ADD COLUMN "sealed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "owner" text;--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "suites" text[];--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "created_by" text;--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "expires_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "last_used_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "revoked_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "revoked_by" text;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "sealed_to" text;--> statement-breakpoint
ALTER TABLE "verdicts" ADD COLUMN "repeats" uuid;--> statement-breakpoint
CREATE INDEX "alarms_score" ON "alarms" USING btree ("score_id");--> statement-breakpoint
CREATE INDEX "charges_revision" ON "charges" USING btree ("suite","revision");--> statement-breakpoint
CREATE UNIQUE INDEX "overrides_person" ON "overrides" USING btree ("score_id","person");--> statement-breakpoint
CREATE INDEX "revision_cases_digest" ON "revision_cases" USING btree ("case_digest");--> statement-breakpoint
CREATE INDEX "scores_candidate" ON "scores" USING btree ("gate","candidate","sequence");