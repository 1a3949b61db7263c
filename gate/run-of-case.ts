/** From a sealed case to what a runner is told of it. Of the answer key nothing crosses here. */
import { type CaseRun, plainRun } from '../runners/case-run.ts';
import type { SealedCase } from '../suites/case.ts';

/** What a runner is told of a case. */
export function runOfCase({ input }: SealedCase): CaseRun {
  return plainRun(input);
}
