/** Backups, and what was restored from them, as people read them. */
import type { Restored } from '../../server/restored.ts';
import type { TakenBackup } from '../commands/backup.ts';
import { printable } from '../printable.ts';
import { numbered } from './wording.ts';

const kinds: Record<Restored['into'], string> = {
  pglite: 'the embedded database',
  postgresql: 'PostgreSQL',
};

export function textOfBackup({ file, bytes, takenAt, from }: TakenBackup): string {
  return printable(`${file}: ${kinds[from]} as it was at ${takenAt}, ${numbered(bytes, 'byte')}`);
}

/** What it does not hold. */
export function noteOfBackup({ recipient }: TakenBackup): string {
  return printable(
    `the identity is not in it: keep that of ${recipient} too, and elsewhere, because nothing that is sealed opens without it; after \`holdback identity rotate\` take another backup`,
  );
}

export function textOfRestored({ into, from, takenAt, rows, ...counts }: Restored): string {
  const { scores, verdicts, suites, gates } = counts;
  const what = [
    numbered(suites, 'suite'),
    numbered(gates, 'gate'),
    numbered(scores, 'score'),
    numbered(verdicts, 'verdict'),
  ];
  return `restored into ${kinds[into]}: ${kinds[from]} as it was at ${takenAt}, with ${what.join(', ')}, ${numbered(rows, 'row')} in all; the audit holds`;
}

/** What to think of before it is used. */
export function noteOfRestored({ recipient, takenAt }: Restored): string {
  return printable(
    `start the service with the identity of ${recipient}. What happened after ${takenAt} is not there: tokens that were revoked since are good again, and what verdicts have taught since is not counted. \`holdback audit verify --head\` holds it against a head that was kept`,
  );
}
