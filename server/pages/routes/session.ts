/** `/ui/sign-in` and `/ui/sign-out`: a token becomes a session, and a session ends. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Database } from '../../../migrations/open-database.ts';
import { RequestError } from '../../problems.ts';
import { limitGuesses } from '../../rate-limits.ts';
import { closeSession, openSession } from '../../sessions.ts';
import { findReader, noteUse } from '../../tokens.ts';
import { showPage } from '../show-page.ts';
import { signInPage } from '../sign-in-page.ts';
import { sessionSecretOf, setSessionCookie } from '../signed-in.ts';

export type SessionRoutesOptions = { database: Database; ratePerAddress: number };

export const sessionRoutes: FastifyPluginAsyncZod<SessionRoutesOptions> = async (app, options) => {
  const { database, ratePerAddress } = options;
  const to = z.string().max(2_000).optional();

  app.get('/sign-in', { schema: { querystring: z.strictObject({ to }) } }, async (request, reply) => {
    return showPage(request, reply, { title: 'Sign in' }, signInPage({ to: ownPath(request.query.to) }));
  });

  app.post(
    '/sign-in',
    {
      onRequest: limitGuesses(app, ratePerAddress),
      schema: { body: z.strictObject({ token: z.string().max(4_096), to }) },
    },
    async (request, reply) => {
      const { token } = request.body;
      const target = ownPath(request.body.to);
      const reader = await findReader(database, token.trim()).catch((error: unknown) => {
        if (error instanceof RequestError) return error;
        throw error;
      });
      if (reader instanceof RequestError) {
        const content = signInPage({ to: target, refused: reader.message });
        return showPage(request, reply.code(401), { title: 'Sign in' }, content);
      }
      if (reader.role === 'ci' || reader.role === 'harness') {
        const who = `this is a token for ${reader.role}, whose log agents read: it opens no page`;
        throw new RequestError('role_forbidden', who);
      }
      // Whoever was signed in here before is not any more.
      const earlier = sessionSecretOf(request);
      if (earlier !== undefined) await closeSession(database, earlier);
      setSessionCookie(request, reply, await openSession(database, reader.tokenId));
      await noteUse(database, reader.tokenId);
      return reply.redirect(target, 303);
    },
  );

  app.post(
    '/sign-out',
    { config: { roles: ['author', 'lead'] }, schema: { body: z.strictObject({}) } },
    async (request, reply) => {
      const secret = sessionSecretOf(request);
      if (secret !== undefined) await closeSession(database, secret);
      setSessionCookie(request, reply, null);
      return reply.redirect('/ui/sign-in', 303);
    },
  );
};

/** Where to go after signing in: a page of ours, whatever the address says. */
function ownPath(to: string | undefined): string {
  const base = 'http://holdback.invalid';
  if (to === undefined || !URL.canParse(to, base)) return '/ui/';
  const { origin, pathname, search } = new URL(to, base);
  const isOurs = origin === base && pathname.startsWith('/ui/') && !pathname.startsWith('/ui/sign-');
  return isOurs ? `${pathname}${search}` : '/ui/';
}
