/** The life of a suite's revisions and cases: reviewed, compared, restored, retired, published. For its authors. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { activate } from '../../gate/activation/activation.ts';
import type { ActivationParts } from '../../gate/activation/condition.ts';
import { type Publishing, publishCases } from '../../gate/publish-cases.ts';
import { lookAtCases } from '../../gate/suite-cases.ts';
import { appendAudit } from '../../migrations/append-audit.ts';
import { type Authoring, describeRevision } from '../../suites/authoring/make-revision.ts';
import {
  activeOf,
  compareRevisions,
  restoreRevision,
  retireCases,
} from '../../suites/life/change-revisions.ts';
import {
  comparisonSchema,
  publicationRequestSchema,
  publicationSchema,
  retirementRequestSchema,
  reviewedRevisionSchema,
  reviewRequestSchema,
  suiteCasesSchema,
} from '../../suites/life/life.ts';
import { openReviews, reviewRevision } from '../../suites/life/reviews.ts';
import type { OpenedSuites } from '../../suites/opened-suites.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import { activatedRevisionSchema, revisionSchema, slugSchema } from '../../suites/suite.ts';
import { readerOf, requireEverySuite, requireSuite } from '../access.ts';
import { withProblems } from '../responses.ts';
import type { Reader } from '../tokens.ts';

/** PostgreSQL's largest integer. */
const revisionMax = 2_147_483_647;

export type SuiteLifeOptions = { authoring: Authoring; activation: ActivationParts; suites: OpenedSuites };

export const suiteLifeRoutes: FastifyPluginAsyncZod<SuiteLifeOptions> = async (app, options) => {
  const { authoring, activation, suites } = options;
  const { database, seals, keys, reader } = authoring;
  const publishing: Publishing = { database, seals, suites, reader, caseKey: keys.caseDigest };
  const suiteParams = z.strictObject({ suite: slugSchema });
  const numberSchema = z.coerce.number().int().min(1).max(revisionMax);
  const revisionParams = suiteParams.extend({ revision: numberSchema });
  const activating = z.strictObject({ activate: z.enum(['true', 'false']).default('false') });
  const draftNote =
    'With `activate` the draft is made first: if something speaks against activating it, the problem `activation_refused` names it and says what.';

  /** The revision that was made, as it stands then. */
  async function answerMade(name: RevisionName, { tokenId: by }: Reader, isToBeActive: boolean) {
    const notes = isToBeActive ? await activate(activation, name, { by, isPush: false }) : [];
    const described = await describeRevision(database, name);
    return activatedRevisionSchema.parse({ ...described, ...(notes.length === 0 ? {} : { notes }) });
  }

  async function answerReviews(name: RevisionName) {
    const described = revisionSchema.parse(await describeRevision(database, name));
    return { ...described, reviews: await openReviews(authoring, name) };
  }

  app.post(
    '/suites/:suite/revisions/:revision/reviews',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Approve or reject a revision that somebody else made',
        description:
          'Two tokens of one owner are one person. Of each person the newest review counts, and one rejection outweighs all approvals. A gate may ask that its revisions be approved.',
        params: revisionParams,
        body: reviewRequestSchema,
        response: withProblems({ 200: reviewedRevisionSchema }),
      },
    },
    async (request) => {
      const actor = readerOf(request);
      requireSuite(actor, request.params.suite);
      const { verdict, comment } = request.body;
      await reviewRevision(authoring, request.params, { isApproval: verdict === 'approve', comment }, actor);
      return answerReviews(request.params);
    },
  );

  app.get(
    '/suites/:suite/revisions/:revision/reviews',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Read what was said of a revision',
        params: revisionParams,
        response: withProblems({ 200: reviewedRevisionSchema }),
      },
    },
    async (request) => {
      const actor = readerOf(request);
      requireSuite(actor, request.params.suite);
      const answer = await answerReviews(request.params);
      await appendAudit(database, { by: actor.tokenId, action: 'revision.read', about: request.params });
      return answer;
    },
  );

  app.get(
    '/suites/:suite/revisions/:revision/compare',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Say what changes from another revision to this one',
        description: 'It is recorded as a reading of both.',
        params: revisionParams,
        querystring: z.strictObject({ with: numberSchema.describe('The other revision.') }),
        response: withProblems({ 200: comparisonSchema }),
      },
    },
    async (request) => {
      const actor = readerOf(request);
      requireSuite(actor, request.params.suite);
      return compareRevisions(authoring, { ...request.params, with: request.query.with }, actor.tokenId);
    },
  );

  app.post(
    '/suites/:suite/revisions/:revision/restore',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Make a new revision with the contents of an earlier one',
        description: `Nothing is overwritten. ${draftNote}`,
        params: revisionParams,
        querystring: activating,
        response: withProblems({ 201: activatedRevisionSchema }),
      },
    },
    async (request, reply) => {
      const actor = readerOf(request);
      requireSuite(actor, request.params.suite);
      const name = await restoreRevision(authoring, request.params, actor);
      return reply.code(201).send(await answerMade(name, actor, request.query.activate === 'true'));
    },
  );

  app.post(
    '/suites/:suite/retirements',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Make a new revision without some cases, and record that they were retired',
        description: draftNote,
        params: suiteParams,
        querystring: activating,
        body: retirementRequestSchema,
        response: withProblems({ 201: activatedRevisionSchema }),
      },
    },
    async (request, reply) => {
      const actor = readerOf(request);
      requireSuite(actor, request.params.suite);
      const name = await retireCases(authoring, request.params.suite, request.body, actor);
      return reply.code(201).send(await answerMade(name, actor, request.query.activate === 'true'));
    },
  );

  app.post(
    '/suites/:suite/publications',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Publish cases to the visible tests: those that are retired, expired or spent',
        description:
          'They are answered as they were authored. From then on they can never be holdback again, and are no leak where they turn up, in whichever suite; so a token that is limited to some suites may not.',
        params: suiteParams,
        body: publicationRequestSchema,
        response: withProblems({ 201: publicationSchema }),
      },
    },
    async (request, reply) => {
      const actor = readerOf(request);
      const { suite } = request.params;
      requireSuite(actor, suite);
      // Other suites may ask the same: whether it is refused for that would tell, and if it were not, their case would be public.
      requireEverySuite(actor, 'a publication');
      const cases = await publishCases(publishing, suite, request.body.cases, actor);
      return reply.code(201).send({ suite, cases });
    },
  );

  app.get(
    '/suites/:suite/cases',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: "A suite's cases: whose they are, until when, and what they have told",
        description: 'Of the active revision unless another is named. It is recorded as a reading of it.',
        params: suiteParams,
        querystring: z.strictObject({ revision: numberSchema.optional() }),
        response: withProblems({ 200: suiteCasesSchema }),
      },
    },
    async (request) => {
      const actor = readerOf(request);
      const { suite } = request.params;
      requireSuite(actor, suite);
      const revision = request.query.revision ?? (await activeOf(authoring, suite));
      return lookAtCases(publishing, { suite, revision }, actor.tokenId);
    },
  );
};
