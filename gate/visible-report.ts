/**
 * What CI says of the tests that the change's author sees, as it may be sent and as it is kept. Apart from how a report is read
 * (`visible-tests.ts`), because every command knows the shape of a score, and few read a report.
 */
import { z } from 'zod';

/** More tests than this are nobody's. */
export const testsMax = 10_000_000;

/** JUnit XML that a request carries, in characters: reading it holds up everybody else. The command counts longer ones by itself. */
const junitCharsMax = 256 << 10;

const countSchema = z.int().min(0).max(testsMax);

/** So many of the visible tests passed, of so many that ran. */
export const visibleTestsSchema = z
  .strictObject({ passed: countSchema, total: countSchema })
  .refine(({ passed, total }) => passed <= total, { error: 'more tests passed than there are' });
export type VisibleTests = z.infer<typeof visibleTestsSchema>;

/** A report in the Common Test Report Format (ctrf.io): of it, the summary counts. */
const ctrfSchema = z.looseObject({
  results: z.looseObject({
    summary: z.looseObject({
      passed: countSchema,
      failed: countSchema,
      other: countSchema.default(0),
    }),
  }),
});

/** The visible tests as they may be sent. */
export const visibleReportSchema = z.union(
  [
    visibleTestsSchema,
    z.strictObject({ junit: z.string().min(1).max(junitCharsMax).describe('A report in JUnit XML.') }),
    z.strictObject({ ctrf: ctrfSchema.describe('A report in the Common Test Report Format.') }),
  ],
  {
    error: `visible tests are {passed, total} with no more passed than there are, {junit: "…"} of at most ${junitCharsMax} characters, or {ctrf: {results: {summary: {passed, failed, …}}}}`,
  },
);
export type VisibleReport = z.infer<typeof visibleReportSchema>;
