/**
 * The pages: an application of its own under `/ui`, so that what holds for browsers holds for them alone. The cookie of a session is
 * believed here and nowhere else, forms are read here and nowhere else, and every error is a page.
 */
import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { html } from 'hono/html';
import { withoutStatement } from '../../migrations/errors.ts';
import { requireRoles } from '../access.ts';
import type { AppParts } from '../app.ts';
import { pageHeaders } from '../headers.ts';
import { answerProblem, problemOf, RequestError } from '../problems.ts';
import { limitTokens } from '../rate-limits.ts';
import { tellDurable } from '../tell-durable.ts';
import { validatorCompiler } from '../validation.ts';
import { problemPage } from './problem-page.ts';
import { assetRoutes } from './routes/assets.ts';
import { auditPages } from './routes/audit.ts';
import { caseEditorPages } from './routes/case-editor.ts';
import { changePages } from './routes/changes.ts';
import { gatePages } from './routes/gates.ts';
import { scorePages } from './routes/scores.ts';
import { sessionRoutes } from './routes/session.ts';
import { suiteLifePages } from './routes/suite-life.ts';
import { suitePages } from './routes/suites.ts';
import { trendPageRoutes } from './routes/trends.ts';
import { showPage } from './show-page.ts';
import { identifySessions, requireOwnForms } from './signed-in.ts';

/** The routes that are for nobody in particular; every other names its roles. */
const open = ['/ui/sign-in', '/ui/assets/:name'];

/** Builds the pages; requests come to them from the application around them. */
export async function buildPages(parts: AppParts): Promise<FastifyInstance> {
  const { database } = parts.authoring;
  const app = fastify({
    logger: { level: parts.logLevel, redact: ['req.headers.cookie', 'req.headers.authorization'] },
    routerOptions: { maxParamLength: 1_000 },
    trustProxy: parts.trustProxy ?? false,
    frameworkErrors: answerProblemPage,
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerProblemPage);
  app.addHook('onRoute', ({ url, config }) => {
    if (open.includes(url)) return;
    const roles = config?.roles ?? [];
    const areForPeople = roles.length > 0 && roles.every((role) => role !== 'ci' && role !== 'harness');
    if (!areForPeople) throw new Error(`${url} names roles that no person has, or none`);
  });
  tellDurable(app, parts.durability);
  await app.register(helmet, pageHeaders);
  await app.register(cookie);
  await app.register(formbody);
  await app.register(rateLimit, { global: false });
  app.addHook('onRequest', async (_request, reply) => {
    // What is shown to one reader is kept by no cache, and is not there for the next one who goes back.
    reply.header('cache-control', 'no-store');
  });
  identifySessions(app, database);
  limitTokens(app, parts.ratePerToken);
  requireRoles(app);
  requireOwnForms(app);
  const prefix = '/ui';
  await app.register(assetRoutes, { prefix });
  await app.register(sessionRoutes, { prefix, database, ratePerAddress: parts.ratePerAddress });
  await app.register(gatePages, { prefix, parts });
  await app.register(changePages, { prefix, parts });
  await app.register(auditPages, { prefix, parts });
  await app.register(trendPageRoutes, { prefix, parts });
  await app.register(scorePages, { prefix, parts });
  await app.register(suitePages, { prefix, parts });
  await app.register(suiteLifePages, { prefix, parts });
  await app.register(caseEditorPages, { prefix, parts });
  app.setNotFoundHandler((request) => {
    throw new RequestError('route_not_found', `there is no page at ${request.url.split('?', 1)[0]}`);
  });
  await app.ready();
  return app;
}

const arrival = html`<h1>One moment</h1><p><a href="">Go on</a></p>`;

/** Answers an error as a page, or as a problem where a script asked; who is not signed in is asked to. */
async function answerProblemPage(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const wantsPage = request.headers.accept?.includes('text/html') === true;
  if (!wantsPage) return answerProblem(error, request, reply);
  const problem = problemOf(error, request);
  if (problem.status === 401 && request.method === 'GET') {
    // Who follows a link from another site comes without the cookie, and with it as soon as the page itself asks again.
    const mayBeSignedIn = request.headers['sec-fetch-site'] === 'cross-site';
    if (mayBeSignedIn)
      return showPage(request, reply.header('refresh', '0'), { title: 'One moment' }, arrival);
    return reply.redirect(`/ui/sign-in?to=${encodeURIComponent(request.url)}`, 303);
  }
  if (problem.status >= 500) request.log.error({ err: withoutStatement(error) }, 'a page failed');
  await showPage(request, reply.code(problem.status), { title: problem.title }, problemPage(problem));
}
