/** What the life of its cases may have against a revision's activation: that nobody reviewed it, or that a case is past, public or unproven. */
import { caseNamesAt } from '../../suites/case-names.ts';
import { expiredPositions } from '../../suites/expiry.ts';
import { findPublishedPositions, listReviews } from '../../suites/life/events.ts';
import { findMakers, standingOf } from '../../suites/life/reviews.ts';
import { findUnprovenPositions } from '../incidents/incident-cases.ts';
import { listGates } from '../policies.ts';
import type { Condition } from './condition.ts';

/** Where a gate that requires the suite asks for it, a second person must have approved the revision, and nobody reject it. */
export const refuseUnreviewed: Condition = async ({ database }, name) => {
  const gates = await listGates(database);
  const asking = gates.filter(({ review, suites }) => review && suites.includes(name.suite));
  if (asking.length === 0) return undefined;
  const isIt = ({ revision }: { revision: number }) => revision === name.revision;
  const unknown = { maker: '', isAuthor: false };
  const maker = (await findMakers(database, name.suite)).find(isIt) ?? unknown;
  const standing = standingOf(maker, (await listReviews(database, [name.suite])).filter(isIt));
  if (standing === 'approved') return undefined;
  const isRejected = standing === 'rejected';
  return {
    code: isRejected ? 'revision_rejected' : 'revision_unreviewed',
    message: isRejected
      ? 'a reviewer rejects it'
      : maker.isAuthor
        ? `gate ${asking[0]?.gate} asks that a second person approve its revisions, and nobody has approved this one`
        : `gate ${asking[0]?.gate} asks that a second person approve its revisions, and of this one, which CI pushed, nobody knows the first: two have to approve it`,
    advice: isRejected
      ? 'mend it and push it again, or have who rejected it approve it'
      : `have another person write \`holdback suite review ${name.suite} ${name.revision} --approve\``,
  };
};

/** A case that has expired would never be asked. */
export const refuseExpired: Condition = async ({ suites }, name) => {
  const contents = await suites.open(name);
  const expired = expiredPositions(contents, new Date());
  if (expired.length === 0) return undefined;
  return {
    code: 'cases_expired',
    message: `cases in it have expired: ${caseNamesAt(contents, expired)}`,
    advice: `give them another end, or leave them out: \`holdback suite retire ${name.suite} CASE --from ${name.revision}\``,
  };
};

/** A case that was published tests nobody any more. */
export const refusePublished: Condition = async ({ suites }, name) => {
  const published = [...(await suites.published(name))];
  if (published.length === 0) return undefined;
  return {
    code: 'cases_published',
    message: `cases in it were published to the visible tests: ${caseNamesAt(await suites.open(name), published)}`,
    advice: `leave them out, and write fresh ones: \`holdback suite retire ${name.suite} CASE --from ${name.revision}\``,
  };
};

/** The case of an incident must have been seen to catch what escaped, and to let pass what mends it. */
export const refuseUnproven: Condition = async ({ database, suites }, name) => {
  const unproven = await findUnprovenPositions(database, name);
  const [first] = unproven;
  if (first === undefined) return undefined;
  const positions = unproven.map(({ position }) => position);
  return {
    code: 'cases_unproven',
    message: `cases of incidents in it were not seen to fail on the build that escaped and to pass on one that mends it: ${caseNamesAt(await suites.open(name), positions)}`,
    advice: `prove them: \`holdback incident prove ${first.incident} --fix ENTRY\``,
  };
};

/** As the two before, of the database alone: that a case was published, or drafted from an incident, since these were asked. */
export const refuseOvertaken: Condition = async ({ database }, name) => {
  const published = await findPublishedPositions(database, name);
  const unproven = await findUnprovenPositions(database, name);
  if (published.size === 0 && unproven.length === 0) return undefined;
  return {
    code: published.size > 0 ? 'cases_published' : 'cases_unproven',
    message: 'cases in it were published, or drafted from an incident, in this moment',
    advice: 'activate it again to be told which they are',
  };
};
