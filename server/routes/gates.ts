/** `/gates`: what a merge needs. Admins set it; authors and leads may look. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { exposureSchema } from '../../gate/disclosure/disclosed.ts';
import { findExposures } from '../../gate/disclosure/exposure.ts';
import { gatePolicySchema, gateSchema } from '../../gate/gate.ts';
import { isWithinLimits } from '../../gate/limits.ts';
import { activeRevisions, findGate, listGates, setPolicy } from '../../gate/policies.ts';
import type { Database } from '../../migrations/open-database.ts';
import { slugSchema } from '../../suites/suite.ts';
import { readerOf, requireGate } from '../access.ts';
import { withProblems } from '../responses.ts';

export const gateRoutes: FastifyPluginAsyncZod<{ database: Database }> = async (app, { database }) => {
  const params = z.strictObject({ gate: slugSchema });

  app.put(
    '/gates/:gate',
    {
      config: { roles: ['admin'] },
      schema: {
        tags: ['gates'],
        summary: "Put a gate's policy in force",
        params,
        body: gatePolicySchema,
        response: withProblems({ 200: gateSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireGate(reader, request.params.gate);
      return setPolicy(database, request.params.gate, request.body, reader.tokenId);
    },
  );

  app.get(
    '/gates',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['gates'],
        summary: 'List the gates',
        response: withProblems({ 200: z.strictObject({ gates: z.array(gateSchema) }) }),
      },
    },
    async (request) => {
      const { gates } = readerOf(request);
      const all = await listGates(database);
      return { gates: all.filter(({ gate }) => isWithinLimits(gates, gate)) };
    },
  );

  app.get(
    '/gates/:gate',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['gates'],
        summary: 'Read a gate',
        params,
        response: withProblems({ 200: gateSchema }),
      },
    },
    async (request) => {
      requireGate(readerOf(request), request.params.gate);
      return findGate(database, request.params.gate);
    },
  );

  app.get(
    '/gates/:gate/exposure',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['gates'],
        summary: "How much disclosed verdicts may have taught about the gate's cases",
        params,
        response: withProblems({ 200: exposureSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireGate(reader, request.params.gate);
      const gate = await findGate(database, request.params.gate);
      const active = activeRevisions(gate);
      return {
        gate: gate.gate,
        budgetBits: gate.exposureBudgetBits ?? null,
        attemptsPerChange: gate.attemptsPerChange,
        suites: await findExposures(
          database,
          active.filter(({ suite }) => isWithinLimits(reader.suites, suite)),
        ),
      };
    },
  );
};
