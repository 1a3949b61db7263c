/**
 * What a green proves: the arithmetic against numbers worked out by hand and against its own inverse, and the claim against
 * authors who do all they can with what they are told to get a bad candidate past the suite.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, test } from 'vitest';
import { casesNeeded, deltaDefault, failureRateAtMost } from '../../gate/disclosure/assurance.ts';
import { chargeOf } from '../../gate/disclosure/charge.ts';

const seed = 20_031;
const delta = fc.double({ min: 1e-9, max: 0.999, noNaN: true });
const bits = fc.oneof(
  fc.constant(0),
  fc.double({ min: 0, max: 5_000, noNaN: true }),
  fc.integer({ max: 1e6, min: 0 }),
);
const cases = fc.integer({ min: 0, max: 1e7 });

describe('what a green proves', () => {
  test.each([
    // The rule of three: of 300 cases that all passed, about 3 in 300 may still fail.
    [{ cases: 300, bits: 0, delta: 0.05 }, 0.00993608],
    // One case and no feedback: only candidates that pass less than 1 time in 20 are ruled out.
    [{ cases: 1, bits: 0, delta: 0.05 }, 0.95],
    // Each bit is worth a factor of two: (0.5 / 2)^(1/2) = 0.5.
    [{ cases: 2, bits: 1, delta: 0.5 }, 0.5],
    // 20 scores of 2 bits: 1 − exp(−(40 ln 2 + ln 20) / 3057).
    [{ cases: 3057, bits: 40, delta: 0.05 }, 0.00999927],
  ])('%j: at most %f', (evidence, rate) => {
    expect(failureRateAtMost(evidence)).toBeCloseTo(rate, 8);
  });

  test('is nothing without cases, or with as many bits as nobody can count', () => {
    expect(failureRateAtMost({ cases: 0, bits: 0, delta: 0.05 })).toBe(1);
    for (const many of [1e6, 1e300, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
      expect(failureRateAtMost({ cases: 100, bits: many, delta: 0.05 })).toBe(1);
    }
  });

  test('keeps its digits where a rate is tiny', () => {
    const evidence = { cases: 1e15, bits: 0, delta: Math.exp(-1) };
    expect(failureRateAtMost(evidence) / 1e-15).toBeCloseTo(1, 12);
  });

  test('is always a share, and less is proved by fewer cases, more bits, more confidence', () => {
    fc.assert(
      fc.property(cases, bits, delta, fc.integer({ min: 1, max: 1e6 }), (n, b, d, more) => {
        const rate = failureRateAtMost({ cases: n, bits: b, delta: d });
        expect(rate).toBeGreaterThan(0);
        expect(rate).toBeLessThanOrEqual(1);
        expect(failureRateAtMost({ cases: n + more, bits: b, delta: d })).toBeLessThanOrEqual(rate);
        expect(failureRateAtMost({ cases: n, bits: b + more, delta: d })).toBeGreaterThanOrEqual(rate);
        expect(failureRateAtMost({ cases: n, bits: b, delta: d / (1 + more) })).toBeGreaterThanOrEqual(rate);
      }),
      { seed },
    );
  });

  test.each([
    [{ cases: -1, bits: 0, delta: 0.05 }, /cases is a whole number/],
    [{ cases: 1.5, bits: 0, delta: 0.05 }, /cases is a whole number/],
    [{ cases: Number.NaN, bits: 0, delta: 0.05 }, /cases is a whole number/],
    [{ cases: 1, bits: -1, delta: 0.05 }, /bits is at least 0/],
    [{ cases: 1, bits: Number.NaN, delta: 0.05 }, /bits is at least 0/],
    [{ cases: 1, bits: 0, delta: 0 }, /delta is between 0 and 1/],
    [{ cases: 1, bits: 0, delta: 1 }, /delta is between 0 and 1/],
    [{ cases: 1, bits: 0, delta: Number.NaN }, /delta is between 0 and 1/],
  ])('%j is no evidence', (evidence, message) => {
    expect(() => failureRateAtMost(evidence)).toThrow(message);
  });
});

describe('how many cases are needed', () => {
  const rate = fc.double({ min: 1e-6, max: 1, noNaN: true });

  test.each([
    [{ rate: 0.01, bits: 0, delta: 0.05 }, 299],
    [{ rate: 0.5, bits: 1, delta: 0.5 }, 2],
    [{ rate: 0.01, bits: 40, delta: 0.05 }, 3057],
    [{ rate: 1, bits: 40, delta: 0.05 }, 0],
    [{ rate: 0.999, bits: 0, delta: 0.5 }, 1],
    [{ rate: 1e-300, bits: 40, delta: 0.05 }, Number.POSITIVE_INFINITY],
    [{ rate: 0.5, bits: Number.POSITIVE_INFINITY, delta: 0.05 }, Number.POSITIVE_INFINITY],
  ])('%j: %d', (wish, needed) => {
    expect(casesNeeded(wish)).toBe(needed);
  });

  test('it is the least number that proves the rate', () => {
    fc.assert(
      fc.property(rate, bits, delta, (wished, b, d) => {
        const needed = casesNeeded({ rate: wished, bits: b, delta: d });
        expect(failureRateAtMost({ cases: needed, bits: b, delta: d })).toBeLessThanOrEqual(wished);
        if (needed > 0) {
          expect(failureRateAtMost({ cases: needed - 1, bits: b, delta: d })).toBeGreaterThan(wished);
        }
      }),
      { seed },
    );
  });

  test('what a number of cases proves needs that number', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e7 }), bits, delta, (n, b, d) => {
        const proved = failureRateAtMost({ cases: n, bits: b, delta: d });
        fc.pre(proved < 1);
        expect(casesNeeded({ rate: proved, bits: b, delta: d })).toBe(n);
      }),
      { seed },
    );
  });

  test('a smaller rate, more bits and more confidence need no fewer', () => {
    fc.assert(
      fc.property(rate, bits, delta, fc.double({ min: 1, max: 100, noNaN: true }), (r, b, d, factor) => {
        const needed = casesNeeded({ rate: r, bits: b, delta: d });
        expect(casesNeeded({ rate: r / factor, bits: b, delta: d })).toBeGreaterThanOrEqual(needed);
        expect(casesNeeded({ rate: r, bits: b * factor, delta: d })).toBeGreaterThanOrEqual(needed);
        expect(casesNeeded({ rate: r, bits: b, delta: d / factor })).toBeGreaterThanOrEqual(needed);
      }),
      { seed },
    );
  });

  test.each([0, -1, 1.1, Number.NaN])('a rate of %d is refused', (wished) => {
    expect(() => casesNeeded({ rate: wished, bits: 0, delta: 0.05 })).toThrow(/rate is above 0/);
  });
});

describe('what a disclosure costs', () => {
  test('an ordinary score costs two bits: one for the verdict, one for its time', () => {
    expect(chargeOf({ disclosure: 'verdict', cases: 47, slot: 1 })).toBe(2);
  });

  test('more disclosed costs more, and so does a later time', () => {
    expect(chargeOf({ disclosure: 'counts', cases: 7, slot: 1 })).toBe(4);
    expect(chargeOf({ disclosure: 'names', cases: 7, slot: 1 })).toBe(8);
    expect(chargeOf({ disclosure: 'verdict', cases: 7, slot: 3 })).toBeCloseTo(1 + Math.log2(12), 12);
  });

  test.each(['verdict', 'counts', 'names'] as const)(
    'all that %s can tell at any time is a prefix-free code (Kraft: the sum is at most 1)',
    (disclosure) => {
      const size = 6;
      const outcomes = { verdict: 2, counts: size + 1, names: 2 ** size }[disclosure];
      let sum = 0;
      for (let slot = 1; slot <= 200_000; slot++) {
        sum += outcomes * 2 ** -chargeOf({ disclosure, cases: size, slot });
      }
      expect(sum).toBeLessThanOrEqual(1 + 1e-9);
      expect(sum).toBeGreaterThan(0.9999);
    },
  );

  test.each([
    [{ cases: -1, slot: 1 }, /cases is/],
    [{ cases: 0.5, slot: 1 }, /cases is/],
    [{ cases: 1, slot: 0 }, /slot is/],
    [{ cases: 1, slot: Number.NaN }, /slot is/],
  ])('%j is refused', (part, message) => {
    expect(() => chargeOf({ disclosure: 'verdict', ...part })).toThrow(message);
  });
});

/**
 * The game: inputs are the numbers from 0 to 1, a suite is `size` of them drawn at random, and a candidate fails on an
 * interval or on several. An author sees what is disclosed of each score, chooses the next candidate by it, and stops with a
 * green candidate. The author wins if that candidate fails on more than what the green is said to prove.
 */
type Interval = readonly [from: number, to: number];
const size = 100;
const trials = 4_000;

class Game {
  /** What was disclosed so far, in bits. */
  bits = 0;
  /** The same without what times tell. */
  bitsOfVerdicts = 0;
  readonly #suite: number[];

  constructor(suite: number[]) {
    this.#suite = suite;
  }

  /** How many cases a candidate that fails on these intervals fails. */
  #failed(intervals: readonly Interval[]): number {
    return this.#suite.filter((input) => intervals.some(([from, to]) => input >= from && input < to)).length;
  }

  #charge(disclosure: 'verdict' | 'counts' | 'names', slot = 1): void {
    this.bits += chargeOf({ disclosure, cases: size, slot });
    this.bitsOfVerdicts += chargeOf({ disclosure, cases: size, slot: 1 }) - 1;
  }

  /** Whether the score is green. */
  verdict(...intervals: Interval[]): boolean {
    this.#charge('verdict');
    return this.#failed(intervals) === 0;
  }

  /** How many cases fail. */
  count(...intervals: Interval[]): number {
    this.#charge('counts');
    return this.#failed(intervals);
  }

  /** The slot in which a candidate ends that takes its time to tell which of the intervals hold a case. */
  slot(...intervals: Interval[]): number {
    const pattern = intervals.reduce(
      (sum, interval, at) => sum + (this.#failed([interval]) > 0 ? 2 ** at : 0),
      0,
    );
    this.#charge('verdict', pattern + 1);
    return pattern + 1;
  }

  /** What a green at this moment is said to prove. */
  claim(bitsCounted = this.bits): number {
    return failureRateAtMost({ cases: size, bits: bitsCounted, delta: deltaDefault });
  }
}

const shareOf = (intervals: readonly Interval[]) => intervals.reduce((sum, [from, to]) => sum + to - from, 0);

/** An author plays to the end and answers on which share the accepted candidate fails; undefined if none was accepted. */
type Author = (game: Game) => number | undefined;

const attempts = 20;
/** Intervals beside one another, each of which is free of cases half the time. */
const width = 1 - 0.5 ** (1 / size);
const strip = (index: number, of = width): Interval => [index * of, (index + 1) * of];

const authors: Record<string, Author> = {
  'tries one bad candidate after the other, each just worse than the claim will be': (game) => {
    let from = 0;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const bad = game.claim(game.bits + 2) * 1.000001;
      const candidate: Interval = [from, from + bad];
      if (from + bad > 1) return undefined;
      if (game.verdict(candidate)) return bad;
      from += bad;
    }
    return undefined;
  },
  'asks which places are free of cases, and fails in all of them': (game) => {
    const free: Interval[] = [];
    for (let probe = 0; probe < attempts; probe++) if (game.verdict(strip(probe))) free.push(strip(probe));
    return game.verdict(...free) ? shareOf(free) : undefined;
  },
  'grows a bad candidate as long as it stays green, and stops when it is worse than the claim': (game) => {
    let accepted: Interval[] = [];
    for (let probe = 0; probe < attempts; probe++) {
      const grown = [...accepted, strip(probe)];
      if (!game.verdict(...grown)) continue;
      accepted = grown;
      if (shareOf(accepted) > game.claim()) return shareOf(accepted);
    }
    return game.verdict(...accepted) ? shareOf(accepted) : undefined;
  },
  'halves the space to find the first case, and fails up to it': (game) => {
    let [free, taken] = [0, 0.2];
    for (let probe = 0; probe < attempts; probe++) {
      const middle = (free + taken) / 2;
      if (game.verdict([0, middle])) free = middle;
      else taken = middle;
    }
    return game.verdict([0, free]) ? free : undefined;
  },
  'asks how many cases are in each place': (game) => {
    const free: Interval[] = [];
    for (let probe = 0; probe < attempts; probe++)
      if (game.count(strip(probe)) === 0) free.push(strip(probe));
    return game.verdict(...free) ? shareOf(free) : undefined;
  },
  'has a single candidate tell by its time which places are free': (game) => {
    const places = Array.from({ length: 16 }, (_, index) => strip(index));
    const pattern = game.slot(...places) - 1;
    const free = places.filter((_, index) => (pattern & (2 ** index)) === 0);
    return game.verdict(...free) ? shareOf(free) : undefined;
  },
};

/** Which share of the games an author wins against a claim. */
function winsOf(author: Author, claimOf: (game: Game) => number): number {
  const generator = xoroshiro128plus(seed);
  let wins = 0;
  for (let trial = 0; trial < trials; trial++) {
    const game = new Game(Array.from({ length: size }, () => uniformFloat64(generator)));
    const failureRate = author(game);
    if (failureRate !== undefined && failureRate > claimOf(game)) wins++;
  }
  return wins / trials;
}

/** δ, and four standard deviations of the trials' own chance. */
const tolerated = deltaDefault + 4 * Math.sqrt((deltaDefault * (1 - deltaDefault)) / trials);

describe('authors who do all they can', () => {
  test.each(Object.entries(authors))('who %s: wins at most as often as the claim admits', (_what, author) => {
    expect(winsOf(author, (game) => game.claim())).toBeLessThanOrEqual(tolerated);
  });

  test('without what was disclosed in the reckoning they would win most of the time', () => {
    const naive = (game: Game) => game.claim(0);
    const wins = Object.values(authors).map((author) => winsOf(author, naive));
    expect(Math.max(...wins)).toBeGreaterThan(0.9);
    expect(wins.filter((share) => share > tolerated).length).toBeGreaterThanOrEqual(4);
  });

  test('without the time in the reckoning, telling by time would win', () => {
    const teller = authors['has a single candidate tell by its time which places are free'];
    expect(teller && winsOf(teller, (game) => game.claim(game.bitsOfVerdicts))).toBeGreaterThan(0.5);
  });

  test('the claim has no room to spare: with one bit less, who gambles on each verdict alone wins too often', () => {
    // Told nothing but verdicts, at a charge of one bit each, and stopping with the first green.
    const gambler = (bitsLess: number): Author => {
      return (game) => {
        let from = 0;
        for (let attempt = 1; attempt <= 8; attempt++) {
          const bad = game.claim(attempt - bitsLess) * 1.000001;
          if (from + bad > 1) return undefined;
          if (game.verdict([from, from + bad])) return bad;
          from += bad;
        }
        return undefined;
      };
    };
    const wins = (bitsLess: number) =>
      winsOf(gambler(bitsLess), (game) => game.claim(game.bits / 2 - bitsLess));
    expect(wins(0)).toBeLessThanOrEqual(tolerated);
    expect(wins(1)).toBeGreaterThan(tolerated);
  });
});

describe('holdback suite plan', () => {
  const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
  const plan = (...flags: string[]): Promise<{ code: number; out: string; err: string }> =>
    new Promise((resolve) => {
      const child = execFile(process.execPath, [main, 'suite', 'plan', ...flags], (_error, out, err) =>
        resolve({ code: child.exitCode ?? -1, out, err }),
      );
    });

  test('answers how many cases are needed, and what other numbers of them would prove', async () => {
    const [text, json] = await Promise.all([
      plan('--rate', '1%', '--attempts', '20'),
      plan('--rate', '0.01', '--attempts', '20', '--json'),
    ]);
    expect(text).toMatchObject({ code: 0, err: '' });
    expect(text.out).toMatch(/^3057 cases: .*at most 1% of such inputs fail, with confidence 95%/);
    expect(text.out).toMatch(/^ +6114 +0\.502%$/m);
    const answer = JSON.parse(json.out);
    expect(answer).toMatchObject({
      rate: 0.01,
      attempts: 20,
      bitsPerAttempt: 2,
      confidence: 0.95,
      cases: 3057,
    });
    for (const { cases: count, rate } of answer.proves) {
      expect(rate).toBe(failureRateAtMost({ cases: count, bits: 40, delta: 0.05 }));
    }
  });

  test('says so where no suite can be so large', async () => {
    expect((await plan('--rate', '0.01%', '--attempts', '20')).out).toContain('A suite holds at most 20000');
  });

  test.each([
    [['--attempts', '20'], /--rate is missing/],
    [['--rate', '1%'], /--attempts is missing/],
    [['--rate', '1', '--attempts', '20'], /--rate takes a share .* as 1% or 0\.01, not 1 /],
    [['--rate', 'one', '--attempts', '20'], /--rate takes a share/],
    [['--rate', '0%', '--attempts', '20'], /--rate takes a share/],
    [['--rate', '1%', '--attempts', '1.5'], /--attempts takes a whole number/],
    [['--rate', '1%', '--attempts', '2', '--confidence', '100%'], /--confidence takes a share/],
    [['--rate', '1%', '--attempts', '2', '--bits-per-attempt', 'x'], /--bits-per-attempt takes a number/],
  ])('%j ends with 2 and says what to do', async (flags, message) => {
    const { code, out, err } = await plan(...flags);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(message);
  });
});
