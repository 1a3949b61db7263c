/** `/tokens`: admins make tokens, list them and revoke them. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Database } from '../../migrations/open-database.ts';
import { isWithin, readerOf } from '../access.ts';
import { RequestError } from '../problems.ts';
import { withProblems } from '../responses.ts';
import { tokenRequestSchema, tokenSchema } from '../token.ts';
import { createToken, findToken, listTokens, type Reader, revokeToken } from '../tokens.ts';

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
      const reader = readerOf(request);
      requireWithin(reader, request.body);
      reply.code(201).header('cache-control', 'no-store');
      return createToken(database, request.body, reader.tokenId);
    },
  );

  app.get(
    '/tokens',
    {
      config,
      schema: {
        tags,
        summary: 'List the tokens, newest first; also those that were revoked',
        response: withProblems({ 200: z.strictObject({ tokens: z.array(tokenSchema) }) }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      return { tokens: (await listTokens(database)).filter((token) => isWithin(reader, token)) };
    },
  );

  app.get(
    '/tokens/:id',
    {
      config,
      schema: { tags, summary: 'Read about a token', params, response: withProblems({ 200: tokenSchema }) },
    },
    async (request) => {
      const token = await findToken(database, request.params.id);
      requireWithin(readerOf(request), token);
      return token;
    },
  );

  app.delete(
    '/tokens/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Revoke a token, at once and for good; it stays in the list',
        params,
        response: withProblems({ 204: z.undefined() }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      requireWithin(reader, await findToken(database, request.params.id));
      await revokeToken(database, request.params.id, reader.tokenId);
      return reply.code(204).send();
    },
  );
};

/** An admin that is limited to some gates or suites has a say in tokens of these alone. Throws `token_too_wide`. */
function requireWithin(reader: Reader, limits: Parameters<typeof isWithin>[1]): void {
  if (isWithin(reader, limits)) return;
  throw new RequestError('token_too_wide', 'your token is limited: name gates and suites within its limits');
}
