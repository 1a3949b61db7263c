/**
 * Adaptive attackers against the exposure ledger, simulated: a secret of 8 bits (what the cases of a suite require, or their
 * inputs), a thousand submissions for each strategy, and everything that a reader is told. What they have learnt is what they
 * can rule out, in bits; on average it is never more than the ledger charged.
 */
import { describe, expect, test } from 'vitest';
import { type CaseResult, decide } from '../gate/decide.ts';
import { chargeOf } from '../gate/disclosure/charge.ts';
import { slotOf } from '../gate/disclosure/publication.ts';
import type { Disclosure } from '../gate/gate.ts';

const cases = 8;
const secrets = 2 ** cases;
const submissions = 1_000;
const slotMs = 1_000;

type Submission = {
  /** Whether the candidate passes each case, if the secret is this. */
  passes(secret: number, position: number): boolean;
  /** How long it runs, if the secret is this, in milliseconds. */
  runsMs(secret: number): number;
};

type Reply = { verdict: string; passed?: number; failing?: string; slot: number };

/** All that an agent's reader is told of a submission. */
function replyOf(secret: number, { passes, runsMs }: Submission, disclosure: Disclosure): Reply {
  const results = Array.from({ length: cases }, (_, position): CaseResult => {
    const passed = passes(secret, position);
    return { name: `${position}`, position, outcome: 'returned', passed, message: '', durationMs: 0 };
  });
  const revision = { suite: 'secret', revision: 1 };
  const { verdict } = decide(
    ['secret'],
    [revision],
    [{ ...revision, positions: Array.from({ length: cases }, (_, at) => at), proving: cases, results }],
  );
  const slot = slotOf(new Date(0), new Date(runsMs(secret)), slotMs);
  const failed = results.filter(({ passed }) => !passed).map(({ name }) => name);
  if (disclosure === 'verdict') return { verdict, slot };
  if (disclosure === 'counts') return { verdict, passed: cases - failed.length, slot };
  return { verdict, passed: cases - failed.length, failing: failed.join(), slot };
}

/** A generator of secrets and choices: the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An attacker chooses a submission from all secrets that are still possible. */
type Attacker = { disclosure: Disclosure; next(possible: number[], random: () => number): Submission };

const bitOf = (secret: number, position: number) => (secret >> position) & 1;
const answering = (guess: number): Submission => ({
  passes: (secret, position) => bitOf(secret, position) === bitOf(guess, position),
  runsMs: () => 100,
});
const anyOf = (possible: number[], random: () => number) =>
  possible[Math.floor(random() * possible.length)] ?? 0;

const attackers: Record<string, Attacker> = {
  'guesses whole answers and rules out what was red': {
    disclosure: 'verdict',
    next: (possible, random) => answering(anyOf(possible, random)),
  },
  'runs as long as four bits of the inputs say': {
    disclosure: 'verdict',
    next: (possible) => {
      // The lowest four bits that are not known yet.
      const unknown = Array.from({ length: cases }, (_, position) => position).filter(
        (position) => new Set(possible.map((secret) => bitOf(secret, position))).size > 1,
      );
      const asked = unknown.slice(0, 4);
      const numberOf = (secret: number) =>
        asked.reduce((sum, position, at) => sum + (bitOf(secret, position) << at), 0);
      return { passes: () => false, runsMs: (secret) => numberOf(secret) * slotMs + 100 };
    },
  },
  'climbs by the count of cases that passed': {
    disclosure: 'counts',
    next: (possible, random) => answering(anyOf(possible, random)),
  },
  'reads the names of the cases that failed': {
    disclosure: 'names',
    next: (possible, random) => answering(anyOf(possible, random)),
  },
  'chooses passing cases and time together': {
    disclosure: 'counts',
    next: () => ({
      passes: (secret, position) => position < (secret & 7),
      runsMs: (secret) => (secret >> 3) * slotMs,
    }),
  },
};

describe('an attacker with a thousand submissions', () => {
  test.each(Object.entries(attackers))('who %s learns no more than was charged', (_name, attacker) => {
    const random = seeded(20_260_101);
    let learnt = 0;
    let charged = 0;
    let left = submissions;
    while (left > 0) {
      // One secret after the other: each time as much as it takes, or as there is left.
      const secret = Math.floor(random() * secrets);
      let possible = Array.from({ length: secrets }, (_, index) => index);
      for (; left > 0 && possible.length > 1; left--) {
        const submission = attacker.next(possible, random);
        const reply = JSON.stringify(replyOf(secret, submission, attacker.disclosure));
        const { slot } = replyOf(secret, submission, attacker.disclosure);
        charged += chargeOf({ disclosure: attacker.disclosure, cases, slot });
        const before = possible.length;
        possible = possible.filter(
          (other) => JSON.stringify(replyOf(other, submission, attacker.disclosure)) === reply,
        );
        learnt += Math.log2(before / possible.length);
        if (possible.length === before && attacker.disclosure !== 'verdict') {
          left--;
          break;
        }
      }
    }
    expect(learnt).toBeGreaterThan(0);
    expect(learnt).toBeLessThanOrEqual(charged);
  });

  test('all transcripts that a number of bits pays for are no more than two to that power', () => {
    // Kraft: the charges of all possible replies to one submission, as powers of one half, sum to at most one.
    const slots = Array.from({ length: 100_000 }, (_, index) => index + 1);
    const weight = (disclosure: Disclosure, replies: number) =>
      slots.reduce((sum, slot) => sum + replies * 2 ** -chargeOf({ disclosure, cases, slot }), 0);
    expect(weight('verdict', 2)).toBeLessThanOrEqual(1);
    expect(weight('counts', cases + 1)).toBeLessThanOrEqual(1);
    expect(weight('names', 2 ** cases)).toBeLessThanOrEqual(1);
  });
});
