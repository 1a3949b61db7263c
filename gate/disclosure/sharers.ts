/**
 * Which revisions have the same cases: what one is charged is spent on each of its cases in all that have it, however they are called. A
 * revision never changes, so this is read once, and anew only when there are more revisions, which their number tells. To read it takes as
 * long as there are cases in all that share; what is asked of it for every score does not.
 */
import { sql } from 'drizzle-orm';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Database } from '../../migrations/open-database.ts';
import { rowsOf } from '../../migrations/rows-of.ts';
import type { RevisionName } from '../../suites/revisions.ts';

/** Of so many revisions it is kept, those that were asked about last. */
const keptMax = 200;

export type Sharers = {
  /** Every revision that has a case of this one; itself too. */
  revisions: RevisionName[];
  /** Its cases, by who has them, as positions in `revisions`. */
  groups: { holders: number[]; digests: string[] }[];
};

/** So much of a digest tells cases apart, in hexadecimal digits: nobody can choose them. */
const shortChars = 24;

const digestsSchema = z.tuple([z.object({ digests: z.array(z.string()) })]);
const heldSchema = z.array(z.object({ suite: z.string(), revision: z.number(), cases: z.string() }));
const countSchema = z.tuple([z.object({ count: z.coerce.number() })]);

type Kept = { count: number; sharers: LRUCache<string, Sharers> };

const keptOf = new WeakMap<Database, Kept>();

/** The number of revisions there are, as an expression. */
export const revisionCount = sql`(SELECT count(*) FROM revisions)::int`;

/**
 * The sharers of each of these revisions, among the first `count` revisions at least; answers among how many. It is asked of `on`, a
 * transaction perhaps, and kept for `root`, the database.
 */
export async function findSharers(
  on: Database,
  root: Database,
  names: RevisionName[],
  count: number,
): Promise<{ count: number; sharers: Sharers[] }> {
  let kept = keptOf.get(root) ?? { count: 0, sharers: new LRUCache({ max: keptMax }) };
  let known = kept.count;
  if (known < count || !names.every((name) => kept.sharers.has(keyOf(name)))) {
    // Counted before anything is read: what is read afterwards is of these revisions at least.
    const [now] = countSchema.parse(rowsOf(await on.execute(sql`SELECT ${revisionCount} AS count`)));
    known = now.count;
    if (kept.count < known) {
      kept = { count: known, sharers: new LRUCache({ max: keptMax }) };
      keptOf.set(root, kept);
    }
  }
  const found: Sharers[] = [];
  for (const name of names) {
    const sharers = kept.sharers.get(keyOf(name)) ?? (await readSharers(on, name));
    // A transaction may see fewer revisions than there are: what is read in it is not kept.
    if (known === kept.count) kept.sharers.set(keyOf(name), sharers);
    found.push(sharers);
  }
  return { count: known, sharers: found };
}

export function keyOf({ suite, revision }: RevisionName): string {
  return `${suite}@${revision}`;
}

async function readSharers(on: Database, { suite, revision }: RevisionName): Promise<Sharers> {
  const own = sql`SELECT case_digest FROM revision_cases WHERE suite = ${suite} AND revision = ${revision}`;
  const mine = await on.execute(
    sql`SELECT coalesce(json_agg(DISTINCT case_digest), '[]') AS digests FROM (${own}) AS own`,
  );
  const [{ digests }] = digestsSchema.parse(rowsOf(mine));
  // As an array they are looked up once, where a join may be planned to do it for each case.
  const held = await on.execute(sql`
    SELECT suite, revision, string_agg(left(case_digest, ${shortChars}::int), ',') AS cases FROM revision_cases
    WHERE case_digest = ANY (ARRAY(${own})) GROUP BY suite, revision`);
  return groupByHolders(digests, heldSchema.parse(rowsOf(held)));
}

function groupByHolders(digests: string[], held: z.infer<typeof heldSchema>): Sharers {
  const holdersOf = new Map(digests.map((digest): [string, number[]] => [digest.slice(0, shortChars), []]));
  for (const [index, { cases }] of held.entries())
    for (const short of new Set(cases.split(','))) holdersOf.get(short)?.push(index);
  const groups = new Map<string, Sharers['groups'][number]>();
  for (const digest of digests) {
    const holders = holdersOf.get(digest.slice(0, shortChars)) ?? [];
    const group = groups.get(holders.join()) ?? { holders, digests: [] };
    group.digests.push(digest);
    groups.set(holders.join(), group);
  }
  return {
    revisions: held.map(({ suite, revision }) => ({ suite, revision })),
    groups: [...groups.values()],
  };
}
