/** A measured strength as its author reads it. What is not known is not said. */
import { type StrengthReport, strengthText } from '../../gate/strength/strength.ts';
import { clip, printable } from '../printable.ts';
import { counted, numbered } from './wording.ts';

/** More survivors than these are in the JSON document only. */
const survivorsShownMax = 25;
const namesShownMax = 20;
const nameCharsMax = 120;

export function textOfStrength(report: StrengthReport): string {
  const { suite, revision, reference, mutants, killed, made, timedOut, notReached, full, cases } = report;
  const of = reference === null ? 'the build' : `reference ${reference}`;
  const chosen = made > mutants ? ` of ${made}, evenly chosen` : '';
  const survived = mutants - killed;
  return [
    `suite ${suite}, revision ${revision}: ${killed} of ${numbered(mutants, 'mutant')} of ${of} killed, a strength of ${strengthText(report.score)}`,
    `${timedOut} of the killed loop without end or take far too long; of ${survived} that survive no case reaches ${notReached}`,
    ...(chosen === '' ? [] : [`${mutants} mutants were run${chosen}`]),
    ...survivorsOf(report),
    '',
    ...namesOf(
      `${counted(report.smallest.length)} of ${cases} kill as much as all, the fewest that were found:`,
      report.smallest,
    ),
    ...(full
      ? namesOf('Kill nothing:', report.idle)
      : namesOf('Killed nothing before others did (--full tells which never do):', report.idle)),
    ...namesOf(
      'Kill only what another kills as well, so that each may go, but not all at once:',
      report.redundant ?? [],
    ),
    ...(full && report.inexact > 0
      ? [`Of ${numbered(report.inexact, 'mutant')} that had to be stopped, not every case was run.`]
      : []),
    ...(report.counts
      ? []
      : [
          '',
          'This does not count for a gate: that takes a good reference of the revision, and as many mutants as are usual.',
        ]),
  ].join('\n');
}

function survivorsOf({ survivors, survivorsLeftOut }: StrengthReport): string[] {
  const shown = survivors.slice(0, survivorsShownMax);
  const more = survivors.length - shown.length + survivorsLeftOut;
  return [
    ...shown.flatMap(({ mutator, file, line, reachedBy, diff }) => [
      '',
      printable(
        `survives: ${mutator} in ${file ?? 'the build'}, line ${line} of the bundle, reached by ${counted(reachedBy)}`,
      ),
      ...diff
        .split('\n')
        .slice(1)
        .map((text) => `  ${printable(text)}`),
    ]),
    ...(more > 0
      ? ['', `and ${more} more ${more === 1 ? 'survives' : 'survive'} (--json tells more of them)`]
      : []),
  ];
}

function namesOf(title: string, names: string[]): string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, namesShownMax).map((name) => `  ${printable(clip(name, nameCharsMax))}`);
  const more = names.length - shown.length;
  return [title, ...shown, ...(more > 0 ? [`  and ${more} more`] : [])];
}
