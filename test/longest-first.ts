/**
 * Starts the files that take longest first, so that no worker is left with one of them when the others have nothing to do. Vitest does
 * so by itself once it has run them; in a fresh clone it goes by their size, which says little here.
 */
import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** By what they cost on two cores, most first. Whatever is not named here is short, and comes after. */
const longest = [
  'corpus',
  'cli',
  'database',
  'packed',
  'faults',
  'rotation-crash',
  'containment',
  'sealing',
  'authoring',
  'disclosure',
  'candidates',
  'rotation',
  'audit',
  'leaks',
  'suite-code',
  'preflight',
  'references',
  'scenarios',
  'exposure',
  'access',
  'main-job',
];

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = longest.indexOf(basename(moduleId, '.test.ts'));
      return index === -1 ? longest.length : index;
    };
    return [...files].sort((one, other) => place(one) - place(other));
  }
}
