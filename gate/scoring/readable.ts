/**
 * Carried values as people read them, in lines: one for each element and property, what JSON cannot say in words of JavaScript, keys in
 * order, and nothing in a text that could hide, reorder or move what stands beside it. Two values that are alike give the same lines, so
 * that what differs can be shown. It reads data alone, whoever's they are.
 */

/** One line of a value: how deep it stands, and what it says. */
export type Line = { depth: number; text: string };

/** A value of more lines than this is not shown. */
const linesMax = 20_000;

/** Carried values are no deeper. */
const depthMax = 600;

const indentMax = 40;

/** The lines of a carried value: JSON data in which what JSON cannot say is tagged. Throws a RangeError where it is too large. */
export function linesOf(carried: unknown): Line[] {
  const lines: Line[] = [];
  write(lines, { depth: 0, before: '', after: '' }, carried);
  return lines;
}

/** A line with its indentation. */
export function textOfLine({ depth, text }: Line): string {
  return `${'  '.repeat(Math.min(depth, indentMax))}${text}`;
}

/** The lines of a text in quotes: one for each of its own. */
export function linesOfText(text: string): Line[] {
  const lines: Line[] = [];
  writeText(lines, { depth: 0, before: '', after: '' }, text);
  return lines;
}

/** A text in quotes, in which whatever cannot be seen, or moves what can, is written out. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** Where a value stands, and what is written around it. */
type Place = { depth: number; before: string; after: string };

function write(lines: Line[], place: Place, value: unknown): void {
  if (lines.length > linesMax || place.depth > depthMax) throw new RangeError('a value too large to show');
  if (typeof value === 'string') writeText(lines, place, value);
  else if (Array.isArray(value)) writeMembers(lines, place, '[', value.map(element), ']');
  else if (typeof value === 'object' && value !== null) writeObject(lines, place, value);
  else writeWord(lines, place, `${value}`);
}

function writeWord(lines: Line[], { depth, before, after }: Place, word: string): void {
  lines.push({ depth, text: `${before}${word}${after}` });
}

/** A text of several lines has as many here, so that a difference in one of them is not one in all. */
function writeText(lines: Line[], { depth, before, after }: Place, text: string): void {
  const own = text.split(/(?<=\n)(?!$)/);
  if (own.length > linesMax) throw new RangeError('a text too long to show');
  if (own.length === 1) {
    writeWord(lines, { depth, before, after }, quoted(text));
    return;
  }
  const isNamed = before !== '';
  if (isNamed) lines.push({ depth, text: before.trimEnd() });
  const inner = isNamed ? depth + 1 : depth;
  for (const [index, line] of own.entries()) {
    lines.push({ depth: inner, text: `${quoted(line)}${index === own.length - 1 ? after : ''}` });
  }
}

type Member = { before: string; value: unknown };

function element(value: unknown): Member {
  return { before: '', value };
}

function writeMembers(
  lines: Line[],
  { depth, before, after }: Place,
  opening: string,
  members: Member[],
  closing: string,
): void {
  if (members.length === 0) {
    writeWord(lines, { depth, before, after }, `${opening}${closing}`);
    return;
  }
  lines.push({ depth, text: `${before}${opening}` });
  for (const member of members) {
    write(lines, { depth: depth + 1, before: member.before, after: ',' }, member.value);
  }
  lines.push({ depth, text: `${closing}${after}` });
}

function writeEntries(lines: Line[], place: Place, opening: string, object: object): void {
  const members = Object.entries(object)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]: [string, unknown]): Member => ({ before: `${keyText(key)}: `, value }));
  writeMembers(lines, place, opening, members, '}');
}

function keyText(key: string): string {
  return /^[A-Za-z_]\w*$/.test(key) ? key : quoted(key);
}

function writeObject(lines: Line[], place: Place, object: object): void {
  const [first, ...more] = Object.entries(object);
  const tag: string | undefined = more.length === 0 ? first?.[0] : undefined;
  const isWritten = tag?.startsWith('$') === true && writeTagged(lines, place, tag, first?.[1]);
  if (!isWritten) writeEntries(lines, place, '{', object);
}

/** Writes what is tagged, and answers whether it is: see docs/values.md. */
function writeTagged(lines: Line[], place: Place, tag: string, value: unknown): boolean {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (tag === '$undefined') writeWord(lines, place, 'undefined');
  else if (tag === '$hole') writeWord(lines, place, '(a hole)');
  else if (tag === '$number' && typeof value === 'string') writeWord(lines, place, word(value));
  else if (tag === '$bigint' && typeof value === 'string') writeWord(lines, place, `${word(value)}n`);
  else if (tag === '$date' && typeof value === 'string') writeWord(lines, place, `Date ${dateText(value)}`);
  else if (tag === '$map' && Array.isArray(value)) writeMap(lines, place, value);
  else if (tag === '$set' && Array.isArray(value))
    writeMembers(lines, place, 'Set {', value.map(element), '}');
  else if (tag === '$buffer' && Array.isArray(value))
    writeMembers(lines, place, 'ArrayBuffer [', value.map(element), ']');
  else if (tag === '$typed' && Array.isArray(value) && Array.isArray(value[1]))
    writeMembers(lines, place, `${word(`${value[0]}`)} [`, value[1].map(element), ']');
  else if (tag === '$error' && isObject) writeEntries(lines, place, 'Error {', value);
  else if (tag === '$instance' && isObject) writeEntries(lines, place, '(instance of a class) {', value);
  else if (tag === '$bare' && isObject) writeEntries(lines, place, '(without a prototype) {', value);
  else if (tag === '$object' && isObject) writeEntries(lines, place, '{', value);
  else return false;
  return true;
}

/** Entries with a text as their key have it before the value; another key stands in a line, or in lines, of its own. */
function writeMap(lines: Line[], place: Place, pairs: unknown[]): void {
  const members = pairs.flatMap((pair): Member[] => {
    const [key, value]: unknown[] = Array.isArray(pair) ? pair : [pair, null];
    if (typeof key !== 'object' || key === null) {
      const before = typeof key === 'string' ? quoted(key) : `${key}`;
      return [{ before: `${before} => `, value }];
    }
    return [
      { before: 'key ', value: key },
      { before: '  => ', value },
    ];
  });
  writeMembers(lines, place, 'Map {', members, '}');
}

/** A word that a tag holds, which in what a candidate sent could be anything. */
function word(text: string): string {
  return /^[-\w]+$/.test(text) ? text : quoted(text);
}

function dateText(text: string): string {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? word(text === 'Invalid Date' ? 'invalid' : text) : time.toISOString();
}
