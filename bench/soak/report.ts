/** What a run of the soak found, as the table that `docs/reliability.md` shows between its markers. */
import type { Outcome, Part } from './part.ts';

export type Result = Outcome & { part: Part; seconds: number; processesLeft: number; commit: string };

/** `missing` are the parts that have not been run. */
export type Run = { date: string; machine: string; missing: string[] };

const begin = '<!-- measured by npm run soak: begin -->';
const end = '<!-- measured by npm run soak: end -->';

/** Whether a part kept what the product promises. */
export function holds({ tally, broken, processesLeft }: Result): boolean {
  const { lost, duplicate, wrong, falseGreens } = tally;
  return lost + duplicate + wrong + falseGreens + processesLeft + broken.length === 0;
}

const columns = [
  'fault',
  'times',
  'in a full run',
  'scores',
  'merge',
  'red',
  'indeterminate',
  'lost',
  'duplicate',
  'wrong',
  'false greens',
  'processes left',
  'seconds',
  'at commit',
];

function cellsOf({ part, faults, tally, processesLeft, seconds, commit }: Result): (string | number)[] {
  const { accepted, merged, red, indeterminate, lost, duplicate, wrong, falseGreens } = tally;
  const full = part.count;
  const scores = [accepted, merged, red, indeterminate, lost, duplicate, wrong, falseGreens];
  return [part.what, faults, full, ...scores, processesLeft, Math.round(seconds), commit];
}

/** The page with what was measured in place of what was measured before. Throws where it has no markers. */
export function withMeasured(page: string, run: Run, results: Result[]): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error('the page has no markers');
  const line = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
  const measured = [
    `Measured until ${run.date} on ${run.machine}.`,
    ...(run.missing.length > 0 ? [`Not run: ${run.missing.join(', ')}.`] : []),
    '',
    line(columns),
    line(columns.map((_, index) => (index === 0 ? '---' : '--:'))),
    ...results.map((result) => line(cellsOf(result))),
    '',
    ...results.flatMap(({ part, notes, broken }) => [
      ...notes.map((note) => `- ${part.name}: ${note}.`),
      ...broken.map((what) => `- **${part.name}: ${what}.**`),
    ]),
  ];
  return `${before}${begin}\n\n${measured.join('\n')}\n\n${end}${after}`;
}

/** The same for a terminal. */
export function rowOf(result: Result): Record<string, string | number> {
  const [, ...cells] = cellsOf(result);
  const [, ...names] = columns;
  return {
    part: result.part.name,
    ...Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ''])),
    holds: holds(result) ? 'yes' : 'NO',
  };
}
