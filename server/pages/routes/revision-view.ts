/** What the page of a revision shows, gathered for its reader: forms that are refused are answered with that page as well. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Refusal } from '../../../gate/activation/condition.ts';
import type { Preflight } from '../../../gate/activation/preflight-report.ts';
import { listStrengths } from '../../../gate/strength/strengths.ts';
import { lookAtCases } from '../../../gate/suite-cases.ts';
import { describeRevision } from '../../../suites/authoring/make-revision.ts';
import { openReviews } from '../../../suites/life/reviews.ts';
import { findRevisionHistory } from '../../../suites/life/revision-history.ts';
import { findSuite, type RevisionName } from '../../../suites/revisions.ts';
import type { AppParts } from '../../app.ts';
import type { Reader } from '../../tokens.ts';
import { type CaseListing, casesPerPage } from '../case-table.ts';
import type { RevisionForAuthors } from '../revision-page.ts';
import { revisionPage } from '../revision-page.ts';
import { showPage } from '../show-page.ts';
import { visitOf } from '../signed-in.ts';

/** Whether somebody may see cases. */
export function isAuthor({ role }: Reader): boolean {
  return role === 'author' || role === 'admin';
}

/** A page of a revision's cases, and what left the suite. It is recorded as a reading. */
export async function listCases(
  { authoring, suites }: AppParts,
  name: RevisionName,
  page: number,
  by: string,
) {
  const { database, seals, keys } = authoring;
  const looking = { database, seals, suites, caseKey: keys.caseDigest };
  const { cases, left } = await lookAtCases(looking, name, by);
  const listing: CaseListing = {
    ...name,
    all: cases.length,
    cases: cases
      .map((each, position) => ({ ...each, position }))
      .slice((page - 1) * casesPerPage, page * casesPerPage),
    page,
  };
  return { listing, left };
}

export type RevisionAnswer = {
  page?: number;
  measurement?: string | undefined;
  preflight?: Preflight;
  refusals?: Refusal[];
  refused?: string;
};

/** Answers with the page of a revision, and what became of what was just asked for. */
export async function showRevision(
  parts: AppParts,
  request: FastifyRequest,
  reply: FastifyReply,
  name: RevisionName,
  { page = 1, measurement, preflight, refusals = [], refused }: RevisionAnswer,
): Promise<FastifyReply> {
  const { reader, csrf } = visitOf(request);
  const { database } = parts.authoring;
  const revision = await describeRevision(database, name);
  const { activeRevision, revisions } = await findSuite(database, name.suite);
  const history = await findRevisionHistory(database, name.suite);
  const forAuthors = isAuthor(reader)
    ? { ...(await gather(parts, name, { page, measurement, by: reader.tokenId })), preflight }
    : undefined;
  const content = revisionPage({
    revision,
    made: history.made.get(name.revision),
    activated: history.activated.filter((each) => each.revision === name.revision),
    activeRevision,
    newest: revisions[0]?.revision ?? name.revision,
    forAuthors,
    refusals,
    refused,
    csrf,
  });
  const title = `${name.suite}, revision ${name.revision}`;
  return showPage(request, reply, { title, here: 'suites' }, content);
}

async function gather(
  parts: AppParts,
  name: RevisionName,
  { page, measurement, by }: { page: number; measurement: string | undefined; by: string },
): Promise<Omit<RevisionForAuthors, 'preflight'>> {
  const { authoring, suites, preflights, measurements } = parts;
  const { listing } = await listCases(parts, name, page, by);
  const { references } = await suites.open(name);
  return {
    listing,
    references: references.map(({ name: called, verdict, build }) => ({
      name: called,
      verdict,
      chars: build.length,
    })),
    reviews: await openReviews(authoring, name),
    strengths: await listStrengths(authoring.database, name),
    last: await preflights.last(name),
    measurement: measurement === undefined ? undefined : await measurements.find(name, measurement, by),
  };
}
