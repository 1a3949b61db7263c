/** Incidents and escapes as people read them. */
import type { Escapes, Incident } from '../../gate/incidents/incident.ts';
import { printable } from '../printable.ts';
import { lines, numbered } from './wording.ts';

const states = {
  recorded: 'no case yet',
  drafted: 'its case is not proven',
  proven: 'its case is proven',
} satisfies Record<Incident['state'], string>;

export function textOfIncident({
  id,
  gate,
  change,
  recordedAt,
  state,
  title,
  case: drafted,
}: Incident): string {
  const called = title === undefined ? '' : `: ${title}`;
  const where =
    drafted === null
      ? ''
      : `, ${drafted.name === undefined ? '' : `${JSON.stringify(drafted.name)} `}in revision ${drafted.revision} of suite ${drafted.suite}`;
  return printable(
    `${recordedAt.slice(0, 10)} ${id} at gate ${gate}, change ${change.id} commit ${change.commit}${called} (${states[state]}${where})`,
  );
}

export function textOfProof({ proofs: [newest] }: Incident): string {
  if (newest === undefined) return 'nothing was run';
  const { escaped, escapedPassed, fix, fixPassed } = newest;
  const word = (passed: boolean) => (passed ? 'passes' : 'fails');
  return `the case ${word(escapedPassed)} on the build that escaped (${escaped.slice(0, 19)}…) and ${word(fixPassed)} on the fix (${fix.slice(0, 19)}…)`;
}

/** What is to be done next about an incident. */
export function noteOfIncident({ id, state, case: drafted }: Incident): string {
  if (state === 'drafted') return `prove it: holdback incident prove ${id} --fix ENTRY`;
  return state === 'proven' && drafted !== null
    ? `its revision may be activated: holdback suite activate ${drafted.suite} ${drafted.revision}`
    : '';
}

export function textOfEscapes({ gate, bucket, buckets }: Escapes): string {
  const rows = buckets.map(({ from, merged, escaped, recorded }) => {
    return `  ${bucket} of ${from.slice(0, 10)}: ${escaped} of ${merged} merged let a bug pass; ${numbered(recorded, 'incident')} recorded`;
  });
  return [`gate ${gate}`, lines(rows, '  nothing merged and nothing was recorded')].join('\n');
}
