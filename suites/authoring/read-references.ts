/** Reads the builds that a suite holds: everything that is wrong with them as values is found at once. */
import { type Reference, referencesSchema } from '../reference.ts';
import { readBy } from './faults.ts';
import { type Finding, findReferenceTwins, suiteFinding } from './finding.ts';

/** The references as an author wrote them, and what is wrong with them. Left out, there are none. */
export function readReferences(given: unknown): { references: Reference[]; findings: Finding[] } {
  if (given === undefined) return { references: [], findings: [] };
  const read = readBy(referencesSchema, given);
  if (!read.ok) {
    const findings = read.faults.map(({ path, detail }) => suiteFinding(['references', ...path], detail));
    return { references: [], findings };
  }
  return { references: read.value, findings: findReferenceTwins(read.value.map(({ name }) => name)) };
}
