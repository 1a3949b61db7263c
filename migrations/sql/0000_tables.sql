CREATE TABLE "activations" (
	"sequence" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "activations_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"activated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"activated_by" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "candidates" (
	"digest" text PRIMARY KEY NOT NULL,
	"bytes" "bytea" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "case_results" (
	"score_id" uuid NOT NULL,
	"suite" text NOT NULL,
	"revision" integer NOT NULL,
	"position" integer NOT NULL,
	"outcome" text NOT NULL,
	"passed" boolean NOT NULL,
	"duration_ms" double precision NOT NULL,
	CONSTRAINT "case_results_score_id_suite_position_pk" PRIMARY KEY("score_id","suite","position")
);
--> statement-breakpoint
CREATE TABLE "gate_policies" (
	"gate" text NOT NULL,
	"version" integer NOT NULL,
	"suites" text[] NOT NULL,
	"attempts_per_change" integer,
	"exposure_budget_bits" double precision,
	"disclosure" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" text NOT NULL,
	CONSTRAINT "gate_policies_gate_version_pk" PRIMARY KEY("gate","version")
);
--> statement-breakpoint
CREATE TABLE "revisions" (
	"suite" text NOT NULL,
	"number" integer NOT NULL,
	"digest" text NOT NULL,
	"case_count" integer NOT NULL,
	"sealed" "bytea" NOT NULL,
	"recipient" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" text NOT NULL,
	CONSTRAINT "revisions_suite_number_pk" PRIMARY KEY("suite","number")
);
--> statement-breakpoint
CREATE TABLE "scores" (
	"id" uuid PRIMARY KEY NOT NULL,
	"sequence" bigint GENERATED ALWAYS AS IDENTITY (sequence name "scores_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"gate" text NOT NULL,
	"policy_version" integer NOT NULL,
	"change_id" text NOT NULL,
	"commit" text NOT NULL,
	"repository" text,
	"author" text,
	"agent" text,
	"model" text,
	"candidate" text NOT NULL,
	"requested_at" timestamp with time zone DEFAULT now() NOT NULL,
	"requested_by" text NOT NULL,
	"deadline_at" timestamp with time zone NOT NULL,
	"idempotency_key" text,
	"request_digest" text NOT NULL,
	CONSTRAINT "scores_sequence_unique" UNIQUE("sequence")
);
--> statement-breakpoint
CREATE TABLE "tokens" (
	"id" uuid PRIMARY KEY NOT NULL,
	"role" text NOT NULL,
	"name" text NOT NULL,
	"gates" text[],
	"sha256" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "tokens_sha256_unique" UNIQUE("sha256")
);
--> statement-breakpoint
CREATE TABLE "verdicts" (
	"score_id" uuid PRIMARY KEY NOT NULL,
	"verdict" text NOT NULL,
	"reason" text NOT NULL,
	"revisions" jsonb NOT NULL,
	"passed" integer NOT NULL,
	"total" integer NOT NULL,
	"duration_ms" double precision NOT NULL,
	"sealed_failures" "bytea",
	"decided_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "activations_suite" ON "activations" USING btree ("suite","sequence");--> statement-breakpoint
CREATE UNIQUE INDEX "scores_idempotency" ON "scores" USING btree ("requested_by","idempotency_key");--> statement-breakpoint
CREATE INDEX "scores_change" ON "scores" USING btree ("gate","change_id","sequence");--> statement-breakpoint
CREATE INDEX "scores_verdict" ON "scores" USING btree ("gate","change_id","commit","candidate","sequence");