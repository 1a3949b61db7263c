/**
 * Fingerprints of a suite: by them its inputs and expected values are known again wherever they turn up, however they are
 * spelled, and from them no case can be read. They are chosen by winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: Local
 * Algorithms for Document Fingerprinting", SIGMOD 2003): of each window of consecutive shingles, the one of the least hash. So
 * each stretch of `stretchUnits` units of a case holds one of its fingerprints; since every shingle of a scanned text is looked
 * up, not a selection, a stretch of that length is noticed wherever it occurs.
 *
 * Shingles that many cases share are the suite's structure, not a case's content, and are left out, as are those of hardly any
 * variety, such as rows of zeros. A case that is left with too little has no fingerprint, and is counted as such.
 *
 * What they do not know again: data in another order or computed by a program (a table of parameters, a builder with defaults),
 * renamed, translated, compressed, encoded (base64) or encrypted; what a predicate or a JSON Schema demands; names of cases.
 * What they know too well: in a suite of a few cases structure cannot be told from content, so that a visible test is found
 * that differs from a case in a number or two. It does share the data.
 */

import { type SealedCase, stepsOf } from '../case.ts';
import type { SealedExpectation } from '../expectation.ts';
import type { SuiteContents } from '../suite.ts';
import { endOf } from './in-steps.ts';
import { mixed, roll, ShingleTable, shingleUnits } from './shingles.ts';
import { SpellingReader } from './spelling.ts';

/** How many consecutive shingles one fingerprint is chosen from. */
const windowShingles = 6;

/** Each stretch of a case of this length, in units, holds a fingerprint. */
export const stretchUnits = shingleUnits + windowShingles - 1;

/** A case's input, or its expected values, has a fingerprint if so much of it, in units, is its own. */
const ownUnitsMin = 2 * shingleUnits;

/** A shingle has content if it has so many different units. */
const varietyMin = 4;

/** A long case is looked for by passages of so many fingerprints, so that a part of it is found as well. */
const passageFingerprints = 64;

/** So many units at the beginning of an input, or of expected values, are looked for, and so many of a whole suite. */
const partUnitsMax = 1 << 14;
const suiteUnitsMax = 1 << 24;

/** What is one step of making fingerprints, in units. */
const stepUnits = 1 << 15;

/** What is known of one revision's cases. Only `scan-text.ts` has a use for more than the two counts. */
export type Fingerprints = {
  cases: number;
  /** How many cases have no fingerprint, and cannot be looked for. */
  tooShort: number;
  shingles: ShingleTable;
  /** The slots of shingle n are `slotsOf[firstOf[n]]` to `slotsOf[firstOf[n + 1] - 1]`. */
  firstOf: Int32Array;
  slotsOf: Int32Array;
  passages: Passage[];
  /** By slot: its passage, and the place of the shingle in the case. A passage's slots are consecutive, and in order. */
  passageOf: Int32Array;
  placeOf: Int32Array;
};

/** A stretch of a case that is looked for: the slots `from` to `to` (exclusive), over a length in units. */
export type Passage = { case: number; from: number; to: number; units: number };

/** A part of a case without its spelling, an input, an answer or what is expected: its shingles, and the chosen of them. */
type Part = { units: Uint16Array; hashes: Int32Array; chosen: number[] };
/** A shingle of a case that is its own: its number, and where it begins. */
type Own = { shingle: number; place: number };
/** A shingle of a passage. */
type Slot = Own & { passage: number };

/** The fingerprints of a revision, at once. */
export function fingerprintSuite(contents: SuiteContents): Fingerprints {
  return endOf(fingerprintInSteps(contents));
}

/** The fingerprints of a revision in steps, between which something else can be done. */
export function* fingerprintInSteps({ cases }: SuiteContents): Generator<void, Fingerprints> {
  const partsOf = (each: SealedCase) => 2 * stepsOf(each).length + (each.http?.length ?? 0);
  const partsMax = cases.reduce((sum, each) => sum + partsOf(each), 0);
  const unitsMax = Math.min(partUnitsMax, Math.floor(suiteUnitsMax / partsMax));
  let units = 0;
  const isStep = (parts: Part[]) => {
    for (const part of parts) units += part.units.length;
    if (units < stepUnits) return false;
    units = 0;
    return true;
  };

  const read: Part[][] = [];
  for (const each of cases) {
    const parts = textsOf(each).map((text) => readPart(text, unitsMax));
    read.push(parts);
    if (isStep(parts)) yield;
  }
  const all = new ShingleTable(read.flat().reduce((sum, { chosen }) => sum + chosen.length, 0));
  for (const parts of read) {
    for (const part of parts) addChosen(part, all);
    if (isStep(parts)) yield;
  }
  const sharers = new Int32Array(all.size);
  for (const parts of read) {
    countSharers(parts, all, sharers);
    if (isStep(parts)) yield;
  }

  const sharersMax = Math.min(Math.max(2, Math.floor(cases.length / 10)), 8);
  const isOwn = (shingle: number) => (sharers[shingle] ?? 0) <= sharersMax;
  const own = new ShingleTable(all.size);
  const slots: Slot[] = [];
  const passages: Passage[] = [];
  let tooShort = 0;
  for (const [index, parts] of read.entries()) {
    const stretches = stretchesOf(parts.map((part) => ownOf(part, all, isOwn, own)));
    if (stretches.length === 0) tooShort++;
    for (const stretch of stretches) {
      const from = slots.length;
      for (const { shingle, place } of stretch) slots.push({ shingle, place, passage: passages.length });
      const units = (stretch.at(-1)?.place ?? 0) - (stretch[0]?.place ?? 0) + shingleUnits;
      passages.push({ case: index, from, to: slots.length, units });
    }
    if (isStep(parts)) yield;
  }
  return { cases: cases.length, tooShort, shingles: own, passages, ...indexed(slots, own.size) };
}

/** Of each call the input, and the values that its expectation names; and what the outside world answers. */
function textsOf(testCase: SealedCase): string[] {
  const { http = [] } = testCase;
  const calls = stepsOf(testCase).flatMap(({ input, expect }) =>
    expect === undefined ? [input] : [input, valuesOf(expect).map(textOf).join(' ')],
  );
  return [...calls, ...http.flatMap(({ response: { body } }) => (body === undefined ? [] : [textOf(body)]))];
}

function textOf(value: unknown): string {
  return JSON.stringify(value);
}

function valuesOf(expect: SealedExpectation): unknown[] {
  // A tripwire's answer is looked for as it is.
  if ('predicate' in expect || 'tripwire' in expect) return [];
  const { equals, strictEquals, matches, closeTo, oneOf = [], throws } = expect;
  const thrown = typeof throws === 'object' ? [throws.name, throws.message] : [];
  return [equals, strictEquals, matches, closeTo?.value, ...oneOf, ...thrown].filter(
    (value) => value !== undefined,
  );
}

function readPart(text: string, unitsMax: number): Part {
  const read = new Uint16Array(Math.min(text.length, unitsMax));
  const units = read.subarray(0, new SpellingReader(text).read(read, new Int32Array(read.length), 0));
  const hashes = new Int32Array(Math.max(0, units.length - shingleUnits + 1));
  let hash = 0;
  for (let end = 0; end < units.length; end++) {
    hash = roll(hash, units[end] ?? 0, end < shingleUnits ? 0 : (units[end - shingleUnits] ?? 0));
    if (end >= shingleUnits - 1) hashes[end - shingleUnits + 1] = hash;
  }
  return { units, hashes, chosen: winnow(hashes) };
}

/** The places of the fingerprints: of each window the least hash, the rightmost of several. A short text is one window. */
function winnow(hashes: Int32Array): number[] {
  const chosen: number[] = [];
  let least = -1;
  for (let end = 0; end < hashes.length; end++) {
    const from = end - windowShingles + 1;
    if (least < from) {
      least = from;
      for (let at = from + 1; at <= end; at++) if (rank(hashes, at) <= rank(hashes, least)) least = at;
    } else if (least === -1 || rank(hashes, end) <= rank(hashes, least)) least = end;
    if ((from >= 0 || end === hashes.length - 1) && chosen.at(-1) !== least) chosen.push(least);
  }
  return chosen;
}

function rank(hashes: Int32Array, at: number): number {
  return mixed(hashes[at] ?? 0);
}

function addChosen({ units, hashes, chosen }: Part, all: ShingleTable): void {
  for (const place of chosen) all.add(hashes[place] ?? 0, units, place);
}

/** Counts a case with each shingle that occurs in it, chosen there or not. */
function countSharers(parts: Part[], all: ShingleTable, sharers: Int32Array): void {
  const counted = new Set<number>();
  for (const { units, hashes } of parts) {
    for (let place = 0; place < hashes.length; place++) {
      const shingle = all.find(hashes[place] ?? 0, units, place);
      if (shingle === -1 || counted.has(shingle)) continue;
      counted.add(shingle);
      sharers[shingle] = (sharers[shingle] ?? 0) + 1;
    }
  }
}

/** The part's chosen shingles that are its own, each once, in order; they are added to `own`. */
function ownOf(
  { units, hashes, chosen }: Part,
  all: ShingleTable,
  isOwn: (shingle: number) => boolean,
  own: ShingleTable,
): Own[] {
  const places = new Map<number, number>();
  for (const place of chosen) {
    const hash = hashes[place] ?? 0;
    if (!isOwn(all.find(hash, units, place)) || !hasContent(units, place)) continue;
    const shingle = own.add(hash, units, place);
    if (!places.has(shingle)) places.set(shingle, place);
  }
  return [...places].map(([shingle, place]) => ({ shingle, place }));
}

function hasContent(units: Uint16Array, start: number): boolean {
  const different: number[] = [];
  for (let at = start; at < start + shingleUnits; at++) {
    const unit = units[at] ?? 0;
    if (!different.includes(unit)) different.push(unit);
    if (different.length === varietyMin) return true;
  }
  return false;
}

/** What is looked for of a case: what is long enough of its parts, or of both together, in passages. */
function stretchesOf(parts: Own[][]): Own[][] {
  const isLong = (own: Own[]) => unitsIn(own) >= ownUnitsMin;
  const long = parts.filter(isLong);
  return (long.length > 0 ? long : [joined(parts)].filter(isLong)).flatMap(cut);
}

/** How many units of a case these shingles cover. */
function unitsIn(own: Own[]): number {
  let [units, covered] = [0, 0];
  for (const { place } of own) {
    units += Math.min(shingleUnits, place + shingleUnits - covered);
    covered = place + shingleUnits;
  }
  return units;
}

/** The shingles of a case's parts, one part after the other. */
function joined(parts: Own[][]): Own[] {
  const own = new Map<number, number>();
  let start = 0;
  for (const part of parts) {
    for (const { shingle, place } of part) if (!own.has(shingle)) own.set(shingle, start + place);
    start += (part.at(-1)?.place ?? 0) + shingleUnits;
  }
  return [...own].map(([shingle, place]) => ({ shingle, place }));
}

/** The shingles cut into as few passages as may be, of about the same size. */
function cut(own: Own[]): Own[][] {
  const count = Math.ceil(own.length / passageFingerprints);
  return Array.from({ length: count }, (_, index) =>
    own.slice(Math.ceil((index * own.length) / count), Math.ceil(((index + 1) * own.length) / count)),
  );
}

function indexed(slots: Slot[], shingles: number) {
  const firstOf = new Int32Array(shingles + 1);
  for (const { shingle } of slots) firstOf[shingle + 1] = (firstOf[shingle + 1] ?? 0) + 1;
  for (let at = 0; at < shingles; at++) firstOf[at + 1] = (firstOf[at + 1] ?? 0) + (firstOf[at] ?? 0);
  const next = firstOf.slice();
  const slotsOf = new Int32Array(slots.length);
  for (const [slot, { shingle }] of slots.entries()) {
    slotsOf[next[shingle] ?? 0] = slot;
    next[shingle] = (next[shingle] ?? 0) + 1;
  }
  return {
    firstOf,
    slotsOf,
    passageOf: Int32Array.from(slots, ({ passage }) => passage),
    placeOf: Int32Array.from(slots, ({ place }) => place),
  };
}
