/** One function for each question asked of the database about strengths. A report is sealed like a suite, and bound to its row. */
import { and, desc, eq } from 'drizzle-orm';
import { z } from 'zod';
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import { strengths } from '../../migrations/tables.ts';
import { SuiteError } from '../../suites/errors.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import { sealForStorage } from '../../suites/sealing/seal-for-storage.ts';
import type { Seals } from '../../suites/sealing/sealing.ts';
import type { Measured } from './measure-strength.ts';
import { type Strength, type StrengthReport, strengthReportSchema, strengthSchema } from './strength.ts';

const sealedSchema = z.strictObject({ strength: z.uuid(), report: strengthReportSchema });

/** So many of a revision's measurements are listed, newest first. */
const listedMax = 100;

/** Records a measurement with its sealed report, and tells of it in the audit, in one transaction. */
export async function appendStrength(
  { database, seals }: { database: Database; seals: Seals },
  id: string,
  measured: Measured,
  by: string,
): Promise<StrengthReport> {
  const measuredAt = new Date();
  const report = strengthReportSchema.parse({ ...measured, id, measuredAt: measuredAt.toISOString() });
  const { suite, revision, reference, build, full, mutants, killed, score, counts } = report;
  await database.transaction(async (transaction) => {
    const text = JSON.stringify({ strength: id, report } satisfies z.infer<typeof sealedSchema>);
    const sealed = await sealForStorage(transaction, seals, text);
    const numbers = { suite, revision, reference, build, mutants, killed, score, counts };
    await transaction
      .insert(strengths)
      .values({ id, ...numbers, isFull: full, ...sealed, measuredAt, measuredBy: by });
    await appendAudit(transaction, { by, action: 'strength.measured', about: { id, ...numbers } });
  });
  return report;
}

/** The report of a recorded measurement of a revision, undefined if there is none. Throws `seal_broken`. */
export async function openStrength(
  { database, seals }: { database: Database; seals: Seals },
  { suite, revision }: RevisionName,
  id: string,
): Promise<StrengthReport | undefined> {
  const [row] = await database
    .select({ sealed: strengths.sealed })
    .from(strengths)
    .where(and(eq(strengths.id, id), eq(strengths.suite, suite), eq(strengths.revision, revision)));
  if (row === undefined) return undefined;
  const { strength, report } = sealedSchema.parse(JSON.parse(await seals.open(row.sealed)));
  if (strength === id) return report;
  throw new SuiteError('seal_broken', `what is stored as the strength ${id} is that of another measurement`);
}

/** The newest measurements of a revision in plain numbers, newest first. */
export async function listStrengths(
  database: Database,
  { suite, revision }: RevisionName,
): Promise<Strength[]> {
  const rows = await database
    .select()
    .from(strengths)
    .where(and(eq(strengths.suite, suite), eq(strengths.revision, revision)))
    .orderBy(desc(strengths.sequence))
    .limit(listedMax);
  return rows.map((row) =>
    strengthSchema.strip().parse({ ...row, full: row.isFull, measuredAt: row.measuredAt.toISOString() }),
  );
}

/** The newest strength of a revision that counts for a gate, undefined if none was measured. */
export async function findStrength(
  database: Database,
  { suite, revision }: RevisionName,
): Promise<number | undefined> {
  const [row] = await database
    .select({ score: strengths.score })
    .from(strengths)
    .where(and(eq(strengths.suite, suite), eq(strengths.revision, revision), eq(strengths.counts, true)))
    .orderBy(desc(strengths.sequence))
    .limit(1);
  return row?.score;
}
