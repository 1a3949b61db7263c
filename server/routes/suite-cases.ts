/** `/suites/…/cases`: one case at a time, as its author writes it: checked, tried on builds, and put into a revision. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { activate } from '../../gate/activation/activation.ts';
import type { ActivationParts } from '../../gate/activation/condition.ts';
import { dryBuildCharsMax, dryRunRequestSchema, dryRunSchema } from '../../gate/scoring/dry-run.ts';
import type { Submissions } from '../../gate/submit.ts';
import type { CaseChecks } from '../../suites/authoring/case-checks.ts';
import { caseAmongSchema, caseFindingsSchema } from '../../suites/authoring/case-text.ts';
import { type Authoring, describeRevision } from '../../suites/authoring/make-revision.ts';
import { editCase } from '../../suites/life/change-revisions.ts';
import { caseEditSchema } from '../../suites/life/life.ts';
import { activatedRevisionSchema, slugSchema } from '../../suites/suite.ts';
import { readerOf, requireSuite } from '../access.ts';
import { withProblems } from '../responses.ts';

/** A build and a case, and what JSON makes of them, in bytes. */
const dryRunBytesMax = dryBuildCharsMax * 4;

export type SuiteCasesOptions = {
  authoring: Authoring;
  activation: ActivationParts;
  submissions: Submissions;
  caseChecks: CaseChecks;
};

export const suiteCaseRoutes: FastifyPluginAsyncZod<SuiteCasesOptions> = async (app, options) => {
  const { authoring, activation, submissions, caseChecks } = options;
  const suiteParams = z.strictObject({ suite: slugSchema });

  app.post(
    '/suites/:suite/cases',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Make a new revision with one case added, or in the place of another',
        description:
          'Every other case stays as it is. A case that functions of a module belong to is changed in the file of the suite. With `activate` the draft is made first: if something speaks against activating it, the problem `activation_refused` names it and says what.',
        params: suiteParams,
        querystring: z.strictObject({ activate: z.enum(['true', 'false']).default('false') }),
        body: caseEditSchema,
        response: withProblems({ 201: activatedRevisionSchema }),
      },
    },
    async (request, reply) => {
      const actor = readerOf(request);
      const { suite } = request.params;
      requireSuite(actor, suite);
      const name = await editCase(authoring, suite, request.body, actor);
      const isToBeActive = request.query.activate === 'true';
      const notes = isToBeActive
        ? await activate(activation, name, { by: actor.tokenId, isPush: false })
        : [];
      const described = await describeRevision(authoring.database, name);
      reply.code(201).header('location', `/suites/${suite}/revisions/${name.revision}`);
      return activatedRevisionSchema.parse({ ...described, ...(notes.length === 0 ? {} : { notes }) });
    },
  );

  app.post(
    '/suites/:suite/cases/check',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary:
          'Check one case by itself, and tell what is wrong with it by line and column; nothing is stored',
        description: 'It is recorded as a reading of the revision, once in ten minutes.',
        params: suiteParams,
        body: caseAmongSchema,
        response: withProblems({ 200: caseFindingsSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireSuite(reader, request.params.suite);
      return caseChecks.check(request.params.suite, request.body, reader.tokenId);
    },
  );

  app.post(
    '/suites/:suite/cases/dry-run',
    {
      bodyLimit: dryRunBytesMax,
      config: { roles: ['author'] },
      schema: {
        tags: ['suites'],
        summary: 'Run one case on the references of a revision, or on another build; nothing is stored',
        description:
          'It is run and graded as in a score, under the limits of the suite, and takes its turn as a score does. That it was asked for is recorded.',
        params: suiteParams,
        body: dryRunRequestSchema,
        response: withProblems({ 200: dryRunSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireSuite(reader, request.params.suite);
      return submissions.dryRun(authoring, request.params.suite, request.body, reader.tokenId);
    },
  );
};
