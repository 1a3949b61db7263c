/** `/changes` and `/scores/{id}/cases`: history, for the people who read it. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { listAttempts } from '../../gate/changes.ts';
import { blockReasons } from '../../gate/decide.ts';
import { disclosedCasesSchema, disclosedScoreSchema } from '../../gate/disclosure/disclosed.ts';
import {
  type Disclosing,
  discloseAttempts,
  discloseCases,
  hearsInSlots,
} from '../../gate/disclosure/disclosure.ts';
import { changeSchema } from '../../gate/gate.ts';
import { findScore } from '../../gate/history.ts';
import { findGate } from '../../gate/policies.ts';
import type { OpenedSuites } from '../../suites/opened-suites.ts';
import { slugSchema } from '../../suites/suite.ts';
import { readerOf, requireGate, requireScore, requireSuite } from '../access.ts';
import { instantSchema } from '../instant.ts';
import { pageOf } from '../page-of.ts';
import { withProblems } from '../responses.ts';
import type { Reader } from '../tokens.ts';

const tags = ['scores'];
const config = { roles: ['author', 'lead'] as const };

const page = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.coerce.number().int().positive().optional().describe("An earlier answer's `next`."),
};
const nextSchema = z.int().nullable().describe('The cursor of older scores, or null.');

/** What is looked for among attempts, as it is asked for over HTTP. */
export const attemptsQuerySchema = z.strictObject({
  gate: slugSchema.optional(),
  repository: changeSchema.shape.repository,
  author: changeSchema.shape.author,
  agent: changeSchema.shape.agent,
  model: changeSchema.shape.model,
  verdict: z
    .enum(['merge', 'block'])
    .optional()
    .describe('As it was decided, whatever people made of it since.'),
  reason: z.enum(['green', ...blockReasons]).optional(),
  from: instantSchema.optional().describe('Requested from this instant on.'),
  to: instantSchema.optional().describe('Requested before this instant.'),
  ...page,
});

export type ChangeRoutesOptions = { disclosing: Disclosing; suites: OpenedSuites };

export const changeRoutes: FastifyPluginAsyncZod<ChangeRoutesOptions> = async (app, options) => {
  const { disclosing, suites } = options;
  const { database } = disclosing;

  app.get(
    '/changes',
    {
      config,
      schema: {
        tags,
        summary: 'Attempts of all changes, newest first',
        description:
          'Of each attempt who made the change, when it was requested, and what became of it. What failed, and what a green proves, the score itself tells.',
        querystring: attemptsQuerySchema,
        response: withProblems({
          200: z.strictObject({ scores: z.array(disclosedScoreSchema), next: nextSchema }),
        }),
      },
    },
    async (request) => findAttempts(disclosing, readerOf(request), request.query),
  );

  app.get(
    '/changes/:change',
    {
      config,
      schema: {
        tags,
        summary: 'The scored history of a change, newest first',
        description: 'What failed, and what a green proves, each score itself tells.',
        params: z.strictObject({ change: changeSchema.shape.id }),
        querystring: z.strictObject({
          gate: slugSchema,
          repository: changeSchema.shape.repository.describe('Changes of one id in several are several.'),
          ...page,
        }),
        response: withProblems({
          200: z.strictObject({
            gate: slugSchema,
            change: z.string(),
            scores: z.array(disclosedScoreSchema),
            next: nextSchema,
          }),
        }),
      },
    },
    async (request) => {
      const { change } = request.params;
      const found = await findAttempts(disclosing, readerOf(request), { ...request.query, change });
      return { gate: request.query.gate, change, ...found };
    },
  );

  app.get(
    '/scores/:id/cases',
    {
      config,
      schema: {
        tags,
        summary: 'How each case of a score ended, and how long it took',
        description:
          'By position; their names are for authors, within the suites of the token. Results of old scores may have been dropped, as the service is set: then the answer is 410.',
        params: z.strictObject({ id: z.uuid() }),
        querystring: z.strictObject({
          suite: slugSchema.optional(),
          limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
          cursor: z.coerce.number().int().min(0).max(10_000_000).default(0),
        }),
        response: withProblems({ 200: disclosedCasesSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      const { suite, limit, cursor: after } = request.query;
      const score = await findScore(database, request.params.id);
      requireScore(reader, score);
      if (suite !== undefined) requireSuite(reader, suite);
      return discloseCases({ ...disclosing, suites }, score, reader, { suite, after, limit });
    },
  );
};

/**
 * A page of attempts as the reader may see them: at the gates of the token, and with no question answered that would tell of a verdict
 * before its time. Throws `gate_forbidden` and `gate_not_found`.
 */
export async function findAttempts(
  disclosing: Disclosing,
  reader: Reader,
  asked: z.infer<typeof attemptsQuerySchema> & { change?: string },
) {
  const { database, slotMs } = disclosing;
  const { cursor, limit, from, to, ...filters } = asked;
  if (filters.gate !== undefined) {
    requireGate(reader, filters.gate);
    await findGate(database, filters.gate);
  }
  const attempts = await listAttempts(database, {
    ...filters,
    from: from === undefined ? undefined : new Date(from),
    to: to === undefined ? undefined : new Date(to),
    gates: reader.gates,
    slotMs: hearsInSlots(reader) ? slotMs : undefined,
    before: cursor,
    limit: limit + 1,
  });
  const { page: shown, next } = pageOf(attempts, limit);
  return { scores: await discloseAttempts(disclosing, shown, reader), next };
}
