/** `/tokens`: admins make tokens, list them and take them away. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Database } from '../../migrations/open-database.ts';
import { withProblems } from '../responses.ts';
import {
  createToken,
  deleteToken,
  findToken,
  listTokens,
  tokenRequestSchema,
  tokenSchema,
} from '../tokens.ts';

export const tokenRoutes: FastifyPluginAsyncZod<{ database: Database }> = async (app, { database }) => {
  const params = z.strictObject({ id: z.uuid() });
  const config = { roles: ['admin'] as const };
  const tags = ['tokens'];

  app.post(
    '/tokens',
    {
      config,
      schema: {
        tags,
        summary: 'Make a token; it is shown in this answer alone',
        body: tokenRequestSchema,
        response: withProblems({ 201: tokenSchema.extend({ token: z.string() }) }),
      },
    },
    async (request, reply) => {
      reply.code(201);
      return createToken(database, request.body);
    },
  );

  app.get(
    '/tokens',
    {
      config,
      schema: {
        tags,
        summary: 'List the tokens',
        response: withProblems({ 200: z.strictObject({ tokens: z.array(tokenSchema) }) }),
      },
    },
    async () => ({ tokens: await listTokens(database) }),
  );

  app.get(
    '/tokens/:id',
    {
      config,
      schema: { tags, summary: 'Read about a token', params, response: withProblems({ 200: tokenSchema }) },
    },
    async (request) => findToken(database, request.params.id),
  );

  app.delete(
    '/tokens/:id',
    {
      config,
      schema: { tags, summary: 'Take a token away', params, response: withProblems({ 204: z.undefined() }) },
    },
    async (request, reply) => {
      await deleteToken(database, request.params.id);
      return reply.code(204).send();
    },
  );
};
