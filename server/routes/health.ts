/** `/healthz` and `/readyz`: whether the process lives, and whether it can score. They tell nothing else, to anybody. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type ReadinessCheck, readinessSchema } from '../readiness.ts';

export type HealthRoutesOptions = { readiness: ReadinessCheck };

export const healthRoutes: FastifyPluginAsyncZod<HealthRoutesOptions> = async (app, { readiness }) => {
  const tags = ['health'];
  // A probe is answered however many others ask from its address.
  const config = { rateLimit: false, isProbe: true } as const;

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

  app.get(
    '/readyz',
    {
      config,
      schema: { tags, summary: 'Can it score?', response: { 200: readinessSchema, 503: readinessSchema } },
    },
    async (_request, reply) => {
      const now = await readiness.now();
      return reply.code(now.status === 'ready' ? 200 : 503).send(now);
    },
  );
};
