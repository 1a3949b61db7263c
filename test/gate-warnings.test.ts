/** What of a gate needs somebody, as its pages tell it. */
import { expect, test } from 'vitest';
import { gateSchema } from '../gate/gate.ts';
import { gateWarnings } from '../server/pages/gate-warnings.ts';

const gate = gateSchema.parse({
  ...{ gate: 'checkout', version: 1, suites: ['prices'], exposureBudgetBits: 40 },
  active: [{ suite: 'prices', activeRevision: 1 }],
  updatedAt: '2026-11-25T12:00:00.000Z',
});

test('a budget is nearly spent from four fifths on, and spent when less is left than a verdict costs, as nothing is scored then', () => {
  const told = [31, 32, 38, 38.1, 41].map((bits) =>
    gateWarnings({
      gate,
      suites: [{ suite: 'prices', revision: 1, cases: 33, bits, referencesBehave: true }],
      newest: [],
      passRate: undefined,
    }).map(({ look, text }) => `${look}: ${/nearly spent|is spent/.exec(text)?.[0]}`),
  );
  const [none, nearly, spent] = [[], ['warn: nearly spent'], ['bad: is spent']];
  expect(told).toEqual([none, nearly, nearly, spent, spent]);
});
