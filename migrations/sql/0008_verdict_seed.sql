ALTER TABLE "verdicts" ADD COLUMN "seed" text;
--> statement-breakpoint
ALTER TABLE verdicts ADD CONSTRAINT verdicts_have_a_whole_seed CHECK (seed ~ '^[0-9a-f]{64}$');
