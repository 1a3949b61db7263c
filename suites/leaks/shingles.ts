/**
 * Shingles: stretches of `shingleUnits` units of a text without its spelling, each known by a hash that rolls on from one to
 * the next (Karp and Rabin 1987), and a table that finds them by it. A second hash, of the stretch itself, tells apart what
 * the first mistakes for one another.
 */

/** How long a shingle is, in units. Shorter ones occur everywhere by chance; longer ones miss what is short. */
export const shingleUnits = 12;

const base = 0x01_00_01_93;
const mixer = 0x9e_37_79_b1 | 0;
/** base to the power of `shingleUnits`, modulo 2^32. */
const basePower = Array.from({ length: shingleUnits }).reduce<number>((power) => Math.imul(power, base), 1);

/** The hash of the shingle that ends with `entering`, from that of the one before it, which began with `leaving`. */
export function roll(hash: number, entering: number, leaving: number): number {
  return (Math.imul(hash, base) + entering - Math.imul(leaving, basePower)) | 0;
}

/** The hash with its bits well mixed: the low bits of a rolling hash are poor. */
export function mixed(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 15), mixer);
  return (half ^ (half >>> 13)) >>> 0;
}

/** The second hash, of the shingle that begins at `start`. */
function checkOf(units: Uint16Array, start: number): number {
  let check = 0x2545f491;
  for (let at = start; at < start + shingleUnits; at++) {
    check = Math.imul(check ^ (units[at] ?? 0), 0x85_eb_ca_6b | 0);
    check ^= check >>> 13;
  }
  return check;
}

/** A set of shingles, numbered from 0 in the order in which they were added. */
export class ShingleTable {
  size = 0;
  readonly #hashes: Int32Array;
  readonly #checks: Int32Array;
  /** By place: the number of a shingle and 1, or 0. */
  readonly #places: Int32Array;
  /** One bit for each place that a shingle starts to be looked for at, of more places than the table has. */
  readonly #filter: Int32Array;
  readonly #filterShift: number;

  /** A table for at most `sizeMax` shingles. */
  constructor(sizeMax: number) {
    this.#hashes = new Int32Array(sizeMax);
    this.#checks = new Int32Array(sizeMax);
    const placeBits = Math.max(4, Math.ceil(Math.log2(sizeMax + 1)) + 1);
    this.#places = new Int32Array(2 ** placeBits);
    const filterBits = Math.min(Math.max(placeBits + 3, 16), 24);
    this.#filter = new Int32Array(2 ** (filterBits - 5));
    this.#filterShift = 32 - filterBits;
  }

  /** The number of the shingle that begins at `start`; it is added where it is new. */
  add(hash: number, units: Uint16Array, start: number): number {
    const found = this.find(hash, units, start);
    if (found !== -1) return found;
    const number = this.size++;
    this.#hashes[number] = hash;
    this.#checks[number] = checkOf(units, start);
    const last = this.#places.length - 1;
    let place = mixed(hash) & last;
    while (this.#places[place] !== 0) place = (place + 1) & last;
    this.#places[place] = number + 1;
    const bit = Math.imul(hash, mixer) >>> this.#filterShift;
    this.#filter[bit >>> 5] = (this.#filter[bit >>> 5] ?? 0) | (1 << (bit & 31));
    return number;
  }

  /** The number of the shingle that begins at `start`, or -1. */
  find(hash: number, units: Uint16Array, start: number): number {
    // Nearly every shingle of a text is none of these, and this is all that is done for it.
    const bit = Math.imul(hash, mixer) >>> this.#filterShift;
    if (((this.#filter[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return -1;
    const last = this.#places.length - 1;
    let check: number | undefined;
    for (let place = mixed(hash) & last; ; place = (place + 1) & last) {
      const number = (this.#places[place] ?? 0) - 1;
      if (number === -1) return -1;
      if (this.#hashes[number] !== hash) continue;
      check ??= checkOf(units, start);
      if (this.#checks[number] === check) return number;
    }
  }
}
