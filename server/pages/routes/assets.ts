/** `/ui/assets`: what pages load. An address names its bytes, so that whoever has them need not ask again. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { RequestError } from '../../problems.ts';
import { findAsset } from '../assets.ts';

export const assetRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/assets/:name',
    { schema: { params: z.strictObject({ name: z.string().max(200) }) } },
    async (request, reply) => {
      const asset = await findAsset(request.params.name);
      if (asset === undefined) throw new RequestError('route_not_found', 'there is no such file here');
      return reply
        .type(asset.type)
        .header('cache-control', 'public, max-age=31536000, immutable')
        .send(asset.text);
    },
  );
};
