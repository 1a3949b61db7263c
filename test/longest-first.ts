/**
 * Starts the files that take longest first, so that no worker is left with one of them when the others have nothing to do. Vitest does
 * so by itself once it has run them; in a fresh clone it goes by their size, which says little here.
 */
import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** By what they cost on two cores, most first. Whatever is not named here is short, and comes after. */
const longest = [
  'database',
  'injected-faults',
  'packed',
  'queue',
  'journal',
  'corpus',
  'cli',
  'sealing',
  'backup',
  'suite-code',
  'authoring',
  'suite-pages',
  'generated',
  'faults',
  'candidates',
  'incidents',
  'containment',
  'disclosure',
  'strength',
  'pages',
  'audit',
  'compared',
  'rotation-crash',
  'preflight',
  'operation',
  'score-page',
  'leaks',
  'rotation',
  'edit-case',
  'trends-page',
  'history',
  'problems',
  'day',
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
