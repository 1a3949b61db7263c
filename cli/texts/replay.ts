/** Replays as people read them. */
import type { Replay } from '../../gate/disclosure/disclosed.ts';
import { clip, printable } from '../printable.ts';
import { counted } from './wording.ts';

/** So many characters of an input are shown on a line; `--json` has more. */
const inputShown = 1_000;

export function textOfReplay({ score, seed, revisions, passed, total, failures, agrees }: Replay): string {
  const names = revisions.map(({ suite, revision }) => `, ${suite} revision ${revision}`).join('');
  return [
    printable(`score ${score}${names}`),
    ...(seed === null ? [] : [`seed ${seed}`]),
    `passed ${passed} of ${counted(total)}, ${agrees ? 'as in the score' : 'which is not what came of the score'}`,
    ...failures.flatMap(textOfFailure),
  ].join('\n');
}

function textOfFailure({
  suite,
  case: name,
  outcome,
  message,
  generated,
  smallest,
}: Replay['failures'][number]) {
  const told = `  ${suite}: ${name}: ${outcome}${message && `: ${message}`}`;
  return [
    clip(printable(told), 600),
    ...(generated === undefined
      ? []
      : [
          clip(
            printable(`    input ${generated.run + 1} of ${generated.runs}: ${generated.input}`),
            inputShown,
          ),
        ]),
    ...(smallest === undefined
      ? []
      : [
          clip(
            printable(`    ${smallest.isMinimal ? 'smallest' : 'smaller'} input: ${smallest.input}`),
            inputShown,
          ),
        ]),
  ];
}
