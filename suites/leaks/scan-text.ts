/**
 * Looks for a suite's cases in a text, by their fingerprints. A case is found where most of the fingerprints of one of its
 * passages, and at least `stretchUnits` units of it, occur near one another. Told are a line and a number of cases: never
 * which, and nothing of what they say.
 */
import { type Fingerprints, type Passage, stretchUnits } from './fingerprints.ts';
import { endOf } from './in-steps.ts';
import { roll, shingleUnits } from './shingles.ts';
import { SpellingReader } from './spelling.ts';

/** What a text holds of a suite. `found` counts each case once, however often and in how many places it was found. */
export type FoundInText = { findings: Finding[]; found: number };
/** How many cases begin on a line, counted from 1. */
export type Finding = { line: number; cases: number };

/** How many lines are told of one text; `found` counts the cases of all. */
export const findingsMax = 1_000;

/** How many characters are one step of a scan: some milliseconds. */
const stepUnits = 1 << 17;

/** What a passage may be interspersed with where it is found: as much as it is long itself, and this much, in units. */
const strangeUnits = 200;

/**
 * Which part of a passage's fingerprints must be there. Spelling loses hardly any; the rest allows for what was left out or
 * changed. With half of them, two to three times as many tests that merely resemble a case were taken for it, measured with
 * each part of the example's suite as the sealed one and the rest as visible tests.
 */
const partMin = 0.6;

const never = -(2 ** 31);

/** Looks through a text at once. */
export function scanText(fingerprints: Fingerprints, text: string): FoundInText {
  return endOf(scanInSteps(fingerprints, text));
}

/**
 * Looks through a text in steps of some milliseconds, between which something else can be done. Cases at the `visible` positions are
 * not told of; what another case has in common with them still is its own.
 */
export function* scanInSteps(
  fingerprints: Fingerprints,
  text: string,
  visible: ReadonlySet<number> = new Set(),
): Generator<void, FoundInText> {
  const scan = new TextScan(fingerprints, text, visible);
  while (scan.step()) yield;
  return scan.result();
}

class TextScan {
  readonly #fingerprints: Fingerprints;
  readonly #visible: ReadonlySet<number>;
  readonly #reader: SpellingReader;
  /** The units of this step, and before them the last of the step before. */
  readonly #units: Uint16Array;
  readonly #lines: Int32Array;
  #hash = 0;
  /** How many units came before this step. */
  #before = 0;
  /** By slot: where its shingle was seen last, in units, and on which line. */
  readonly #seenAt: Int32Array;
  readonly #seenOn: Int32Array;
  /** By passage: after how many more shingles it can be there at the earliest, and where it was found last. */
  readonly #missing: Int32Array;
  readonly #foundAt: Int32Array;
  readonly #cases = new Set<number>();
  readonly #casesOn = new Map<number, Set<number>>();

  constructor(fingerprints: Fingerprints, text: string, visible: ReadonlySet<number>) {
    this.#fingerprints = fingerprints;
    this.#visible = visible;
    this.#reader = new SpellingReader(text);
    const units = shingleUnits + Math.min(text.length, stepUnits);
    this.#units = new Uint16Array(units);
    this.#lines = new Int32Array(units);
    this.#seenAt = new Int32Array(fingerprints.passageOf.length).fill(never);
    this.#seenOn = new Int32Array(fingerprints.passageOf.length);
    this.#missing = Int32Array.from(fingerprints.passages, partOf);
    this.#foundAt = new Int32Array(fingerprints.passages.length).fill(never);
  }

  /** Looks a step further. Answers whether there is more to look at. */
  step(): boolean {
    const { shingles } = this.#fingerprints;
    const [units, lines] = [this.#units, this.#lines];
    const end = this.#reader.read(units, lines, shingleUnits);
    let hash = this.#hash;
    for (let at = shingleUnits; at < end; at++) {
      hash = roll(hash, units[at] ?? 0, units[at - shingleUnits] ?? 0);
      const shingle = shingles.find(hash, units, at - shingleUnits + 1);
      if (shingle !== -1) this.#see(shingle, this.#before + at, lines[at - shingleUnits + 1] ?? 0);
    }
    this.#hash = hash;
    this.#before += end - shingleUnits;
    units.copyWithin(0, end - shingleUnits, end);
    lines.copyWithin(0, end - shingleUnits, end);
    return !this.#reader.done;
  }

  /** What was found so far, by line. */
  result(): FoundInText {
    const findings = [...this.#casesOn].map(([line, cases]) => ({ line, cases: cases.size }));
    return { findings: findings.sort((a, b) => a.line - b.line), found: this.#cases.size };
  }

  #see(shingle: number, at: number, line: number): void {
    const { firstOf, slotsOf, passageOf, passages } = this.#fingerprints;
    for (let index = firstOf[shingle] ?? 0; index < (firstOf[shingle + 1] ?? 0); index++) {
      const slot = slotsOf[index] ?? 0;
      const number = passageOf[slot] ?? 0;
      const passage = passages[number];
      // The rest of what has just been found is no finding of its own.
      if (passage === undefined || at < (this.#foundAt[number] ?? 0) + passage.units) continue;
      this.#seenAt[slot] = at;
      this.#seenOn[slot] = line;
      const missing = (this.#missing[number] ?? 0) - 1;
      this.#missing[number] = missing > 0 ? missing : this.#judge(number, passage, at);
    }
  }

  /** Whether the passage is here. Answers how many more of its shingles must be seen before it is worth asking again. */
  #judge(number: number, passage: Passage, at: number): number {
    const { placeOf } = this.#fingerprints;
    const [seenAt, seenOn] = [this.#seenAt, this.#seenOn];
    const since = at - (2 * passage.units + strangeUnits);
    let [count, units, covered, line] = [0, 0, 0, Number.POSITIVE_INFINITY];
    for (let slot = passage.from; slot < passage.to; slot++) {
      if ((seenAt[slot] ?? never) < since) continue;
      const place = placeOf[slot] ?? 0;
      count++;
      units += Math.min(shingleUnits, place + shingleUnits - covered);
      covered = place + shingleUnits;
      line = Math.min(line, seenOn[slot] ?? 0);
    }
    const part = partOf(passage);
    if (count < part) return part - count;
    if (units < stretchUnits) return 1;
    this.#foundAt[number] = at;
    seenAt.fill(never, passage.from, passage.to);
    if (this.#visible.has(passage.case)) return part;
    this.#cases.add(passage.case);
    const onLine = this.#casesOn.get(line);
    if (onLine !== undefined) onLine.add(passage.case);
    else if (this.#casesOn.size < findingsMax) this.#casesOn.set(line, new Set([passage.case]));
    return part;
  }
}

function partOf({ from, to }: Passage): number {
  return Math.ceil((to - from) * partMin);
}
