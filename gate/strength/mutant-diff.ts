/** A surviving mutant as its author reads it: a short diff of the build, with the lines around the place. Pure. */
import type { Mutant } from '../../runners/mutants/mutant.ts';

const linesAround = 2;
/** Of what is taken away, and of what is put there, so many lines are shown. */
const linesMax = 12;
/** Of a line that is longer, the part around the place is shown. */
const lineCharsMax = 160;

/** The change in the lines of a build: lines that begin with a space stay, with `-` go, with `+` come. */
export function mutantDiff(lines: string[], { start, end, replacement }: Mutant): string {
  const before = (lines[start.line] ?? '').slice(0, start.column);
  const after = (lines[end.line] ?? '').slice(end.column);
  const removed = lines.slice(start.line, end.line + 1);
  const added = `${before}${replacement}${after}`.split('\n');
  const marked = (mark: string, some: string[]) =>
    some.map((line) => `${mark}${shortened(line, start.column)}`);
  return [
    `@@ line ${start.line + 1} @@`,
    ...marked(' ', lines.slice(Math.max(0, start.line - linesAround), start.line)),
    ...marked('-', firstOf(removed)),
    ...marked('+', firstOf(added)),
    ...marked(' ', lines.slice(end.line + 1, end.line + 1 + linesAround)),
  ].join('\n');
}

function firstOf(lines: string[]): string[] {
  if (lines.length <= linesMax) return lines;
  const more = lines.length - linesMax;
  return [...lines.slice(0, linesMax), `… ${more} more ${more === 1 ? 'line' : 'lines'}`];
}

function shortened(line: string, column: number): string {
  if (line.length <= lineCharsMax) return line;
  const from = Math.max(0, Math.min(column - lineCharsMax / 2, line.length - lineCharsMax));
  const to = from + lineCharsMax;
  return `${from > 0 ? '…' : ''}${line.slice(from, to)}${to < line.length ? '…' : ''}`;
}
