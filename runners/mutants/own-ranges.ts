/**
 * Which parts of a bundle are its author's own. esbuild puts a comment above the code of each file that it bundled; what comes
 * from `node_modules`, and esbuild's own helpers above the first comment, are nobody's to test here.
 */

/** Lines and columns are counted from 0; the end is exclusive. */
export type TextRange = { start: Place; end: Place };
type Place = { line: number; column: number };

/** A comment that names a file and says nothing else, at the very beginning of its line. */
const fileComment = /^\/\/ (\S+\.\w{1,5})$/;

/** What esbuild's helpers begin with, where a bundle needs some. */
const helpers = 'var __';

/** The parts of a text that are to be mutated; true for all of it, where it does not tell which file its parts are from. */
export function ownRanges(text: string): TextRange[] | true {
  const lines = text.split('\n');
  const starts = lines.flatMap((line, at) => {
    const [, file] = fileComment.exec(line) ?? [];
    return file === undefined ? [] : [{ at, isOwn: !isForeign(file) }];
  });
  const [first] = starts;
  if (first === undefined) return true;
  if (!text.startsWith(helpers)) starts.unshift({ at: 0, isOwn: true });
  return starts.flatMap(({ at, isOwn }, index) => {
    const end = starts[index + 1]?.at ?? lines.length;
    return isOwn ? [{ start: { line: at, column: 0 }, end: { line: end, column: 0 } }] : [];
  });
}

/** The file that a line of a bundle is from, as the comment above it names it. */
export function fileOfLine(lines: string[], line: number): string | null {
  for (let at = Math.min(line, lines.length - 1); at >= 0; at--) {
    const [, file] = fileComment.exec(lines[at] ?? '') ?? [];
    if (file !== undefined) return file;
  }
  return null;
}

function isForeign(file: string): boolean {
  return /(?:^|\/)node_modules\//.test(file);
}
