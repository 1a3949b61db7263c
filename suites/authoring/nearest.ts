/** The word that somebody probably meant: a misspelling is found by its letters, another tool's word by what it is called here. */

/** So many letters may be wrong, missing, too many or swapped. */
const mistakesMax = 2;

/** Words of other tools, and of everyday, for what is called otherwise here. */
const synonyms: Record<string, string | undefined> = {
  toEqual: 'equals',
  deepEqual: 'equals',
  is: 'equals',
  toBe: 'strictEquals',
  toStrictEqual: 'strictEquals',
  toMatchObject: 'matches',
  contains: 'matches',
  toBeCloseTo: 'closeTo',
  toThrow: 'throws',
  error: 'throws',
  jsonSchema: 'schema',
  args: 'input',
  given: 'input',
  output: 'expect',
  title: 'name',
  description: 'name',
  labels: 'tags',
  timezone: 'zone',
  timeZone: 'zone',
  now: 'at',
  time: 'at',
  fetch: 'http',
  requests: 'http',
  calls: 'steps',
  function: 'call',
  fn: 'call',
  tests: 'cases',
};

/** The known word that was probably meant, if one is near enough. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const synonym = Object.hasOwn(synonyms, word) ? synonyms[word] : undefined;
  if (synonym !== undefined && known.includes(synonym)) return synonym;
  // Of a word of three letters, two wrong ones leave nothing.
  const most = Math.min(mistakesMax, Math.floor(word.length / 2));
  const distances = known.map((each) => ({ each, distance: distanceOf(word, each) }));
  const [best] = distances
    .filter(({ distance }) => distance <= most)
    .toSorted((a, b) => a.distance - b.distance);
  return best?.each;
}

/** The optimal string alignment distance: letters put in, taken out, replaced, or swapped with their neighbour. */
function distanceOf(one: string, other: string): number {
  // What is much longer is no misspelling, and need not be measured.
  if (Math.abs(one.length - other.length) > mistakesMax) return Number.POSITIVE_INFINITY;
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let row = 1; row <= one.length; row++) {
    rows.push([row]);
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1] ? 0 : 1;
      const swapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      rows[row]?.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + same,
          swapped ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(one.length, other.length);
}
