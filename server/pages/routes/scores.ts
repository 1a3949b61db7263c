/** `/ui/scores`: a score, and what is told while it is made. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  disclose,
  discloseCases,
  hearsInSlots,
  type ScoreReader,
} from '../../../gate/disclosure/disclosure.ts';
import { GateError } from '../../../gate/errors.ts';
import { findScore, type ScoreRecord } from '../../../gate/history.ts';
import { isWithinLimits } from '../../../gate/limits.ts';
import { findGate } from '../../../gate/policies.ts';
import { readerOf, requireGate, requireScore } from '../../access.ts';
import type { AppParts } from '../../app.ts';
import { eventStream } from '../../score-events.ts';
import { findTokenNames } from '../../tokens.ts';
import { failuresPerPage } from '../failure-list.ts';
import { runningScorePage } from '../running-score-page.ts';
import { type CasesShown, casesPerPage } from '../score-cases.ts';
import { finishedScorePage } from '../score-page.ts';
import { showPage } from '../show-page.ts';
import { approversOf } from './changes.ts';

const params = z.strictObject({ id: z.uuid() });

export const scorePages: FastifyPluginAsyncZod<{ parts: AppParts }> = async (app, { parts }) => {
  const { database, seals } = parts.authoring;
  const disclosing = { database, seals, slotMs: parts.slotMs };

  app.get(
    '/scores/:id',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        params,
        querystring: z.strictObject({
          failures: z.coerce.number().int().positive().default(1),
          cases: z.coerce.number().int().nonnegative().default(0),
        }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const record = await findScore(database, request.params.id);
      requireGate(reader, record.gate);
      const score = await disclose(disclosing, record, reader);
      const isAtOnce = !hearsInSlots(reader);
      if (score.state === 'running') {
        const head = { title: `Score of ${record.change.id}`, scripts: ['score'] as const };
        return showPage(request, reply, head, runningScorePage(score, isAtOnce));
      }
      const { failures, cases: from } = request.query;
      const { suites: ofGate } = await findGate(database, record.gate);
      const mayOverride =
        reader.role !== 'author' && ofGate.every((suite) => isWithinLimits(reader.suites, suite));
      return showPage(
        request,
        reply,
        { title: `${score.verdict} · ${record.change.id}` },
        finishedScorePage({
          score,
          cases: await casesOf(record, reader, from),
          failuresFrom: failures - 1 - ((failures - 1) % failuresPerPage),
          mayOverride,
          names: await findTokenNames(database, approversOf(score)),
        }),
      );
    },
  );

  /** Of old scores they need not be kept. */
  async function casesOf(score: ScoreRecord, reader: ScoreReader, from: number): Promise<CasesShown> {
    const page = { suite: undefined, after: from, limit: casesPerPage };
    try {
      const suites = parts.suites;
      return { ...(await discloseCases({ ...disclosing, suites }, score, reader, page)), from };
    } catch (error) {
      if (error instanceof GateError && error.code === 'results_not_kept') return undefined;
      throw error;
    }
  }

  app.get(
    '/scores/:id/events',
    { config: { roles: ['author', 'lead'] }, schema: { params } },
    async (request, reply) => {
      const reader = readerOf(request);
      const score = await findScore(database, request.params.id);
      requireScore(reader, score);
      return reply.type(eventStream).send(parts.scoreEvents.open(score, reader));
    },
  );
};
