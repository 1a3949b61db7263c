/** What a push would change, in lines for whoever is asked whether to push. */

import type { Changes } from '../suites/authoring/suite-check.ts';
import { clip, printable } from './printable.ts';
import type { Checked } from './suite-checking.ts';

/** So many names of each kind are shown. */
const namesShown = 20;
const nameCharsMax = 100;

export function changeLines({ suite, check: { cases, notes, activeRevision, changes } }: Checked): string[] {
  const count = `${cases} ${cases === 1 ? 'case' : 'cases'}`;
  if (activeRevision === null || changes === null)
    return [`suite ${suite}: ${count}; no revision is active yet`, ...notes.map(printable)];
  return [
    `suite ${suite}: ${count}, against revision ${activeRevision}, which is active`,
    ...linesOfChanges(changes),
    ...notes.map(printable),
  ];
}

/** What changes, case by case. */
export function linesOfChanges(changes: Changes): string[] {
  const { added, removed, changed, unchanged, readAsBefore, limits, references } = changes;
  const isSame =
    added.length + removed.length + changed.length + readAsBefore === 0 && !limits && !references;
  return [
    ...named('+', added),
    ...named('-', removed),
    ...named('~', changed),
    `${added.length} added, ${removed.length} removed, ${changed.length} changed, ${unchanged + readAsBefore} as before`,
    ...(readAsBefore === 0
      ? []
      : [`${readAsBefore} predicates read as before; other code of the module changed, which they may call`]),
    ...(limits ? ['the limits change'] : []),
    ...(references ? ['the references change'] : []),
    ...(isSame ? ['nothing changes'] : []),
  ];
}

function named(sign: string, names: string[]): string[] {
  const shown = names.slice(0, namesShown).map((name) => `  ${sign} ${clip(printable(name), nameCharsMax)}`);
  const rest = names.length - shown.length;
  return rest > 0 ? [...shown, `  ${sign} and ${rest} more`] : shown;
}
