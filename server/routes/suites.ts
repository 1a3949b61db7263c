/** `/suites`: authors push revisions and activate them. The contents are for authors alone. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { activate } from '../../gate/activation/activation.ts';
import type { ActivationParts } from '../../gate/activation/condition.ts';
import { preflightSchema } from '../../gate/activation/preflight-report.ts';
import { roundsMax } from '../../gate/activation/preflight-rounds.ts';
import { isWithinLimits } from '../../gate/limits.ts';
import { checkSuite } from '../../suites/authoring/check-suite.ts';
import {
  type Authoring,
  describeRevision,
  makeRevision,
  openForAuthor,
} from '../../suites/authoring/make-revision.ts';
import { type Pushed, pushSealed, pushSealedBlindly } from '../../suites/authoring/push-sealed.ts';
import suiteFileSchema from '../../suites/authoring/suite.schema.json' with { type: 'json' };
import { suiteCheckSchema } from '../../suites/authoring/suite-check.ts';
import { findSuite, listSuites } from '../../suites/revisions.ts';
import {
  activatedRevisionSchema,
  openedRevisionSchema,
  receivedRevisionSchema,
  type SuiteSource,
  slugSchema,
  suiteSchema,
  suiteSourceSchema,
  suiteValuesMax,
} from '../../suites/suite.ts';
import { readerOf, requireSuite } from '../access.ts';
import { RequestError } from '../problems.ts';
import { withProblems } from '../responses.ts';

/** A suite may be this large, in bytes of JSON. */
const suiteBytesMax = 64 << 20;

/** PostgreSQL's largest integer. */
const revisionMax = 2_147_483_647;

const suiteParams = z.strictObject({ suite: slugSchema });
export const revisionParams = suiteParams.extend({
  revision: z.coerce.number().int().min(1).max(revisionMax),
});

export const suiteRoutes: FastifyPluginAsyncZod<{
  authoring: Authoring;
  activation: ActivationParts;
}> = async (app, { authoring, activation }) => {
  const { database } = authoring;
  const pushedSchema = z.union([activatedRevisionSchema, receivedRevisionSchema]);

  app.post(
    '/suites/:suite/revisions',
    {
      bodyLimit: suiteBytesMax,
      config: { roles: ['author', 'ci'], jsonValuesMax: suiteValuesMax },
      schema: {
        tags: ['suites'],
        summary: 'Seal a new revision of a suite, or take in one that its author sealed',
        description:
          'Who has the role `ci` may push what is sealed already, as a draft, and is answered nothing of what is in it. The very same sealed suite pushed again is the same revision, answered with 200. With `activate` the draft is made first: if something speaks against activating it, the problem `activation_refused` names it and says what.',
        params: suiteParams,
        querystring: z.strictObject({ activate: z.enum(['true', 'false']).default('false') }),
        body: suiteSourceSchema,
        response: withProblems({ 200: pushedSchema, 201: pushedSchema }),
      },
    },
    async (request, reply) => {
      const { suite } = request.params;
      const reader = readerOf(request);
      requireSuite(reader, suite);
      const { role, tokenId: by } = reader;
      const isToBeActive = request.query.activate === 'true';
      const isAuthor = role === 'author' || role === 'admin';
      const pushed = isAuthor
        ? await push(authoring, suite, request.body, by)
        : await pushSealedBlindly(authoring, suite, requireDraft(request.body, isToBeActive), by);
      const notes = isToBeActive ? await activate(activation, pushed.name, { by, isPush: true }) : [];
      reply.code(pushed.isNew ? 201 : 200);
      reply.header('location', `/suites/${suite}/revisions/${pushed.name.revision}`);
      const described = await describeRevision(database, pushed.name);
      return isAuthor
        ? activatedRevisionSchema.parse({ ...described, ...notesOf(notes) })
        : receivedRevisionSchema.strip().parse(described);
    },
  );

  // What editors complete a suite's file by: it is in the package as well, and tells nothing of any suite.
  app.get('/schemas/suite.json', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('application/schema+json').send(JSON.stringify(suiteFileSchema)),
  );

  app.post(
    '/suites/:suite/check',
    {
      bodyLimit: suiteBytesMax,
      config: { roles: ['author'], jsonValuesMax: suiteValuesMax },
      schema: {
        tags: ['suites'],
        summary: 'Check a suite as a push would, and say what the push would change; nothing is stored',
        description:
          'Everything that is wrong is answered at once. With `changes` its cases are compared with those of the active revision, which is recorded as a reading of it.',
        params: suiteParams,
        querystring: z.strictObject({ changes: z.enum(['true', 'false']).default('true') }),
        body: suiteSourceSchema,
        response: withProblems({ 200: suiteCheckSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireSuite(reader, request.params.suite);
      const options = { compare: request.query.changes === 'true', by: reader.tokenId };
      return checkSuite(authoring, request.params.suite, request.body, options);
    },
  );

  app.post(
    '/suites/:suite/revisions/:revision/activate',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Make a revision the active one',
        description:
          'If something speaks against it, the problem `activation_refused` says all that does, and the revision stays as it is.',
        params: revisionParams,
        response: withProblems({ 200: activatedRevisionSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireSuite(reader, request.params.suite);
      const notes = await activate(activation, request.params, { by: reader.tokenId, isPush: false });
      const described = await describeRevision(database, request.params);
      return activatedRevisionSchema.parse({ ...described, ...notesOf(notes) });
    },
  );

  app.post(
    '/suites/:suite/revisions/:revision/preflight',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Run the builds that a revision holds, and say whether they behave; nothing is activated',
        description:
          'Builds that are right must pass every case in every round, builds that are wrong must be blocked in every round, and no case may go both ways. An activation does this by itself; what passed here needs not be run again.',
        params: revisionParams,
        querystring: z.strictObject({
          rounds: z.coerce
            .number()
            .int()
            .min(1)
            .max(roundsMax)
            .optional()
            .describe('How often each is run, in other orders and with other chance.'),
        }),
        response: withProblems({ 200: preflightSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireSuite(reader, request.params.suite);
      return activation.preflights.run(request.params, reader.tokenId, request.query.rounds);
    },
  );

  app.get(
    '/suites',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['suites'],
        summary: 'List the suites',
        response: withProblems({ 200: z.strictObject({ suites: z.array(suiteSchema) }) }),
      },
    },
    async (request) => {
      const { suites } = readerOf(request);
      const all = await listSuites(database);
      return { suites: all.filter(({ suite }) => isWithinLimits(suites, suite)) };
    },
  );

  app.get(
    '/suites/:suite',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['suites'],
        summary: 'Read a suite and its revisions',
        params: suiteParams,
        response: withProblems({ 200: suiteSchema }),
      },
    },
    async (request) => {
      requireSuite(readerOf(request), request.params.suite);
      return findSuite(database, request.params.suite);
    },
  );

  app.get(
    '/suites/:suite/revisions/:revision',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['suites'],
        summary: 'Read a revision; its cases, for authors alone',
        params: revisionParams,
        response: withProblems({ 200: openedRevisionSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireSuite(reader, request.params.suite);
      if (reader.role === 'lead') return describeRevision(database, request.params);
      return openForAuthor(authoring, request.params, reader.tokenId);
    },
  );
};

/** What its author should know, where there is anything. */
function notesOf(notes: string[]): { notes?: string[] } {
  return notes.length === 0 ? {} : { notes };
}

/** What an author pushes, in whichever of its forms. */
async function push(authoring: Authoring, suite: string, source: SuiteSource, by: string): Promise<Pushed> {
  if (source.sealed !== undefined) return pushSealed(authoring, suite, source.sealed, by);
  return { name: await makeRevision(authoring, suite, source, { by }), isNew: true };
}

/** What those push who may not know what is in it. Throws `role_forbidden` for anything but a sealed draft. */
function requireDraft({ sealed }: SuiteSource, activate: boolean): string {
  if (sealed !== undefined && !activate) return sealed;
  throw new RequestError(
    'role_forbidden',
    'ci may push a sealed suite as a draft, and no more: seal it with `holdback suite seal`; an author activates it',
  );
}
