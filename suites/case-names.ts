/** Some of a revision's cases in words, for its author. */
import type { SuiteContents } from './suite.ts';

/** So many names are told. */
const namesMax = 5;

/** The names of the cases at these positions, the first few of them quoted. */
export function caseNamesAt({ cases }: SuiteContents, positions: number[]): string {
  const told = positions.slice(0, namesMax).map((position) => JSON.stringify(cases[position]?.name));
  const more = positions.length - told.length;
  return `${told.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
