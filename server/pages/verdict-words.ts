/** A verdict in words: what was decided, how it looks, and why. */
import type { FinishedScore } from '../../gate/disclosure/disclosed.ts';

export type VerdictWords = { word: string; look: 'good' | 'bad' | 'warn'; sign: string; why: string };

export function verdictWords({ verdict, canMerge, reason, passed, total }: FinishedScore): VerdictWords {
  const isMerge = verdict === 'merge' && canMerge;
  const word = isMerge ? 'Merge' : 'Block';
  if (!isMerge) {
    const isRed = reason === 'red';
    return { word, look: isRed ? 'bad' : 'warn', sign: isRed ? '✕' : '!', why: whyBlocked() };
  }
  if (reason === 'overridden') {
    return {
      word,
      look: 'warn',
      sign: '✓',
      why: 'It was blocked, and people with the right to have let it merge.',
    };
  }
  return { word, look: 'good', sign: '✓', why: `${everyCase()} of every required suite passed.` };

  function everyCase(): string {
    return total === undefined ? 'Every case' : total === 1 ? 'The one case' : `All ${total} cases`;
  }

  function whyBlocked(): string {
    switch (reason) {
      case 'red':
        if (passed === undefined || total === undefined) return 'Not every case passed.';
        return `${total - passed} of ${total} cases failed.`;
      case 'not_scored':
        return 'Nothing was scored: the gate’s suites have no case in force that proves anything.';
      case 'stale':
        return 'The gate has come to require something else since. Score the candidate again.';
      case 'superseded':
        return 'A later commit of the change was there before its turn came, so it was not run.';
      case 'budget_exhausted':
        return 'A budget is used up, so nothing was run: the change’s attempts at this gate, or the exposure of its cases.';
      case 'indeterminate':
        return 'The gate could not finish the score, and it is not the candidate’s fault. Score it again.';
      default:
        return 'There is no verdict that lets it merge.';
    }
  }
}
