/** `/ui/`: every gate that the reader may see, and its state. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { isWithinLimits } from '../../../gate/limits.ts';
import { listGates } from '../../../gate/policies.ts';
import { readerOf } from '../../access.ts';
import type { AppParts } from '../../app.ts';
import { overviewPage } from '../overview-page.ts';
import { showPage } from '../show-page.ts';

export const overviewRoutes: FastifyPluginAsyncZod<{ parts: AppParts }> = async (app, { parts }) => {
  const { database } = parts.authoring;
  app.get('/', { config: { roles: ['author', 'lead'] } }, async (request, reply) => {
    const { gates } = readerOf(request);
    const theirs = (await listGates(database)).filter(({ gate }) => isWithinLimits(gates, gate));
    return showPage(request, reply, { title: 'Overview', here: 'overview' }, overviewPage(theirs));
  });
};
