/** The script of the grader's own realm: JSON text in, JSON text out. */
import type { Observation } from '../../runners/protocol.ts';
import { decode } from '../../runners/realm/value.ts';
import type { Expectation } from '../expectation.ts';
import { grade, problemOf } from './expectations.ts';

/** Grades one declared case. */
export function gradeText(expectation: string, observation: string): string {
  const parsedExpectation: Expectation = JSON.parse(expectation);
  const parsedObservation: Observation = JSON.parse(observation);
  return JSON.stringify(grade(parsedExpectation, parsedObservation));
}

/** What is wrong with a declared case's expectation or input, or `''`. */
export function checkText(expectation: string, input: string): string {
  try {
    decode(input);
  } catch (error) {
    return `its input cannot be read: ${error instanceof Error ? error.message : 'no reason known'}`;
  }
  const problem = problemOf(JSON.parse(expectation));
  return problem === '' ? '' : `its expectation cannot be read: ${problem}`;
}
