/** What people are told of a verdict and of what it proves, in few words that are true. */
import { expect, test } from 'vitest';
import { textOfVerdict } from '../cli/texts/score.ts';
import { boundText } from '../server/pages/score-page.ts';

test('who is blocked by a spent budget is told of both: attempts of the change, and what the suites have told', () => {
  const text = textOfVerdict({
    ...{ gate: 'checkout', change: '17', commit: '3f2a1c9', candidate: `sha256:${'0'.repeat(64)}` },
    ...{ verdict: 'block', canMerge: false, reason: 'budget_exhausted', scoreId: null, revisions: [] },
  });
  expect(text).toMatch(/BLOCK.* budget_exhausted: .*attempts of the change, or what verdicts may tell/);
});

test('a page never claims that a build fails less often than was proved', () => {
  expect([0.15302, 0.1446, 0.2, 0.00001].map(boundText)).toEqual(['15.4 %', '14.5 %', '20 %', '0.1 %']);
});
