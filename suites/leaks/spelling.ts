/**
 * Text without the way it is spelled: JSON, JavaScript, a diff and a listing with line numbers of the same data read the same.
 * What is left are letters and digits. Dropped are white space, punctuation, quotes and signs of ASCII and of Unicode's
 * general punctuation, as are escapes of such; other escapes are read as what they stand for, and ASCII letters as small ones.
 */

/** What becomes of an ASCII character: a small letter or a digit, or one of these. */
const dropped = 0;
const backslash = 1;
const lineBreak = 2;
const asciiUnits = new Uint16Array(128).map((_, unit) => {
  const character = String.fromCharCode(unit);
  if (character === '\\') return backslash;
  if (character === '\n') return lineBreak;
  return /[0-9a-z]/i.test(character) ? character.toLowerCase().charCodeAt(0) : dropped;
});

/** The escapes of one character that stand for white space or punctuation. */
const escapesDropped = new Set(Array.from('nrtbfv0\\"\'`/', (character) => character.charCodeAt(0)));
const [letterU, letterX, openingBrace] = [0x75, 0x78, 0x7b];

/** A line number that a listing put before a line, as `cat -n`, `grep -n` and editors do. */
const lineNumber = /[ \t]{0,20}\d{1,7} ?[\t|:→]/y;
const hexadecimal = /[0-9a-f]{2}/iy;
const hexadecimal4 = /[0-9a-f]{4}/iy;
/** With as many zeros as somebody may write: to look for the end of millions would hold up everybody else. */
const codePoint = /\{0{0,20}([0-9a-f]{1,6})\}/iy;

/** Reads a text from its beginning to its end, piece by piece, as what is left of it without its spelling. */
export class SpellingReader {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
    this.#skipLineNumber();
  }

  /** Whether the whole text has been read. */
  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  /**
   * Reads as many characters as `units` has room for from `start` on, and puts the UTF-16 code units that are left of them
   * there, and into `lines` the number of the line each is on, counted from 1. Answers where it stopped.
   */
  read(units: Uint16Array, lines: Int32Array, start: number): number {
    const text = this.#text;
    // No character leaves more than one unit, and no escape more than it has characters.
    const end = Math.min(text.length, this.#at + units.length - start);
    let to = start;
    while (this.#at < end) {
      const kept = keptOf(text.charCodeAt(this.#at++));
      if (kept > lineBreak) {
        units[to] = kept;
        lines[to++] = this.#line;
      } else if (kept === lineBreak) {
        this.#line++;
        this.#skipLineNumber();
      } else if (kept === backslash) {
        for (const unit of this.#readEscape()) {
          units[to] = unit;
          lines[to++] = this.#line;
        }
      }
    }
    return to;
  }

  #skipLineNumber(): void {
    lineNumber.lastIndex = this.#at;
    if (lineNumber.test(this.#text)) this.#at = lineNumber.lastIndex;
  }

  /** What is left of the escape after a backslash. What is no escape is read as if there were no backslash. */
  #readEscape(): number[] {
    const unit = this.#text.charCodeAt(this.#at);
    if (escapesDropped.has(unit)) {
      this.#at++;
      return [];
    }
    if (unit === letterX) return this.#readHexadecimal(hexadecimal);
    if (unit !== letterU) return [];
    const isBraced = this.#text.charCodeAt(this.#at + 1) === openingBrace;
    return this.#readHexadecimal(isBraced ? codePoint : hexadecimal4);
  }

  #readHexadecimal(pattern: RegExp): number[] {
    pattern.lastIndex = this.#at + 1;
    const [all, digits = all] = pattern.exec(this.#text) ?? [];
    const code = digits === undefined ? Number.NaN : Number.parseInt(digits, 16);
    if (!(code <= 0x10ffff)) return [];
    this.#at = pattern.lastIndex;
    const units = String.fromCodePoint(code);
    return Array.from({ length: units.length }, (_, index) => keptOf(units.charCodeAt(index))).filter(
      (unit) => unit > lineBreak,
    );
  }
}

/** What becomes of a code unit: one to keep, or one of the three that are less than any. */
function keptOf(unit: number): number {
  if (unit < 128) return asciiUnits[unit] ?? dropped;
  return isNoise(unit) ? dropped : unit;
}

/** Beyond ASCII: control characters, spaces, general punctuation (with quotes and invisible characters), replacements. */
function isNoise(unit: number): boolean {
  if (unit < 0xc0) return true;
  if (unit < 0x1680) return false;
  return (
    (unit >= 0x2000 && unit <= 0x206f) ||
    unit === 0x3000 ||
    unit === 0x1680 ||
    (unit >= 0xfe00 && unit <= 0xfe0f) ||
    unit === 0xfeff ||
    unit === 0xfffd
  );
}
