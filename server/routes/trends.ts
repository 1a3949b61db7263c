/** `/trends`: how attempts come out over time, for those who lead and those who write cases. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { findCaseTrends } from '../../gate/trends/case-trends.ts';
import {
  caseTrendsQuestionSchema,
  caseTrendsSchema,
  trendQuestionSchema,
  trendSchema,
} from '../../gate/trends/trend.ts';
import { csvOfTrend } from '../../gate/trends/trend-csv.ts';
import { findTrend } from '../../gate/trends/trends.ts';
import type { Database } from '../../migrations/open-database.ts';
import type { OpenedSuites } from '../../suites/opened-suites.ts';
import { readerOf } from '../access.ts';
import { withProblems } from '../responses.ts';
import { requireTrend, trendReaderOf } from '../trend-access.ts';

export type TrendRoutesOptions = { database: Database; suites: OpenedSuites; slotMs: number };

export const trendRoutes: FastifyPluginAsyncZod<TrendRoutesOptions> = async (app, options) => {
  const { database, suites, slotMs } = options;

  app.get(
    '/trends',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['trends'],
        summary: 'How the attempts at a gate, or at a suite, come out over time',
        description:
          'As JSON, or as CSV with `format=csv` or `Accept: text/csv`. Rates come with 95 % intervals. Limited tokens hear of attempts at their gates alone; those that are limited to suites of verdicts whose slot has ended, and of a gate only if all suites that it has had are theirs.',
        querystring: trendQuestionSchema.extend({
          format: z.enum(['json', 'csv']).optional().describe('As `Accept` says unless said here.'),
        }),
        response: withProblems({
          200: {
            content: {
              'application/json': { schema: trendSchema },
              'text/csv': { schema: z.string() },
            },
          },
        }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const { format, ...question } = request.query;
      await requireTrend(database, reader, question);
      const trend = await findTrend(database, question, trendReaderOf(reader, slotMs), new Date());
      const wantsCsv = format === undefined ? asksForCsv(request.headers.accept) : format === 'csv';
      reply.header('vary', 'accept');
      if (!wantsCsv) return reply.send(trend);
      return reply
        .type('text/csv; charset=utf-8; header=present')
        .header('content-disposition', `attachment; filename="trend-${trend.gate ?? trend.suite}.csv"`)
        .send(csvOfTrend(trend));
    },
  );

  app.get(
    '/trends/cases',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['trends'],
        summary: "A suite's flaky cases, and those that never fail",
        description:
          'Of the active revision, at whichever gates of the token they ran. Authors are told the names, which is recorded as a reading of the revision.',
        querystring: caseTrendsQuestionSchema,
        response: withProblems({ 200: caseTrendsSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      await requireTrend(database, reader, { suite: request.query.suite });
      const { role, tokenId } = reader;
      const names = role === 'author' || role === 'admin' ? { tokenId } : undefined;
      return findCaseTrends(
        { database, open: (name) => suites.open(name) },
        request.query,
        { names, ...trendReaderOf(reader, slotMs) },
        new Date(),
      );
    },
  );
};

/** Whether CSV is asked for, and is not the less wanted of the two. */
function asksForCsv(accept = ''): boolean {
  const weights = new Map(
    accept.split(',').map((part) => {
      const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
      const [, weight = '1'] =
        parameters.map((each) => /^q=([\d.]+)$/.exec(each)).find((found) => found) ?? [];
      return [type, Number(weight)];
    }),
  );
  const csv = weights.get('text/csv') ?? 0;
  return csv > 0 && csv >= (weights.get('application/json') ?? 0);
}
