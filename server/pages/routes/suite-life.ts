/** Forms of suites: a revision is activated, reviewed, copied, tried and measured, and cases are retired. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ActivationRefused, activate } from '../../../gate/activation/activation.ts';
import { GateError } from '../../../gate/errors.ts';
import { strengthRequestSchema } from '../../../gate/strength/strength.ts';
import { SuiteError } from '../../../suites/errors.ts';
import { restoreRevision, retireCases } from '../../../suites/life/change-revisions.ts';
import { retirementRequestSchema, reviewRequestSchema } from '../../../suites/life/life.ts';
import { reviewRevision } from '../../../suites/life/reviews.ts';
import { findActive, type RevisionName } from '../../../suites/revisions.ts';
import { slugSchema } from '../../../suites/suite.ts';
import { readerOf, requireSuite } from '../../access.ts';
import type { AppParts } from '../../app.ts';
import { problemOf } from '../../problems.ts';
import { revisionParams } from '../../routes/suites.ts';
import { type RevisionAnswer, showRevision } from './revision-view.ts';

/** Nothing of it, where a field of a form was left empty. */
const optionalText = z
  .string()
  .transform((text) => (text.trim() === '' ? undefined : text))
  .optional();

const revisionNumber = revisionParams.shape.revision;
/** A form's field that may be given several times. */
const positions = z
  .union([z.string(), z.array(z.string()).max(1_000)])
  .transform((given) => [given].flat().map(Number))
  .pipe(z.array(z.int().nonnegative()).min(1));

export const suiteLifePages: FastifyPluginAsyncZod<{ parts: AppParts }> = async (app, { parts }) => {
  const { authoring, suites, preflights, measurements } = parts;
  const { database } = authoring;
  const activation = { database, suites, preflights };
  const config = { roles: ['author'] as const };

  /** Answers with the page of the revision, and there in words why something was refused. */
  async function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply, name: RevisionName) {
    const isRefusal = error instanceof GateError || error instanceof SuiteError;
    const { status, detail = '' } = problemOf(error, request);
    if (!isRefusal || status === 404 || status >= 500) throw error;
    const answer: RevisionAnswer =
      error instanceof ActivationRefused ? { refusals: error.refusals } : { refused: detail };
    return showRevision(parts, request, reply.code(status), name, answer);
  }

  /** To what changes from the active revision to a new one; to that itself where there is none. */
  async function toComparison(reply: FastifyReply, { suite, revision }: RevisionName) {
    const [active] = await findActive(database, [suite]);
    const path =
      active === undefined
        ? `revisions/${revision}`
        : `compare?${new URLSearchParams({ from: `${active.revision}`, to: `${revision}` })}`;
    return reply.redirect(`/ui/suites/${suite}/${path}`, 303);
  }

  const ofRevision = { params: revisionParams, body: z.strictObject({}) };

  app.post(
    '/suites/:suite/revisions/:revision/activate',
    { config, schema: ofRevision },
    async (request, reply) => {
      const reader = readerOf(request);
      const name = request.params;
      requireSuite(reader, name.suite);
      try {
        await activate(activation, name, { by: reader.tokenId, isPush: false });
        return reply.redirect(`/ui/suites/${name.suite}`, 303);
      } catch (error) {
        return refuse(error, request, reply, name);
      }
    },
  );

  app.post(
    '/suites/:suite/revisions/:revision/restore',
    { config, schema: ofRevision },
    async (request, reply) => {
      const reader = readerOf(request);
      requireSuite(reader, request.params.suite);
      return toComparison(reply, await restoreRevision(authoring, request.params, reader));
    },
  );

  app.post(
    '/suites/:suite/revisions/:revision/preflight',
    { config, schema: ofRevision },
    async (request, reply) => {
      const reader = readerOf(request);
      const name = request.params;
      requireSuite(reader, name.suite);
      const preflight = await preflights.run(name, reader.tokenId);
      return showRevision(parts, request, reply, name, { preflight });
    },
  );

  app.post(
    '/suites/:suite/revisions/:revision/strength',
    { config, schema: ofRevision },
    async (request, reply) => {
      const reader = readerOf(request);
      const { suite, revision } = request.params;
      requireSuite(reader, suite);
      try {
        const asked = strengthRequestSchema.parse({});
        const { id } = await measurements.begin(request.params, asked, reader.tokenId);
        return reply.redirect(`/ui/suites/${suite}/revisions/${revision}?measurement=${id}`, 303);
      } catch (error) {
        return refuse(error, request, reply, request.params);
      }
    },
  );

  app.post(
    '/suites/:suite/revisions/:revision/reviews',
    {
      config,
      schema: {
        params: revisionParams,
        body: z.strictObject({ verdict: reviewRequestSchema.shape.verdict, comment: optionalText }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const name = request.params;
      requireSuite(reader, name.suite);
      const { verdict, comment } = reviewRequestSchema.parse(request.body);
      try {
        await reviewRevision(authoring, name, { isApproval: verdict === 'approve', comment }, reader);
        return reply.redirect(`/ui/suites/${name.suite}/revisions/${name.revision}`, 303);
      } catch (error) {
        return refuse(error, request, reply, name);
      }
    },
  );

  app.post(
    '/suites/:suite/retirements',
    {
      config,
      schema: {
        params: z.strictObject({ suite: slugSchema }),
        body: z.strictObject({
          revision: revisionNumber,
          newest: revisionNumber,
          case: positions.optional(),
          reason: optionalText,
        }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const { suite } = request.params;
      requireSuite(reader, suite);
      const { revision, newest, case: chosen = [], reason } = request.body;
      const name = { suite, revision };
      if (chosen.length === 0) {
        return showRevision(parts, request, reply.code(422), name, {
          refused: 'select the cases to retire first',
        });
      }
      const { cases } = await suites.open(name);
      const names = chosen.flatMap((position) => cases[position]?.name ?? []);
      try {
        const asked = retirementRequestSchema.parse({ cases: names, reason, from: revision, newest });
        return await toComparison(reply, await retireCases(authoring, suite, asked, reader));
      } catch (error) {
        return refuse(error, request, reply, name);
      }
    },
  );
};
