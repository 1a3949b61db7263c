/** `/suites`: authors push revisions and activate them. The contents are for authors alone. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Authoring, describeRevision, makeRevision, openForAuthor } from '../../suites/authoring.ts';
import { activateRevision, findSuite, listSuites } from '../../suites/revisions.ts';
import {
  openedRevisionSchema,
  revisionSchema,
  slugSchema,
  suiteSchema,
  suiteSourceSchema,
} from '../../suites/suite.ts';
import { readerOf, requireSuite } from '../access.ts';
import { withProblems } from '../responses.ts';

/** A suite may be this large, in bytes of JSON. */
const suiteBytesMax = 64 << 20;

/** PostgreSQL's largest integer. */
const revisionMax = 2_147_483_647;

export const suiteRoutes: FastifyPluginAsyncZod<{ authoring: Authoring }> = async (app, { authoring }) => {
  const { database, seals } = authoring;
  const suiteParams = z.strictObject({ suite: slugSchema });
  const revisionParams = suiteParams.extend({ revision: z.coerce.number().int().min(1).max(revisionMax) });

  app.post(
    '/suites/:suite/revisions',
    {
      bodyLimit: suiteBytesMax,
      config: { roles: ['author'], jsonValuesMax: 10_000_000 },
      schema: {
        tags: ['suites'],
        summary: 'Seal a new revision of a suite',
        params: suiteParams,
        querystring: z.strictObject({ activate: z.enum(['true', 'false']).default('false') }),
        body: suiteSourceSchema,
        response: withProblems({ 201: revisionSchema }),
      },
    },
    async (request, reply) => {
      const { suite } = request.params;
      const reader = readerOf(request);
      requireSuite(reader, suite);
      const made = await makeRevision(authoring, suite, request.body, {
        activate: request.query.activate === 'true',
        by: reader.tokenId,
      });
      reply.code(201).header('location', `/suites/${suite}/revisions/${made.revision}`);
      return revisionSchema.parse(await describeRevision(database, made));
    },
  );

  app.post(
    '/suites/:suite/revisions/:revision/activate',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Make a revision the active one',
        params: revisionParams,
        response: withProblems({ 200: revisionSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireSuite(reader, request.params.suite);
      await activateRevision(database, request.params, reader.tokenId);
      return revisionSchema.parse(await describeRevision(database, request.params));
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
      return { suites: all.filter(({ suite }) => suites === null || suites.includes(suite)) };
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
      return openForAuthor(database, seals, request.params, reader.tokenId);
    },
  );
};
