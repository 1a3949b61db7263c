/** The life of cases as people read it: a review, a comparison, and a suite's cases one by one. */
import type { Comparison, ReviewedRevision, SuiteCases } from '../../suites/life/life.ts';
import { clip, printable } from '../printable.ts';
import { linesOfChanges } from '../suite-changes.ts';
import { counted, lines } from './wording.ts';

const nameCharsMax = 100;

export function textOfReviews({ suite, revision, state, reviews }: ReviewedRevision): string {
  const words = { approve: 'approves', reject: 'rejects' };
  const said = reviews.map(({ person, verdict, comment }) => {
    return printable(`  ${person} ${words[verdict]} it${comment === undefined ? '' : `: ${comment}`}`);
  });
  return [`suite ${suite}, revision ${revision}: ${state}`, ...said].join('\n');
}

export function textOfComparison({ suite, revision, with: other, ...changes }: Comparison): string {
  return [`suite ${suite}: from revision ${other} to revision ${revision}`, ...linesOfChanges(changes)].join(
    '\n',
  );
}

export function textOfCases({ suite, revision, state, cases, left }: SuiteCases): string {
  const rows = cases.map((testCase) => {
    const { name, tags, owner, expires, bits, published, incident } = testCase;
    const about = [
      ...(tags.length === 0 ? [] : [tags.map((tag) => `#${tag}`).join(' ')]),
      ...(owner === undefined ? [] : [`of ${owner}`]),
      ...(expires === undefined ? [] : [`${testCase.state === 'expired' ? 'expired' : 'until'} ${expires}`]),
      ...(bits === 0 ? [] : [`${bits.toFixed(1)} bits told`]),
      ...(published ? ['published'] : []),
      ...(incident === null ? [] : [`from incident ${incident}`]),
    ];
    return printable(`  ${clip(name, nameCharsMax)}${about.length === 0 ? '' : `  (${about.join(', ')})`}`);
  });
  const gone = left.map(({ name, kind, person, reason, at }) => {
    const why = reason === undefined ? '' : `: ${reason}`;
    return printable(`  ${clip(name, nameCharsMax)}  (${kind} by ${person} on ${at.slice(0, 10)}${why})`);
  });
  return [
    `suite ${suite}, revision ${revision} (${state}): ${counted(cases.length)}`,
    lines(rows, '  none that was asked for'),
    ...(gone.length === 0 ? [] : ['retired and published:', ...gone]),
  ].join('\n');
}
