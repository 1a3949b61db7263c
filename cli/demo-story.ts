/** The words of the demo, and how a score's body is laid out so that a person can read it and still see the exact JSON. */
import { styleText } from 'node:util';
import { clipMiddle, printable } from './printable.ts';
import type { FinishedScore } from './scoring.ts';
import { verdictWord } from './texts/score.ts';

const widthMax = 98;
const elementsShown = 5;

export const introduction = [
  emphasised('Holdback: the merge gate whose cases the author never sees.'),
  '',
  'A coding agent was asked to price orders with discount codes. It worked until the tests that it',
  'could see were green, and stopped. A second build follows the written rules. Both pass the visible',
  'tests; in a clone, see for yourself: npx vitest run examples/discounts',
  '',
  'QA wrote a holdback suite from the same rules and sealed it. Neither build was ever shown a case.',
];

/** A heading of the demo. */
export function heading(text: string): string {
  return `\n${emphasised(text)}\n${'─'.repeat(text.length)}`;
}

/** A step that was done: what, and how long it took. */
export function step(text: string, ms: number): string {
  return `${text.padEnd(widthMax - 10)} ${seconds(ms)}`;
}

/** One scored build: its verdict, the time, and the body that each role is answered with. */
export function scoredBuild(
  build: string,
  ms: number,
  seen: { ci: FinishedScore; author: FinishedScore },
): string {
  return [
    '',
    // Padding counts what a terminal shows, and colours show nothing.
    `${verdictWord(seen.ci)}  ${step(build, ms).replace(/ {7}/, '')}`,
    '',
    '  What ci is answered, and so all that the agent can read in its log:',
    ...layOut(seen.ci),
    '',
    "  What the suite's author is answered:",
    ...layOut(seen.author),
  ].join('\n');
}

/** The end of the demo: four verdicts, and whether they are what they should be. */
export function summary(
  verdicts: { build: string; expected: string; score: FinishedScore }[],
  asExpected: boolean,
  ms: number,
): string {
  const rows = verdicts.map(({ build, expected, score }) => {
    const odd = score.verdict === expected ? '' : `  (expected ${expected})`;
    return `${verdictWord(score)}  ${build}${odd}`;
  });
  const last = asExpected
    ? 'Each verdict is as it should be: what is wrong was held back, what is right may merge.'
    : 'A verdict is not what it should be.';
  return [
    heading('Summary'),
    ...rows,
    '',
    last,
    step('The service is stopped and its data is removed. In all this took', ms),
  ].join('\n');
}

/** JSON with a line for each property and each element of a list; what is too wide is wrapped, and of long lists a few are shown. */
function layOut(body: FinishedScore): string[] {
  const properties = Object.entries(body).filter(([, value]) => value !== undefined);
  const lines = properties.flatMap(([name, value], index) => {
    const comma = index === properties.length - 1 ? '' : ',';
    const start = `  ${JSON.stringify(name)}: `;
    const fits = `${start}${JSON.stringify(value)}${comma}`.length <= widthMax - 2;
    if (fits || !Array.isArray(value)) return wrapped(start, value, comma);
    const shown = value
      .slice(0, elementsShown)
      .flatMap((element, at) => wrapped('    ', element, at === value.length - 1 ? '' : ','));
    const rest = value.length - elementsShown;
    return [`${start}[`, ...shown, ...(rest > 0 ? [`    … and ${rest} more`] : []), `  ]${comma}`];
  });
  return ['{', ...lines, '}'].map((line) => `  ${clipMiddle(printable(line), widthMax - 2)}`);
}

/** A value's JSON, on several lines between its properties where one would be too wide. */
function wrapped(start: string, value: unknown, end: string): string[] {
  const whole = `${start}${JSON.stringify(value)}${end}`;
  if (whole.length <= widthMax - 2 || typeof value !== 'object' || value === null) return [whole];
  const entries = Object.entries(value).map(
    ([name, part]) => `${JSON.stringify(name)}:${JSON.stringify(part)}`,
  );
  const lines = [`${start}{`];
  for (const [index, entry] of entries.entries()) {
    const piece = index === entries.length - 1 ? `${entry}}${end}` : `${entry},`;
    const line = `${lines.at(-1)}${piece}`;
    if (line.length <= widthMax - 2) lines[lines.length - 1] = line;
    else lines.push(`${' '.repeat(start.search(/\S|$/) + 2)}${piece}`);
  }
  return lines;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`.padStart(9);
}

function emphasised(text: string): string {
  return styleText('bold', text, { stream: process.stdout });
}
