ALTER TABLE "revision_cases" ADD COLUMN "expires_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "revisions" ADD COLUMN "spent_at" timestamp with time zone;