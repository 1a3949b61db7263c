/** What a statement of our own gave, whichever driver ran it. */

/** The rows of a result, which the two drivers give in different wrappings. They are parsed by who asked. */
export function rowsOf(result: unknown): unknown {
  return typeof result === 'object' && result !== null && 'rows' in result ? result.rows : result;
}
