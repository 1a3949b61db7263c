/** Restores a backup where the service's settings say that its database is, with the identity that they give. */
import { access } from 'node:fs/promises';
import { sql } from 'drizzle-orm';
import { z } from 'zod';
import { AuditLog } from '../gate/audit/audit-log.ts';
import { appendAudit } from '../migrations/append-audit.ts';
import { DatabaseError } from '../migrations/errors.ts';
import { type Backup, readBackup } from '../migrations/journal/backup-file.ts';
import type { Database } from '../migrations/open-database.ts';
import { restoreDatabase } from '../migrations/restore-database.ts';
import { rowsOf } from '../migrations/rows-of.ts';
import { identityPath, loadIdentity } from '../suites/sealing/identity.ts';
import { loadKeys } from '../suites/sealing/keys.ts';
import { Seals } from '../suites/sealing/sealing.ts';
import type { Config } from './config.ts';
import type { Restored } from './restored.ts';

/**
 * Answers what came back. Throws `backup_broken` and `restore_refused`, and whatever opening a database and an identity throw: then
 * nothing has changed.
 */
export async function restoreBackup(config: Config, file: string): Promise<Restored> {
  const read = readBackup(file);
  if ('fault' in read)
    throw new DatabaseError(
      'backup_broken',
      `${file} cannot be restored: ${read.fault}. Nothing was changed`,
    );
  const { backup, migrations } = read;
  const seals = await sealsOf(config, backup);
  const { dataDir, databaseUrl } = config;
  return restoreDatabase({ dataDir, databaseUrl, file, migrations }, async (database) => {
    const keys = await loadKeys(database, seals);
    const counts = await countRows(database);
    const { takenAt, from, recipient } = backup;
    const about = { takenAt, from, recipient, scores: counts.scores, verdicts: counts.verdicts };
    await appendAudit(database, { by: 'service', action: 'backup.restored', about });
    const { fault } = await new AuditLog(database, keys.auditSeed).newestHead();
    if (fault !== null)
      throw new DatabaseError(
        'restore_refused',
        `the audit in the backup does not hold: ${fault.of} ${fault.sequence} is ${fault.kind}: ${fault.detail}`,
      );
    return { ...backup, into: databaseUrl === undefined ? 'pglite' : 'postgresql', ...counts };
  });
}

/** The identity at hand, which must be the one that opens the backup. None is made here. */
async function sealsOf(config: Config, { recipient }: Backup): Promise<Seals> {
  const path = identityPath(config);
  const isThere =
    path === undefined ||
    (await access(path).then(
      () => true,
      () => false,
    ));
  if (!isThere)
    throw new DatabaseError(
      'restore_refused',
      `the identity that opens the backup is not in it, and not in ${path}: put that of ${recipient} there, or give it by HOLDBACK_IDENTITY or HOLDBACK_IDENTITY_FILE`,
    );
  const identity = await loadIdentity({ ...config, identityFile: path });
  const seals = new Seals(identity);
  if (seals.opens(recipient)) return seals;
  throw new DatabaseError(
    'restore_refused',
    `the backup is sealed to ${recipient}, and the identity here is that of ${identity.recipient}: give the one it is sealed to, by HOLDBACK_IDENTITY or HOLDBACK_IDENTITY_FILE`,
  );
}

const tablesSchema = z.array(z.object({ name: z.string() }));
const countsSchema = z.array(
  z.object({
    rows: z.coerce.number(),
    scores: z.coerce.number(),
    verdicts: z.coerce.number(),
    suites: z.coerce.number(),
    gates: z.coerce.number(),
  }),
);

async function countRows(database: Database): Promise<z.infer<typeof countsSchema>[number]> {
  const tables = tablesSchema.parse(
    rowsOf(
      await database.execute(sql`
        SELECT relname AS name FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`),
    ),
  );
  const all = tables.map(({ name }) => sql`(SELECT count(*) FROM ${sql.identifier(name)})`);
  const counted = await database.execute(sql`
    SELECT ${sql.join(all, sql` + `)} AS rows,
      (SELECT count(*) FROM scores) AS scores, (SELECT count(*) FROM verdicts) AS verdicts,
      (SELECT count(DISTINCT suite) FROM revisions) AS suites, (SELECT count(DISTINCT gate) FROM gate_policies) AS gates`);
  const [counts] = countsSchema.parse(rowsOf(counted));
  if (counts === undefined) throw new Error('the database does not say what is in it');
  return counts;
}
