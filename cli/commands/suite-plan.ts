/** `holdback suite plan`: how many cases a suite needs for its green to mean something. Needs no service. */
import { casesNeeded, deltaDefault, failureRateAtMost } from '../../gate/disclosure/assurance.ts';
import type { Command } from '../command.ts';

/** What one ordinary score discloses: one bit for the verdict, one for the time slot it was published in. */
const bitsPerAttemptDefault = 2;

/** Suites of these multiples of the needed number of cases are told for comparison. */
const nearby = [0.1, 0.25, 0.5, 1, 2, 4];

/** How many cases a green needs to prove `rate`, and what it proves with other numbers of them. Shares are 0 to 1. */
export type SuitePlan = {
  rate: number;
  attempts: number;
  bitsPerAttempt: number;
  confidence: number;
  cases: number;
  proves: { cases: number; rate: number }[];
};

export const suitePlanCommand: Command = {
  words: 'suite plan',
  about: 'Tell how many cases a suite needs, so that a green proves what you want it to prove.',
  positionals: [],
  flags: {
    rate: { value: 'SHARE', about: 'The failure rate that a green is to rule out, as 1% or 0.01.' },
    attempts: {
      value: 'N',
      about: 'How many scores of the same cases are disclosed before they are renewed.',
    },
    'bits-per-attempt': {
      value: 'BITS',
      about: `What one score discloses (${bitsPerAttemptDefault}: one bit for the verdict, one for its time).`,
    },
    confidence: { value: 'SHARE', about: `How sure the proof is to be (${(1 - deltaDefault) * 100}%).` },
  },
  notes: [
    'It holds for inputs like those of the suite, if its cases are independent of one another and nobody has seen them.',
    'A case that generates its inputs counts as one, however many it makes.',
    'Example: holdback suite plan --rate 1% --attempts 20',
  ],
  async run(given) {
    const rate = given.share('rate', { min: 1e-6, max: 0.999999 });
    const attempts = given.number('attempts', { min: 0, max: 1_000_000, whole: true });
    if (rate === undefined) throw given.wrong('--rate is missing: give a share such as 1%');
    if (attempts === undefined) throw given.wrong('--attempts is missing: give a number such as 20');
    const bitsPerAttempt =
      given.number('bits-per-attempt', { min: 0, max: 1_000, whole: false }) ?? bitsPerAttemptDefault;
    const confidence = given.share('confidence', { min: 0.5, max: 0.999999 }) ?? 1 - deltaDefault;
    // Without the digits that the subtraction makes up: 1 − 0.95 is not 0.05.
    const delta = Number((1 - confidence).toPrecision(12));
    const bits = attempts * bitsPerAttempt;
    const cases = casesNeeded({ rate, bits, delta });
    const counts = new Set(nearby.map((factor) => Math.max(1, Math.round(factor * cases))));
    const proves = [...counts].map((count) => ({
      cases: count,
      rate: failureRateAtMost({ cases: count, bits, delta }),
    }));
    return { kind: 'suite_planned', plan: { rate, attempts, bitsPerAttempt, confidence, cases, proves } };
  },
};
