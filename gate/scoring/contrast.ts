/**
 * What a failing case required, beside what came of it, as texts for its author. Both are written in the same way, so that what differs
 * between them can be shown; and where they are long, it is the place where they first differ that is told.
 */
import type { Observation } from '../../runners/protocol.ts';
import { isScenario, stepsOf } from '../../suites/case.ts';
import type { SealedExpectation } from '../../suites/expectation.ts';
import { readScenarioObservation, type StepObservation } from '../../suites/grader/scenario-observation.ts';
import { type Line, linesOf, linesOfText, textOfLine } from './readable.ts';
import type { ObservedTrial, Trial } from './trials.ts';

/** A text is at most so long, in characters. */
const textCharsMax = 8 << 10;
/** So much is read and told of all failing cases of a suite together, in characters; of the cases after that, nothing. */
const suiteCharsMax = 1 << 20;
/** What a candidate returned is read up to this length, in characters of carried text. */
const readCharsMax = 128 << 10;
/** So many lines are shown before the first that differs. */
const contextLines = 12;
/** Of one line of a long text so many characters are shown, and so many of those that are alike. */
const lineCharsMax = 2_000;
const alikeChars = 100;

/** What was compared where a trial failed. `at` is the call that failed, if it was one of them. */
export type Compared = { trial: Trial; tried: ObservedTrial | undefined; at: number | undefined };

/** `expected` is there where the case declares what it expects. */
export type Contrast = { expected?: string; observed?: string };

/** Tells what was compared in the failing cases of one suite, one after the other, as long as there is room. */
export function contrasts(): (compared: Compared) => Contrast {
  let room = suiteCharsMax;
  return (compared) => {
    const { trial, at } = compared;
    if (room <= 0) return {};
    const observed = observedLines(compared);
    if (observed === undefined) return {};
    const expected = isRelation(compared) ? undefined : expectedLines(trial, at);
    const lengths = [expected ?? [], observed].map(lengthOf);
    room -= lengths.reduce((sum, each) => sum + each, lengthRead(compared));
    if (room < 0) return {};
    const isLong = lengths.some((each) => each > textCharsMax);
    const from = expected === undefined ? 0 : firstDifference(expected, observed);
    const told = (lines: Line[], beside: Line[] | undefined) =>
      isLong ? excerpt(lines, from, beside ?? []) : lines.map(textOfLine).join('\n');
    return {
      ...(expected === undefined ? {} : { expected: told(expected, observed) }),
      observed: told(observed, expected),
    };
  };
}

/** How much of what a candidate returned is read for it, in characters. */
function lengthRead({ tried }: Compared): number {
  return [tried?.observed, tried?.related].reduce((sum, one) => {
    return sum + (one?.observation.outcome === 'returned' ? one.observation.value.length : 0);
  }, 0);
}

/** Whether it is the relation between two outputs that does not hold. */
function isRelation({ trial, tried, at }: Compared): boolean {
  const outcomes = [tried?.observed, tried?.related].map((one) => one?.observation.outcome);
  return at === undefined && trial.related !== undefined && outcomes.every((each) => each === 'returned');
}

/** How the call that failed ended, or all of the case where none of its calls is to blame. */
function observedLines({ trial, tried, at }: Compared): Line[] | undefined {
  if (tried === undefined) return undefined;
  const { testCase } = trial;
  const { observation } = tried.observed;
  const other = tried.related?.observation;
  if (observation.outcome !== 'returned') return endLines(observation);
  if (other !== undefined && other.outcome !== 'returned') {
    return [{ depth: 0, text: 'for the related input' }, ...deeper(endLines(other))];
  }
  if (isScenario(testCase)) {
    if (at === undefined || observation.value.length > readCharsMax) return undefined;
    const counts = { steps: stepsOf(testCase).length, exchanges: testCase.http?.length ?? 0 };
    const step = readScenarioObservation(observation.value, counts)?.steps[at];
    return step === undefined ? undefined : endLines(step);
  }
  if (other === undefined || !isRelation({ trial, tried, at })) return endLines(observation);
  return [
    { depth: 0, text: 'for the input' },
    ...deeper(endLines(observation)),
    { depth: 0, text: 'for the related input' },
    ...deeper(endLines(other)),
  ];
}

function endLines(end: Observation | StepObservation): Line[] {
  switch (end.outcome) {
    case 'returned':
      return end.value.length > readCharsMax ? tooLarge : orTooLarge(() => linesOf(JSON.parse(end.value)));
    case 'threw':
      return thrownLines(textLines(end.error.name), textLines(end.error.message));
    case 'done':
      return [{ depth: 0, text: 'ended, without an output' }];
    default: {
      const detail = 'detail' in end && end.detail !== undefined ? textLines(end.detail) : [];
      return [{ depth: 0, text: `ended as ${end.outcome}` }, ...deeper(detail)];
    }
  }
}

/** What the call that failed should have ended as; undefined where a function decides that, or no call is to blame. */
function expectedLines({ testCase }: Trial, at: number | undefined): Line[] | undefined {
  const expect = stepsOf(testCase)[at ?? 0]?.expect;
  if (expect === undefined || (at === undefined && isScenario(testCase))) return undefined;
  return linesOfExpectation(expect);
}

function linesOfExpectation(expect: SealedExpectation): Line[] | undefined {
  if ('predicate' in expect || 'tripwire' in expect) return undefined;
  if ('equals' in expect) return valueLines(expect.equals);
  if ('strictEquals' in expect) return valueLines(expect.strictEquals);
  if ('matches' in expect) return valueLines(expect.matches);
  if (expect.closeTo !== undefined) {
    const { value, tolerance } = expect.closeTo;
    return valueLines(value).map((line) => ({ ...line, text: `${line.text} ± ${tolerance}` }));
  }
  if (expect.oneOf !== undefined) {
    return [{ depth: 0, text: 'one of' }, ...deeper(expect.oneOf.flatMap(valueLines))];
  }
  if (expect.schema !== undefined) {
    return [{ depth: 0, text: 'what satisfies the schema' }, ...deeper(valueLines(expect.schema))];
  }
  if (expect.throws === undefined) return undefined;
  if (expect.throws === true) return thrownLines([], []);
  const { name, message } = expect.throws;
  return thrownLines(
    name === undefined ? [] : textLines(name),
    message === undefined ? [] : textLines(message).map((line) => ({ ...line, text: `like ${line.text}` })),
  );
}

const tooLarge: Line[] = [{ depth: 0, text: '(too large to show)' }];

function valueLines(carried: unknown): Line[] {
  return orTooLarge(() => linesOf(carried));
}

function textLines(text: string): Line[] {
  return orTooLarge(() => linesOfText(text));
}

/** What a candidate sent need not even be JSON. */
function orTooLarge(read: () => Line[]): Line[] {
  try {
    return read();
  } catch {
    return tooLarge;
  }
}

function thrownLines(name: Line[], message: Line[]): Line[] {
  const part = (label: string, [first, ...more]: Line[]): Line[] =>
    first === undefined ? [] : [{ depth: 1, text: `${label}: ${first.text}` }, ...deeper(deeper(more))];
  return [{ depth: 0, text: 'throws' }, ...part('name', name), ...part('message', message)];
}

function deeper(lines: Line[]): Line[] {
  return lines.map(({ depth, text }) => ({ depth: depth + 1, text }));
}

function lengthOf(lines: Line[]): number {
  if (lines === tooLarge) return readCharsMax;
  return lines.reduce((sum, { depth, text }) => sum + depth * 2 + text.length + 1, 0);
}

function firstDifference(expected: Line[], observed: Line[]): number {
  const at = expected.findIndex(({ depth, text }, index) => {
    const other = observed[index];
    return other === undefined || other.depth !== depth || other.text !== text;
  });
  return at === -1 ? expected.length : at;
}

/** What of a long text is shown: from shortly before the line `from`. Long lines are cut where they differ from the one beside them. */
function excerpt(lines: Line[], from: number, beside: Line[]): string {
  const start = Math.max(0, Math.min(from, lines.length) - contextLines);
  const shown = start === 0 ? [] : [`… ${start} lines before are alike`];
  let room = textCharsMax;
  for (const [index, line] of lines.entries()) {
    if (index < start) continue;
    const text = textOfLine({ ...line, text: cut(line.text, beside[index]?.text ?? '') });
    room -= text.length + 1;
    if (room < 0 && index > start) {
      shown.push(`… ${lines.length - index} more lines`);
      break;
    }
    shown.push(text);
  }
  return shown.join('\n');
}

function cut(text: string, beside: string): string {
  if (text.length <= lineCharsMax) return text;
  let alike = 0;
  while (alike < text.length && text[alike] === beside[alike]) alike++;
  const start = alike > lineCharsMax / 2 ? alike - alikeChars : 0;
  const end = start + lineCharsMax;
  const before = start === 0 ? '' : `… ${start} characters before are alike …`;
  const after = text.length > end ? `… ${text.length - end} more characters` : '';
  return `${before}${text.slice(start, end)}${after}`.toWellFormed();
}
