/**
 * Tripwires: cases whose "right" answer is a word that only the service can compute. No honest candidate gives it, and none has to;
 * one that does has seen the sealed suite. To the suite's readers they look like any other case.
 */
import { createHmac } from 'node:crypto';
import { expectationsOf, mapExpectations, type SealedCase } from './case.ts';
import { endInTurns } from './leaks/in-steps.ts';
import type { SuiteContents } from './suite.ts';

/** 128 bits: nobody guesses it, and no text has it by chance. */
const answerLength = 32;

/** Whether a sealed case is a tripwire, and asks for nothing else. */
export function isTripwire(testCase: SealedCase): boolean {
  const expectations = expectationsOf(testCase);
  return expectations.length > 0 && expectations.every((expect) => 'tripwire' in expect);
}

/** A case as it is sealed: a tripwire gets its answer. One that was read back, and so looks like any other case, is known again. */
export function armTripwire(key: Buffer, testCase: SealedCase): SealedCase {
  return mapExpectations(testCase, (expect, input) => {
    const answer = tripwireAnswer(key, input);
    const wasRead = 'equals' in expect && expect.equals === answer;
    return 'tripwire' in expect || wasRead ? { tripwire: answer } : expect;
  });
}

/** A case as the suite's readers see it: a tripwire pretends to want its answer. */
export function disarmTripwire(testCase: SealedCase): SealedCase {
  return mapExpectations(testCase, (expect) => ('tripwire' in expect ? { equals: expect.tripwire } : expect));
}

/** The answer of the tripwire with this input: 32 hexadecimal digits, the same in every revision and suite. */
function tripwireAnswer(key: Buffer, input: string): string {
  return createHmac('sha256', key).update(input).digest('hex').slice(0, answerLength);
}

/** So many characters are looked through in one step: some milliseconds. */
const stepChars = 1 << 20;

/** The positions of the tripwires whose answers occur in any of the texts, which are long where a candidate likes: looked for in turns. */
export function findSprung(contents: SuiteContents, texts: string[]): Promise<number[]> {
  return endInTurns(findInSteps(contents, texts));
}

function* findInSteps({ cases }: SuiteContents, texts: string[]): Generator<void, number[]> {
  const sprung: number[] = [];
  let chars = 0;
  for (const [position, testCase] of cases.entries()) {
    const answers = expectationsOf(testCase).flatMap((expect) =>
      'tripwire' in expect && typeof expect.tripwire === 'string' ? [expect.tripwire] : [],
    );
    let isSprung = false;
    for (const answer of answers) {
      for (const piece of piecesOf(texts, answer.length)) {
        if (isSprung) break;
        isSprung = piece.includes(answer);
        chars += piece.length;
        if (chars < stepChars) continue;
        chars = 0;
        yield;
      }
    }
    if (isSprung) sprung.push(position);
  }
  return sprung;
}

/** The texts, the long ones in pieces that overlap by as much as is looked for. */
function* piecesOf(texts: string[], overlap: number): Generator<string> {
  for (const text of texts) {
    for (let from = 0; from === 0 || from + overlap <= text.length; from += stepChars)
      yield text.slice(from, from + stepChars + overlap);
  }
}
