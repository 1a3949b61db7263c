/**
 * `/metrics`, for Prometheus. It is for whoever has the token of `HOLDBACK_METRICS_TOKEN`, and for leads: how many scores are red
 * tells an agent that can have scores made something, whatever address it asks from.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { requireUnlimited } from '../access.ts';
import type { Metrics } from '../metrics.ts';
import { withProblems } from '../responses.ts';

export type MetricsRoutesOptions = { metrics: Metrics; metricsToken: string | undefined };

export const metricsRoutes: FastifyPluginAsyncZod<MetricsRoutesOptions> = async (app, options) => {
  const { metrics, metricsToken } = options;
  const own = metricsToken === undefined ? undefined : hashOf(metricsToken);
  app.get(
    '/metrics',
    {
      config: {
        roles: ['lead'],
        rateLimit: false,
        admits: (token: string) => own !== undefined && timingSafeEqual(hashOf(token), own),
      },
      schema: {
        tags: ['health'],
        summary: 'Read the figures of this process, as Prometheus does',
        description: 'Besides those of the roles it takes the token that HOLDBACK_METRICS_TOKEN says.',
        produces: ['text/plain'],
        response: withProblems({ 200: z.string() }),
      },
    },
    async (request, reply) => {
      if (request.reader !== null) requireUnlimited(request.reader, 'what is measured');
      const { text, type } = await metrics.read();
      return reply.type(type).send(text);
    },
  );
};

/** Of one length, so that they can be compared in constant time. */
function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
