/** The HTTP application: every route, the OpenAPI document made from the routes' schemas, and one shape for all errors. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyInstance } from 'fastify';
import {
  createJsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { Submissions } from '../gate/submit.ts';
import type { Authoring } from '../suites/authoring.ts';
import { requireTokens } from './access.ts';
import { answerProblem, RequestError } from './problems.ts';
import { gateRoutes } from './routes/gates.ts';
import { healthRoutes } from './routes/health.ts';
import { scoreRoutes } from './routes/scores.ts';
import { suiteRoutes } from './routes/suites.ts';
import { tokenRoutes } from './routes/tokens.ts';

export type AppParts = {
  authoring: Authoring;
  submissions: Submissions;
  runnersReady: () => boolean;
  version: string;
  logLevel: string;
};

/** Builds the application; it does not listen yet. */
export async function buildApp(parts: AppParts): Promise<FastifyInstance> {
  const { authoring, submissions } = parts;
  const { database, identity } = authoring;
  const app = fastify({
    logger: { level: parts.logLevel, redact: ['req.headers.authorization'] },
    // Cases may hold keys such as `__proto__`: values are never merged into anything, and survive unchanged.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
    routerOptions: { maxParamLength: 1_000 },
    forceCloseConnections: 'idle',
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerProblem);
  app.setNotFoundHandler((request) => {
    throw new RequestError('route_not_found', `there is nothing at ${request.method} ${pathOf(request.url)}`);
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdback',
        version: parts.version,
        description: 'The merge gate whose cases the author never sees.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      tags: [
        { name: 'gates', description: 'What a merge needs.' },
        { name: 'suites', description: 'Sealed holdback suites.' },
        { name: 'scores', description: 'Candidates, their scores and verdicts.' },
        { name: 'tokens', description: 'Who may ask.' },
        { name: 'health', description: 'Whether the service lives and can score.' },
      ],
    },
    transform: (route) => {
      const transformed = transformSchema(route);
      const secured = route.route.config?.roles === undefined ? [] : [{ token: [] }];
      return { ...transformed, schema: { ...transformed.schema, security: secured } };
    },
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
  requireTokens(app, database);
  await app.register(gateRoutes, { database });
  await app.register(suiteRoutes, { authoring });
  await app.register(scoreRoutes, { database, identity, submissions });
  await app.register(tokenRoutes, { database });
  await app.register(healthRoutes, { database, runnersReady: parts.runnersReady });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  return app;
}

const transformSchema = createJsonSchemaTransform({
  zodToJsonConfig: { target: 'draft-2020-12' },
});

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
