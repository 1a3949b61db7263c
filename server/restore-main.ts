/**
 * Restores the backup whose path it is given, and prints what came of it as one line of JSON: `holdback restore` runs it, because only
 * here may a database be opened.
 */
import { forbidCoreDumps } from './core-dumps.ts';
import './drizzle-is-esm.ts';
import type { RestoreReport } from './restored.ts';

forbidCoreDumps();
process.removeAllListeners('warning');
process.on('warning', (warning) => console.error(`${warning.name}: ${warning.message}`));

const { readConfig } = await import('./config.ts');
const { restoreBackup } = await import('./restore-backup.ts');
const { withoutStatement } = await import('../migrations/errors.ts');

const [file = ''] = process.argv.slice(2);
const report: RestoreReport = await Promise.try(() => restoreBackup(readConfig(process.env), file)).then(
  (restored) => ({ restored }),
  (failure: unknown) => {
    const error = withoutStatement(failure);
    const code = error instanceof Error && 'code' in error ? `${error.code}` : 'restore_failed';
    return { refused: { code, message: error instanceof Error ? error.message : `${error}` } };
  },
);
console.log(JSON.stringify(report));
process.exitCode = 'restored' in report ? 0 : 1;
