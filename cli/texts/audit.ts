/** The audit and its check, as people read them. */
import { type AuditRecord, readEntry } from '../../gate/audit/audit-chain.ts';
import type { AuditCheck } from '../commands/audit.ts';
import { clip, printable } from '../printable.ts';
import { numbered } from './wording.ts';

export function textOfAudit({ records, heads, head, publicKey, fault }: AuditCheck): string {
  const told =
    fault === null
      ? `the audit holds: ${numbered(records, 'record')}, ${numbered(heads, 'signed head')}`
      : `the audit does NOT hold: ${fault.of} ${fault.sequence} is ${fault.kind}: ${printable(fault.detail)}`;
  return [
    told,
    ...(head === null ? [] : [printable(`head ${head.sequence} ${head.hash}`)]),
    printable(`key ${publicKey}`),
  ].join('\n');
}

export function textOfRecord({ sequence, entry }: AuditRecord): string {
  const read = readEntry(entry);
  if (read === undefined) return clip(`${sequence}  unreadable: ${printable(entry)}`, 300);
  const about = Object.entries(read.about).map(([name, value]) => {
    return `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  });
  const { at, by, action } = read;
  return clip(printable([sequence, at, by, action, about.join(' ')].join('  ')), 500);
}
