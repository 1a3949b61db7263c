/** What people are told of a verdict in a terminal. */
import { expect, test } from 'vitest';
import { textOfVerdict } from '../cli/texts/score.ts';

test('who is blocked by a spent budget is told of both: attempts of the change, and what the suites have told', () => {
  const text = textOfVerdict({
    ...{ gate: 'checkout', change: '17', commit: '3f2a1c9', candidate: `sha256:${'0'.repeat(64)}` },
    ...{ verdict: 'block', canMerge: false, reason: 'budget_exhausted', scoreId: null, revisions: [] },
  });
  expect(text).toMatch(/BLOCK.* budget_exhausted: .*attempts of the change, or what verdicts may tell/);
});
