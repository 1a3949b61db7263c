/** Which tripwires a candidate has sprung: it gives, or holds, an answer that only who has seen the sealed suite can know. */
import type { ObservedCase } from '../../runners/protocol.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import { findSprung } from '../../suites/tripwire.ts';
import type { BuildScore } from './score-build.ts';

/** What a tripwire says of a candidate that knows its answer. */
const sprungResult = {
  passed: false,
  message: 'a tripwire: the candidate gives an answer that only who has seen the sealed suite can know',
};

/** Fails the tripwires whose answers occur in the candidate's text or in what it said, and answers how many there are. */
export async function springTripwires(
  contents: SuiteContents,
  text: string,
  { results, observed }: BuildScore,
): Promise<number> {
  const sprung = await findSprung(contents, [text, ...observed.map(textOf)]);
  for (const result of results) if (sprung.includes(result.position)) Object.assign(result, sprungResult);
  return sprung.length;
}

/** All that a candidate said in one trial. */
function textOf({ observation }: ObservedCase): string {
  if (observation.outcome === 'returned') return observation.value;
  return observation.outcome === 'threw' ? JSON.stringify(observation.error) : '';
}
