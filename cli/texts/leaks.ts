/** What a search for leaks found, as people read it. */
import type { LeakReport } from '../commands/leaks.ts';
import { printable } from '../printable.ts';
import { counted, numbered } from './wording.ts';

export function textOfLeaks({ findings, looked, files, skipped, unread }: LeakReport): string {
  const places = new Set(findings.map(({ path }) => path)).size;
  const left =
    skipped.length === 0
      ? ''
      : `; ${numbered(skipped.length, 'folder')} left out (--all looks into ${skipped.length === 1 ? 'it' : 'them'})`;
  const found =
    findings.length === 0
      ? 'nothing found'
      : `found in ${places} of them, on ${numbered(findings.length, 'line')}`;
  return [
    ...findings.map(({ path, line, suite, cases }) => {
      return `${printable(path)}:${line}  suite ${suite}: ${counted(cases)}`;
    }),
    ...unread.map(({ path, why }) => `${printable(path)}  not read: ${why}`),
    `looked through ${numbered(files, 'file')}: ${found}${left}`,
    ...looked.map(({ suite, revision, cases, tooShort }) => {
      const short = tooShort === 0 ? '' : `, ${tooShort} of them too short to be looked for`;
      return `  for suite ${suite}, revision ${revision}: ${counted(cases)}${short}`;
    }),
  ].join('\n');
}

/** Why a search that found nothing would prove nothing; empty if it does prove something. */
export function unsaidOf({ looked, unread }: LeakReport): string {
  if (looked.length === 0) return 'there is no active revision to look for: nothing was looked for';
  if (looked.every(({ cases, tooShort }) => tooShort >= cases)) {
    return 'all cases are too short to be looked for: nothing was looked for';
  }
  if (unread.length === 0) return '';
  return `${unread.length} of the files and folders could not be read: what is in them is not known`;
}
