/**
 * What most cases of most suites come to: the output is, as carried text, letter for letter what the expectation says. The same text
 * is decoded to the same value on both sides, and every value equals itself, so nothing has to be decoded and compared to know
 * it. (Not so with `strictEquals`, which may find an object unlike itself, as Vitest's `toStrictEqual` does.)
 */

const equals = '{"equals":';
const returned = '{"outcome":"returned","value":';

/** Whether what was returned is of the very text that an expectation wants it to equal. Both are JSON text. */
export function isSameText(expectation: string, observation: string): boolean {
  if (!expectation.startsWith(equals) || !observation.startsWith(returned)) return false;
  const wanted = expectation.slice(equals.length, -'}'.length);
  return observation === `${returned}${JSON.stringify(wanted)}}`;
}
