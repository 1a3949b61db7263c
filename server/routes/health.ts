/** `/healthz` and `/readyz`: whether the process lives, and whether it can score. They tell nothing else, to anybody. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ping } from '../../gate/history.ts';
import type { Database } from '../../migrations/open-database.ts';

export type HealthRoutesOptions = { database: Database; runnersReady: () => boolean };

export const healthRoutes: FastifyPluginAsyncZod<HealthRoutesOptions> = async (app, options) => {
  const { database, runnersReady } = options;
  const tags = ['health'];
  // A probe is answered however many others ask from its address.
  const config = { rateLimit: false } as const;

  app.get(
    '/healthz',
    {
      config,
      schema: {
        tags,
        summary: 'Is the process alive?',
        response: { 200: z.strictObject({ status: z.literal('ok') }) },
      },
    },
    async () => ({ status: 'ok' as const }),
  );

  const readiness = z.strictObject({
    status: z.enum(['ready', 'not_ready']),
    database: z.boolean(),
    runners: z.boolean(),
  });
  app.get(
    '/readyz',
    { config, schema: { tags, summary: 'Can it score?', response: { 200: readiness, 503: readiness } } },
    async (_request, reply) => {
      const answers = await ping(database).then(
        () => true,
        () => false,
      );
      const runners = runnersReady();
      const ready = answers && runners;
      return reply
        .code(ready ? 200 : 503)
        .send({ status: ready ? 'ready' : 'not_ready', database: answers, runners });
    },
  );
};
