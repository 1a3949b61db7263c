CREATE INDEX "scores_newest" ON "scores" USING btree ("requested_at","sequence");--> statement-breakpoint
CREATE INDEX "scores_gate" ON "scores" USING btree ("gate","requested_at","sequence");--> statement-breakpoint
CREATE INDEX "scores_repository" ON "scores" USING btree ("repository","requested_at","sequence") WHERE "scores"."repository" is not null;--> statement-breakpoint
CREATE INDEX "scores_author" ON "scores" USING btree ("author","requested_at","sequence") WHERE "scores"."author" is not null;--> statement-breakpoint
CREATE INDEX "scores_agent" ON "scores" USING btree ("agent","requested_at","sequence") WHERE "scores"."agent" is not null;--> statement-breakpoint
CREATE INDEX "scores_model" ON "scores" USING btree ("model","requested_at","sequence") WHERE "scores"."model" is not null;--> statement-breakpoint
CREATE INDEX "verdicts_reason" ON "verdicts" USING btree ("reason","requested_at");