/** `/suites/…/strength`: how many mutants of a good build a revision kills. For authors alone: a report tells of cases and builds. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Measurements } from '../../gate/strength/measurements.ts';
import { measurementSchema, strengthRequestSchema, strengthSchema } from '../../gate/strength/strength.ts';
import { listStrengths } from '../../gate/strength/strengths.ts';
import type { Database } from '../../migrations/open-database.ts';
import { findSealed } from '../../suites/revisions.ts';
import { readerOf, requireSuite } from '../access.ts';
import { withProblems } from '../responses.ts';
import { revisionParams } from './suites.ts';

/** A build and what JSON makes of it, in bytes. */
const requestBytesMax = 16 << 20;

export type StrengthRoutesOptions = { database: Database; measurements: Measurements };

export const strengthRoutes: FastifyPluginAsyncZod<StrengthRoutesOptions> = async (
  app,
  { database, measurements },
) => {
  app.post(
    '/suites/:suite/revisions/:revision/strength',
    {
      bodyLimit: requestBytesMax,
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Begin to measure how many mutants of a good build a revision kills',
        description:
          'One measurement runs at a time, on what scores leave of the machine. It is recorded in the audit as a reading of the revision.',
        params: revisionParams,
        body: strengthRequestSchema,
        response: withProblems({ 202: measurementSchema }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const { suite, revision } = request.params;
      requireSuite(reader, suite);
      const measurement = await measurements.begin(request.params, request.body, reader.tokenId);
      reply.code(202).header('location', `/suites/${suite}/revisions/${revision}/strength/${measurement.id}`);
      return measurement;
    },
  );

  app.get(
    '/suites/:suite/revisions/:revision/strength',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'List the measured strengths of a revision, newest first',
        params: revisionParams,
        response: withProblems({ 200: z.strictObject({ strengths: z.array(strengthSchema) }) }),
      },
    },
    async (request) => {
      requireSuite(readerOf(request), request.params.suite);
      await findSealed(database, request.params);
      return { strengths: await listStrengths(database, request.params) };
    },
  );

  app.get(
    '/suites/:suite/revisions/:revision/strength/:measurement',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Read a measurement: how far it is, and then its report',
        params: revisionParams.extend({ measurement: z.uuid() }),
        response: withProblems({ 200: measurementSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      const { measurement, ...name } = request.params;
      requireSuite(reader, name.suite);
      return measurements.find(name, measurement, reader.tokenId);
    },
  );
};
