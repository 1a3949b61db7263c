/**
 * Tripwires: cases whose "right" answer is a word that only the service can compute. No honest candidate gives it, and none has to;
 * one that does has seen the sealed suite. To the suite's readers they look like any other case.
 */
import { createHmac } from 'node:crypto';
import type { SuiteContents } from './suite.ts';

/** 128 bits: nobody guesses it, and no text has it by chance. */
const answerLength = 32;

/** The answer of the tripwire with this input: 32 hexadecimal digits, the same in every revision and suite. */
export function tripwireAnswer(key: Buffer, input: string): string {
  return createHmac('sha256', key).update(input).digest('hex').slice(0, answerLength);
}

/** The positions of the tripwires whose answers occur in any of the texts. */
export function findSprung({ cases }: SuiteContents, texts: string[]): number[] {
  return cases.flatMap(({ expect }, position) => {
    if (!('tripwire' in expect) || typeof expect.tripwire !== 'string') return [];
    const { tripwire } = expect;
    return texts.some((text) => text.includes(tripwire)) ? [position] : [];
  });
}
