-- What a revision was charged in all stands with each of its charges, so that nobody has to add up a history of years to know what is left.
DROP INDEX "charges_revision";--> statement-breakpoint
ALTER TABLE "charges" ADD COLUMN "sequence" bigint NOT NULL GENERATED ALWAYS AS IDENTITY (sequence name "charges_sequence_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1);--> statement-breakpoint
ALTER TABLE "charges" ADD COLUMN "spent" double precision;--> statement-breakpoint
ALTER TABLE charges DISABLE TRIGGER append_only;--> statement-breakpoint
UPDATE charges SET spent = added.spent
FROM (
  SELECT score_id, suite, sum(bits) OVER (PARTITION BY suite, revision ORDER BY sequence ROWS UNBOUNDED PRECEDING) AS spent FROM charges
) AS added
WHERE added.score_id = charges.score_id AND added.suite = charges.suite;
--> statement-breakpoint
ALTER TABLE charges ENABLE TRIGGER append_only;--> statement-breakpoint
ALTER TABLE "charges" ALTER COLUMN "spent" SET NOT NULL;--> statement-breakpoint
CREATE INDEX "charges_revision" ON "charges" USING btree ("suite","revision","sequence");--> statement-breakpoint
CREATE FUNCTION add_up_charges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- One charge of a revision after the other: each sees the one before it, and has a later number.
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.suite || '@' || NEW.revision, 6));
  NEW.sequence := nextval(pg_get_serial_sequence('charges', 'sequence'));
  NEW.spent := NEW.bits + coalesce(
    (SELECT spent FROM charges WHERE suite = NEW.suite AND revision = NEW.revision ORDER BY sequence DESC LIMIT 1), 0
  );
  RETURN NEW;
END;
$$;
--> statement-breakpoint
CREATE TRIGGER add_up BEFORE INSERT ON charges FOR EACH ROW EXECUTE FUNCTION add_up_charges();
