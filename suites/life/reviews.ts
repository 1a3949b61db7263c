/**
 * Reviews: a second person says of a revision that it may become active, or not. Of each person the newest review counts, that of
 * whoever made the revision does not, and one rejection outweighs all approvals.
 */
import { eq, sql } from 'drizzle-orm';
import type { Database } from '../../migrations/open-database.ts';
import { revisions, tokens } from '../../migrations/tables.ts';
import { SuiteError } from '../errors.ts';
import { lockSuite } from '../lock-suite.ts';
import type { RevisionName } from '../revisions.ts';
import type { Seals } from '../sealing/sealing.ts';
import { type Actor, appendEvent, openEvents } from './events.ts';
import type { ReviewedRevision } from './life.ts';

/** One review; in lists the later ones come later. */
export type Review = { person: string; isApproval: boolean };

/** Who made a revision. What CI carried here was written by somebody unknown, who may be one of those that approve it. */
export type Maker = { maker: string; isAuthor: boolean };

/** What the reviews of a revision come to: with an unknown author, two people have to approve, so that one is another. Pure. */
export function standingOf(
  { maker, isAuthor }: Maker,
  reviews: Review[],
): 'approved' | 'rejected' | 'unreviewed' {
  const newest = new Map(reviews.map(({ person, isApproval }) => [person, isApproval]));
  newest.delete(maker);
  const words = [...newest.values()];
  if (words.some((isApproval) => !isApproval)) return 'rejected';
  return words.length >= (isAuthor ? 1 : 2) ? 'approved' : 'unreviewed';
}

/** Who made each revision of these suites: the owner of the token that it was made with, or else that itself. */
export async function findMakers(
  database: Database,
  suite: string | undefined,
): Promise<(RevisionName & Maker)[]> {
  return database
    .select({
      suite: revisions.suite,
      revision: revisions.number,
      maker: sql<string>`coalesce(${tokens.owner}, ${revisions.createdBy})`,
      // A job of CI that comes with its system's own token has none here.
      isAuthor: sql<boolean>`coalesce(${tokens.role} <> 'ci', false)`,
    })
    .from(revisions)
    .leftJoin(tokens, sql`${tokens.id}::text = ${revisions.createdBy}`)
    .where(suite === undefined ? undefined : eq(revisions.suite, suite));
}

/** So many reviews of a revision are looked at. */
const reviewsMax = 1_000;

/**
 * Appends a review. Throws `revision_not_found` and `review_own` for a revision that the same person made.
 */
export async function reviewRevision(
  { database, seals }: { database: Database; seals: Seals },
  name: RevisionName,
  { isApproval, comment }: { isApproval: boolean; comment: string | undefined },
  actor: Actor,
): Promise<void> {
  const [made] = (await findMakers(database, name.suite)).filter(
    ({ revision }) => revision === name.revision,
  );
  if (made === undefined) {
    throw new SuiteError('revision_not_found', `suite ${name.suite} has no revision ${name.revision}`);
  }
  if (made.maker === actor.person) {
    throw new SuiteError('review_own', 'you made this revision yourself: another person has to review it');
  }
  const kind = isApproval ? 'approved' : 'rejected';
  await database.transaction(async (transaction) => {
    // A revision is rejected before it is activated or afterwards, and not while.
    await lockSuite(transaction, name.suite);
    await appendEvent(transaction, seals, { ...name, kind, said: comment }, actor);
  });
}

/** The newest review of each person but the maker, with what was said. Throws `seal_broken`. */
export async function openReviews(
  { database, seals }: { database: Database; seals: Seals },
  name: RevisionName,
): Promise<ReviewedRevision['reviews']> {
  const asked = { ...name, kinds: ['approved' as const, 'rejected' as const], limit: reviewsMax };
  const events = await openEvents(database, seals, asked);
  const newest = new Map(events.toReversed().map((event) => [event.person, event]));
  return [...newest.values()].map(({ person, kind, said, doneAt }) => ({
    person,
    verdict: kind === 'approved' ? 'approve' : 'reject',
    ...(said === undefined ? {} : { comment: said }),
    reviewedAt: doneAt.toISOString(),
  }));
}
