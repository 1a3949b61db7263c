/** `/ui/trends`: how attempts come out over time, as pictures and as files. It asks what `/trends` asks, and shows what that answers. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isWithinLimits } from '../../../gate/limits.ts';
import { findSuitesEver, listGates } from '../../../gate/policies.ts';
import { findCaseTrends } from '../../../gate/trends/case-trends.ts';
import type { CaseTrends } from '../../../gate/trends/trend.ts';
import { csvOfTrend } from '../../../gate/trends/trend-csv.ts';
import { findTrend } from '../../../gate/trends/trends.ts';
import type { Database } from '../../../migrations/open-database.ts';
import { findActive, listSuites } from '../../../suites/revisions.ts';
import { readerOf } from '../../access.ts';
import type { AppParts } from '../../app.ts';
import { RequestError } from '../../problems.ts';
import type { Reader } from '../../tokens.ts';
import { requireTrend, trendReaderOf } from '../../trend-access.ts';
import { showPage } from '../show-page.ts';
import { noTrendsPage, trendsPage, trendsTitle } from '../trends-page.ts';
import {
  groupOf,
  questionOf,
  type Subject,
  type TrendsView,
  trendsQuerySchema,
  viewOf,
} from '../trends-view.ts';

export const trendPageRoutes: FastifyPluginAsyncZod<{ parts: AppParts }> = async (app, { parts }) => {
  const { database } = parts.authoring;
  const { suites, slotMs } = parts;

  app.get(
    '/trends',
    { config: { roles: ['author', 'lead'] }, schema: { querystring: trendsQuerySchema } },
    async (request, reply) => {
      const reader = readerOf(request);
      const subjects = await subjectsOf(database, reader);
      const view = viewOf(request.query, subjects);
      if (view === undefined) {
        return showPage(request, reply, { title: 'Trends', here: 'trends' }, noTrendsPage());
      }
      const now = new Date();
      const question = questionOf(view, now);
      await requireTrend(database, reader, question);
      const trendReader = trendReaderOf(reader, slotMs);
      const [total, split, cases] = await Promise.all([
        findTrend(database, question, trendReader, now),
        findTrend(database, { ...question, by: groupOf(view) }, trendReader, now),
        casesOf(view, reader, now),
      ]);
      const head = { title: trendsTitle(view), here: 'trends', scripts: ['trends'] } as const;
      return showPage(request, reply, head, trendsPage({ view, subjects, total, split, cases }));
    },
  );

  app.get(
    '/trends/export',
    {
      config: { roles: ['author', 'lead'] },
      schema: { querystring: trendsQuerySchema.extend({ format: z.enum(['csv', 'json']) }) },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const { format, ...query } = request.query;
      const view = viewOf(query, []);
      if (view === undefined) throw new RequestError('invalid_request', 'name a gate or a suite');
      const now = new Date();
      const question = { ...questionOf(view, now), by: view.by };
      await requireTrend(database, reader, question);
      const trend = await findTrend(database, question, trendReaderOf(reader, slotMs), now);
      reply.header('content-disposition', `attachment; filename="trend-${view.subject.name}.${format}"`);
      if (format === 'csv')
        return reply.type('text/csv; charset=utf-8; header=present').send(csvOfTrend(trend));
      return reply.type('application/json; charset=utf-8').send(JSON.stringify(trend, undefined, 2));
    },
  );

  /** What the cases of a suite did; null where there are none to tell of. */
  async function casesOf(view: TrendsView, reader: Reader, now: Date): Promise<CaseTrends | null> {
    const { kind, name: suite } = view.subject;
    if (kind === 'gate' || (await findActive(database, [suite])).length === 0) return null;
    const { tokenId, role } = reader;
    const { from, to } = questionOf(view, now);
    const names = role === 'lead' ? undefined : { tokenId };
    return findCaseTrends(
      { database, open: (name) => suites.open(name) },
      { suite, from, to },
      { names, ...trendReaderOf(reader, slotMs) },
      now,
    );
  }
};

/** The gates and suites whose trends a reader may look at: of a gate, who reaches every suite that it has ever had. */
async function subjectsOf(database: Database, reader: Reader): Promise<Subject[]> {
  const reaches = (suite: string) => isWithinLimits(reader.suites, suite);
  const [gates, suites] = await Promise.all([listGates(database), listSuites(database)]);
  const theirs = await Promise.all(
    gates
      .filter(({ gate }) => isWithinLimits(reader.gates, gate))
      .map(async ({ gate }) => ({
        gate,
        isReached: reader.suites === null || (await findSuitesEver(database, gate)).every(reaches),
      })),
  );
  return [
    ...theirs.flatMap(({ gate, isReached }) => (isReached ? [{ kind: 'gate' as const, name: gate }] : [])),
    ...suites
      .filter(({ suite }) => reaches(suite))
      .map(({ suite }) => ({ kind: 'suite' as const, name: suite })),
  ];
}
