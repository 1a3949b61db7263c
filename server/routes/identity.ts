/** `/recipient` and `/identity`: what suites are sealed to, which is public, and its rotation, which is for admins. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { identityStateSchema } from '../../suites/sealing/identity-state.ts';
import type { Rotation } from '../../suites/sealing/rotation.ts';
import { readerOf, requireUnlimited } from '../access.ts';
import { withProblems } from '../responses.ts';

/** A rotation is waited for this long, in milliseconds; a long history takes longer. */
const settleMsMax = 30_000;

export const identityRoutes: FastifyPluginAsyncZod<{ rotation: Rotation }> = async (app, { rotation }) => {
  const tags = ['identity'];

  app.get(
    '/recipient',
    {
      schema: {
        tags,
        summary: 'Read what a suite can be sealed to before it is pushed',
        response: withProblems({ 200: z.strictObject({ recipient: z.string() }) }),
      },
    },
    async () => ({ recipient: rotation.state.recipient }),
  );

  app.get(
    '/identity',
    {
      config: { roles: ['admin'] },
      schema: {
        tags,
        summary: 'Read how far the rotation of the identity is',
        response: withProblems({ 200: identityStateSchema }),
      },
    },
    async () => rotation.state,
  );

  app.post(
    '/identity/rotate',
    {
      config: { roles: ['admin'] },
      schema: {
        tags,
        summary: 'Make a new identity and seal everything anew',
        description:
          'The earlier identity is thrown away when all is sealed anew; what was sealed to it elsewhere has to be sealed again. The answer comes when that is done, or after half a minute with the state `resealing`.',
        response: withProblems({ 200: identityStateSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireUnlimited(reader, 'the identity');
      await rotation.rotate(reader.tokenId);
      await rotation.settle(settleMsMax);
      return rotation.state;
    },
  );
};
