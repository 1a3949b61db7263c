/** A suite that cannot be taken as it is written: each thing that is wrong, by the file and line where it is to be mended. */
import { quoted } from '../suites/authoring/faults.ts';
import { type Finding, findingsMax } from '../suites/authoring/finding.ts';
import type { Place } from '../suites/authoring/suite-text.ts';
import { CommandError } from './errors.ts';
import { clip, printable } from './printable.ts';

/** A finding with the place in a file that it is about; of some no place is known. */
export type PlacedFinding = Finding & { file: string; place: Place | null };

/** What is wrong with one file; `more` findings are not among those told. */
export type Findings = { told: PlacedFinding[]; more: number };

/** As many findings as are told at once, in the order of the file. */
export function gather(findings: PlacedFinding[], more = 0): Findings {
  const sorted = findings.toSorted(
    (a, b) => (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0),
  );
  return {
    told: sorted.slice(0, findingsMax),
    more: more + Math.max(0, findings.length - findingsMax),
  };
}

export class SuiteRefused extends CommandError {
  readonly findings: Findings;

  constructor(path: string, findings: Findings) {
    const [first] = findings.told;
    const what = first === undefined ? '' : `: ${lineOf(first)}`;
    const count = findings.told.length + findings.more;
    const more = count > 1 ? ` (and ${count - 1} more)` : '';
    super('usage', 'suite_invalid', `${path} is not a suite that can be sealed${what}${more}`);
    this.findings = findings;
  }
}

const lineCharsMax = 400;

/** A finding in a line: `file:line:column: what is wrong (in case "…"): what to do`. */
export function lineOf({
  file,
  place,
  case: name,
  position,
  path,
  detail,
  suggestion,
}: PlacedFinding): string {
  const at = place === null ? file : `${file}:${place.line}:${place.column}`;
  const keys = position === null ? path : path.slice(2);
  const where = keys.length === 0 ? '' : `${keys.join('.')}: `;
  const called = name === null ? `case ${(position ?? 0) + 1}` : `case ${quoted(name)}`;
  const about = position === null ? '' : ` (in ${called})`;
  const advice = suggestion === undefined ? '' : `: ${suggestion}`;
  return clip(printable(`${at}: ${where}${detail}${about}${advice}`), lineCharsMax);
}

/** All of them in lines. */
export function linesOf({ told, more }: Findings): string[] {
  return [...told.map(lineOf), ...(more === 0 ? [] : [`and ${more} more`])];
}
