/** The HTTP application: every route, the OpenAPI document made from the routes' schemas, and one shape for all errors. */
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import {
  createJsonSchemaTransform,
  serializerCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Preflights } from '../gate/activation/preflight.ts';
import type { AuditLog } from '../gate/audit/audit-log.ts';
import type { Proving } from '../gate/incidents/prove-incident.ts';
import type { Measurements } from '../gate/strength/measurements.ts';
import type { Submissions } from '../gate/submit.ts';
import type { Moments } from '../migrations/moments.ts';
import type { OpenDatabase } from '../migrations/open-database.ts';
import type { CaseChecks } from '../suites/authoring/case-checks.ts';
import { hasMoreValuesThan } from '../suites/authoring/json-values.ts';
import type { Authoring } from '../suites/authoring/make-revision.ts';
import type { OpenedSuites } from '../suites/opened-suites.ts';
import type { Rotation } from '../suites/sealing/rotation.ts';
import { identifyReaders, requireRoles } from './access.ts';
import { nameComponents } from './components.ts';
import { documentPolicy, headers } from './headers.ts';
import type { Issuer } from './issuers.ts';
import { loggerOptions } from './log.ts';
import { collectMethods } from './methods.ts';
import type { Metrics } from './metrics.ts';
import { Oidc } from './oidc.ts';
import { answerBrokenRequest, answerProblem, RequestError } from './problems.ts';
import { limitAddresses, limitBodies, limitTokens } from './rate-limits.ts';
import type { ReadinessCheck } from './readiness.ts';
import { auditRoutes } from './routes/audit.ts';
import { backupRoutes } from './routes/backup.ts';
import { changeRoutes } from './routes/changes.ts';
import { gateRoutes } from './routes/gates.ts';
import { healthRoutes } from './routes/health.ts';
import { identityRoutes } from './routes/identity.ts';
import { incidentRoutes } from './routes/incidents.ts';
import { leakRoutes } from './routes/leaks.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { pictureRoutes } from './routes/pictures.ts';
import { scoreRoutes } from './routes/scores.ts';
import { strengthRoutes } from './routes/strength.ts';
import { suiteCaseRoutes } from './routes/suite-cases.ts';
import { suiteLifeRoutes } from './routes/suite-life.ts';
import { suiteRoutes } from './routes/suites.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { trendRoutes } from './routes/trends.ts';
import type { ScoreEvents } from './score-events.ts';
import { tellDurable } from './tell-durable.ts';
import { validatorCompiler } from './validation.ts';

export type AppParts = {
  authoring: Authoring;
  caseChecks: CaseChecks;
  suites: OpenedSuites;
  preflights: Preflights;
  proving: Proving;
  rotation: Rotation;
  submissions: Submissions;
  moments: Moments;
  durability: OpenDatabase['durability'];
  backUp: OpenDatabase['backUp'];
  scoreEvents: ScoreEvents;
  measurements: Measurements;
  auditLog: AuditLog;
  readiness: ReadinessCheck;
  role: 'all' | 'api' | 'runner';
  /** How long a time slot of verdicts is, in milliseconds. */
  slotMs: number;
  version: string;
  metrics: Metrics;
  metricsToken: string | undefined;
  logLevel: string;
  /** The CI systems whose tokens are accepted. */
  issuers: Issuer[];
  /** Requests a minute; 0 for any number. */
  ratePerAddress: number;
  ratePerToken: number;
  /** The proxies that are believed when they name the address of a caller. */
  trustProxy: string[] | undefined;
};

/** Whoever has not sent a request whole after this long is hung up on, in milliseconds. */
const requestMs = 300_000;

function refuseSchema(): never {
  throw new Error('a route has a schema that is none of zod');
}

/** Builds the application; it does not listen yet. */
export async function buildApp(parts: AppParts): Promise<FastifyInstance> {
  const { authoring, submissions } = parts;
  const { database, seals } = authoring;
  const app = fastify({
    logger: loggerOptions(parts.logLevel),
    routerOptions: { maxParamLength: 1_000 },
    forceCloseConnections: 'idle',
    requestTimeout: requestMs,
    trustProxy: parts.trustProxy ?? false,
    frameworkErrors: answerProblem,
    clientErrorHandler: answerBrokenRequest,
    // Fastify would load its own compilers of schemas, which takes a tenth of a start; ours are set below.
    schemaController: { compilersFactory: { buildValidator: refuseSchema, buildSerializer: refuseSchema } },
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerProblem);
  const methodsOf = collectMethods(app);
  app.setNotFoundHandler((request, reply) => {
    const methods = methodsOf(pathOf(request.url)).join(', ');
    if (methods !== '') {
      reply.header('allow', methods);
      throw new RequestError(
        'method_not_allowed',
        `${pathOf(request.url)} takes ${methods}, not ${request.method}`,
      );
    }
    throw new RequestError('route_not_found', `there is nothing at ${request.method} ${pathOf(request.url)}`);
  });
  readJson(app);
  parts.metrics.countRequests(app);
  app.addHook('onRoute', (route) => {
    // A route that names no query takes none: a misspelt field is refused everywhere.
    if (route.schema !== undefined && route.schema.hide !== true)
      route.schema.querystring ??= z.strictObject({});
  });
  tellDurable(app, parts.durability);
  await app.register(helmet, headers);
  await app.register(rateLimit, { global: false });
  limitAddresses(app, parts.ratePerAddress);
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
        { name: 'identity', description: 'What suites are sealed to.' },
        { name: 'scores', description: 'Candidates, their scores and verdicts.' },
        { name: 'incidents', description: 'Bugs that got past a gate.' },
        { name: 'trends', description: 'How attempts come out over time.' },
        { name: 'tokens', description: 'Who may ask.' },
        { name: 'audit', description: 'Who did what and when.' },
        { name: 'backup', description: 'All that is kept, in one file.' },
        { name: 'health', description: 'Whether the service lives and can score.' },
      ],
    },
    transform: (route) => {
      const transformed = transformSchema(route);
      const { roles, looksAtToken = false } = route.route.config ?? {};
      const token: Record<string, string[]> = { token: [] };
      // An empty one among them says that none is needed.
      const optional = looksAtToken ? [{}, token] : [];
      const secured = roles === undefined ? optional : [token];
      return { ...transformed, schema: { ...transformed.schema, security: secured } };
    },
    transformObject: nameComponents,
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: documentPolicy });
  identifyReaders(app, { database, moments: parts.moments }, new Oidc(parts.issuers));
  limitTokens(app, parts.ratePerToken);
  requireRoles(app);
  limitBodies(app);
  await app.register(healthRoutes, { readiness: parts.readiness });
  await app.register(metricsRoutes, { metrics: parts.metrics, metricsToken: parts.metricsToken });
  // A node that only works off the queue answers for itself alone.
  if (parts.role === 'runner') return app;
  await app.register(gateRoutes, { database });
  await app.register(pictureRoutes, { database, slotMs: parts.slotMs });
  await app.register(strengthRoutes, { database, measurements: parts.measurements });
  const activation = { database, suites: parts.suites, preflights: parts.preflights };
  await app.register(suiteRoutes, { authoring, activation });
  await app.register(suiteLifeRoutes, { authoring, activation, suites: parts.suites });
  await app.register(suiteCaseRoutes, { authoring, activation, submissions, caseChecks: parts.caseChecks });
  await app.register(incidentRoutes, {
    authoring,
    incidents: { database, seals, suites: parts.suites, slotMs: parts.slotMs },
    proving: parts.proving,
  });
  const disclosing = { database, seals, slotMs: parts.slotMs };
  await app.register(changeRoutes, { disclosing, suites: parts.suites });
  await app.register(scoreRoutes, {
    disclosing,
    submissions,
    moments: parts.moments,
    events: parts.scoreEvents,
    durability: parts.durability,
  });
  await app.register(trendRoutes, { database, suites: parts.suites, slotMs: parts.slotMs });
  await app.register(leakRoutes, { database, suites: parts.suites });
  await app.register(identityRoutes, { rotation: parts.rotation });
  await app.register(tokenRoutes, { database });
  await app.register(auditRoutes, { auditLog: parts.auditLog });
  await app.register(backupRoutes, { database, rotation: parts.rotation, backUp: parts.backUp });
  servePages(app, parts);
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  return app;
}

/**
 * Gives what is asked under `/ui` to the pages, which are loaded when the first of them is opened: a service that scores and shows
 * nothing need not read their code.
 */
function servePages(app: FastifyInstance, parts: AppParts): void {
  let loading: Promise<FastifyInstance> | undefined;
  const load = async () => (await import('./pages/pages.ts')).buildPages(parts);
  const schema = { hide: true };
  app.get('/', { schema }, async (_request, reply) => reply.redirect('/ui/'));
  app.get('/ui', { schema }, async (_request, reply) => reply.redirect('/ui/'));
  app.route({
    method: ['GET', 'POST'],
    url: '/ui/*',
    schema,
    // Before the body is read: the pages read it themselves.
    onRequest: async (request, reply) => {
      loading ??= load();
      const pages = await loading.catch((error: unknown) => {
        loading = undefined;
        throw error;
      });
      reply.hijack();
      pages.routing(request.raw, reply.raw);
    },
    handler: async () => undefined,
  });
  app.addHook('onClose', async () => (await loading?.catch(() => undefined))?.close());
}

const transformSchema = createJsonSchemaTransform({
  zodToJsonConfig: { target: 'draft-2020-12' },
});

/** JSON is the one kind of body, but for raw candidates. Keys such as `__proto__` are data, and survive unchanged. */
function readJson(app: FastifyInstance): void {
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      if (body.length === 0) return undefined;
      const most = request.routeOptions.config.jsonValuesMax ?? jsonValuesMaxDefault;
      if (hasMoreValuesThan(most, body)) {
        throw new RequestError('invalid_request', `the body holds more than ${most} keys and values`);
      }
      try {
        return JSON.parse(utf8.decode(body));
      } catch (error) {
        throw new RequestError('malformed_json', jsonFault(error));
      }
    },
  );
}

/** Enough for every body but a suite's. */
const jsonValuesMaxDefault = 2_000;

/** The place of a mistake in JSON, and nothing of the text itself. */
function jsonFault(error: unknown): string {
  if (error instanceof TypeError) return 'it is not UTF-8: send JSON text as UTF-8';
  const place =
    error instanceof Error ? /position \d+(?: \(line \d+ column \d+\))?/.exec(error.message) : null;
  return `it does not parse${place === null ? '' : `, at ${place[0]}`}: send one JSON value`;
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
