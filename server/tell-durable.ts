/** Nobody is told of what a loss of power could still undo: answers wait until all that was committed is on the disk. */
import type { FastifyInstance } from 'fastify';
import type { OpenDatabase } from '../migrations/open-database.ts';
import { problemOf } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Tells of this process alone, and of nothing that was committed. */
    isProbe?: boolean;
  }
}

/** Has every answer wait, but those to probes. Where nothing can be written down, all of them say so. */
export function tellDurable(app: FastifyInstance, durability: OpenDatabase['durability']): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (durability.isSettled || request.routeOptions.config.isProbe === true) return payload;
    try {
      await durability.settled();
      return payload;
    } catch (error) {
      const problem = problemOf(error, request);
      reply.code(problem.status).type('application/problem+json').header('retry-after', '5');
      reply.removeHeader('content-length');
      return JSON.stringify(problem);
    }
  });
}
