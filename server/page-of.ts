/** A page of rows that have a sequence number, and where the next one begins. */

/** `rows` are one more than the page has, if there are so many: then others follow. `next` is the sequence of the last one shown, or null. */
export function pageOf<Row extends { sequence: number }>(
  rows: Row[],
  limit: number,
): { page: Row[]; next: number | null } {
  const page = rows.slice(0, limit);
  return { page, next: rows.length > limit ? (page.at(-1)?.sequence ?? null) : null };
}
