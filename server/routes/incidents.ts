/** `/incidents` and `/gates/{gate}/escapes`: bugs that got past a gate. Authors record and prove; leads count. */

import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { storeCandidate } from '../../gate/candidates.ts';
import { hearsInSlots } from '../../gate/disclosure/disclosure.ts';
import { GateError } from '../../gate/errors.ts';
import { scoreRequestSchema } from '../../gate/gate.ts';
import { draftCase, suiteFor } from '../../gate/incidents/draft-case.ts';
import { countEscapes } from '../../gate/incidents/escapes.ts';
import {
  escapesSchema,
  incidentCaseRequestSchema,
  incidentRequestSchema,
  incidentSchema,
} from '../../gate/incidents/incident.ts';
import {
  findDraftedCase,
  findIncident,
  type IncidentParts,
  type IncidentReader,
  listIncidents,
  readIncident,
  recordIncident,
} from '../../gate/incidents/incidents.ts';
import { type Proving, proveIncident } from '../../gate/incidents/prove-incident.ts';
import { isWithinLimits } from '../../gate/limits.ts';
import { findGate } from '../../gate/policies.ts';
import { candidateBytesMax } from '../../runners/protocol.ts';
import type { Authoring } from '../../suites/authoring/make-revision.ts';
import { SuiteError } from '../../suites/errors.ts';
import { slugSchema } from '../../suites/suite.ts';
import { readerOf, requireGate, requireSuite } from '../access.ts';
import { instantSchema } from '../instant.ts';
import { RequestError } from '../problems.ts';
import { withProblems } from '../responses.ts';
import type { Reader } from '../tokens.ts';

/** An incident's case may be this large, in bytes of JSON. */
const incidentBytesMax = 4 << 20;
const incidentValuesMax = 200_000;
/** In JSON a character may take six bytes, as in `\u0000`. */
const proofBytesMax = candidateBytesMax * 2 + (64 << 10);

/** Escapes are counted over this long unless it is said, in milliseconds. */
const spanMsDefault = 90 * 86_400_000;

export type IncidentRoutesOptions = { authoring: Authoring; incidents: IncidentParts; proving: Proving };

export const incidentRoutes: FastifyPluginAsyncZod<IncidentRoutesOptions> = async (app, options) => {
  const { authoring, incidents, proving } = options;
  const { database } = authoring;
  const params = z.strictObject({ id: z.uuid() });

  /** The incident, where the reader may know of its gate and may write to the suite of its case. */
  async function requireIncident(reader: Reader, id: string, suite?: string): Promise<void> {
    const { gate } = await findIncident(database, id);
    requireGate(reader, gate);
    const drafted = await findDraftedCase(database, id);
    if (suite !== undefined) requireSuite(reader, suite);
    else if (drafted !== undefined) requireSuite(reader, drafted.suite);
  }

  app.post(
    '/incidents',
    {
      bodyLimit: incidentBytesMax,
      config: { roles: ['author'], jsonValuesMax: incidentValuesMax },
      schema: {
        tags: ['incidents'],
        summary: 'Record a bug that got past a gate, against the score that let it',
        description:
          'With `draft` a case is made of it at once, in a new draft of a suite of the gate. If that cannot be sealed as it stands, the incident is recorded all the same: draft another with `POST /incidents/{id}/case`.',
        body: incidentRequestSchema,
        response: withProblems({ 201: incidentSchema }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const { gate, draft } = request.body;
      requireGate(reader, gate);
      if (draft !== undefined) requireSuite(reader, await suiteFor(database, gate, draft.suite));
      const id = await recordIncident(incidents, request.body, reader);
      reply.header('location', `/incidents/${id}`);
      if (draft !== undefined) {
        await draftCase(authoring, id, draft, reader.tokenId).catch((error: unknown) => {
          throw withIncident(id, error);
        });
      }
      return reply.code(201).send(await readIncident(incidents, id, asReader(reader)));
    },
  );

  app.post(
    '/incidents/:id/case',
    {
      bodyLimit: incidentBytesMax,
      config: { roles: ['author'], jsonValuesMax: incidentValuesMax },
      schema: {
        tags: ['incidents'],
        summary: "Draft a case from an incident: a suite's active revision with that case besides",
        params,
        body: incidentCaseRequestSchema,
        response: withProblems({ 201: incidentSchema }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const { id } = request.params;
      const { gate } = await findIncident(database, id);
      requireGate(reader, gate);
      await requireIncident(reader, id, await suiteFor(database, gate, request.body.suite));
      await draftCase(authoring, id, request.body, reader.tokenId);
      return reply.code(201).send(await readIncident(incidents, id, asReader(reader)));
    },
  );

  app.post(
    '/incidents/:id/proof',
    {
      bodyLimit: proofBytesMax,
      config: { roles: ['author'] },
      schema: {
        tags: ['incidents'],
        summary: "Run an incident's case on the build that escaped and on one that mends it",
        description:
          'It proves the case if that fails on the one and passes on the other. Before, no revision that holds the case can be activated.',
        params,
        body: z.strictObject({ fix: scoreRequestSchema.shape.candidate }),
        response: withProblems({ 200: incidentSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      const { id } = request.params;
      await requireIncident(reader, id);
      await proveIncident(proving, id, await digestOfFix(request.body.fix), reader.tokenId);
      return readIncident(incidents, id, asReader(reader));
    },
  );

  async function digestOfFix(fix: z.infer<typeof scoreRequestSchema>['candidate']): Promise<string> {
    if ('digest' in fix) return fix.digest;
    const bytes = Buffer.from(fix.source, 'utf8');
    if (bytes.length > candidateBytesMax) {
      throw new RequestError('body_too_large', `a candidate has at most ${candidateBytesMax} bytes`);
    }
    return storeCandidate(database, bytes);
  }

  app.get(
    '/incidents',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['incidents'],
        summary: 'List incidents, newest first; what happened, for authors alone',
        querystring: z.strictObject({
          gate: slugSchema.optional(),
          limit: z.coerce.number().int().min(1).max(200).default(50),
        }),
        response: withProblems({ 200: z.strictObject({ incidents: z.array(incidentSchema) }) }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      const { gate, limit } = request.query;
      if (gate !== undefined) requireGate(reader, gate);
      const gates = gate === undefined ? reader.gates : [gate];
      return { incidents: await listIncidents(incidents, { gates, limit }, asReader(reader)) };
    },
  );

  app.get(
    '/incidents/:id',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['incidents'],
        summary: 'Read an incident; what happened, for authors alone',
        params,
        response: withProblems({ 200: incidentSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      const { gate } = await findIncident(database, request.params.id);
      requireGate(reader, gate);
      return readIncident(incidents, request.params.id, asReader(reader));
    },
  );

  app.get(
    '/gates/:gate/escapes',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['incidents'],
        summary: 'How many bugs are known to have got past a gate, over time, and out of how many merges',
        params: z.strictObject({ gate: slugSchema }),
        querystring: z.strictObject({
          from: instantSchema.optional().describe('90 days ago unless said.'),
          to: instantSchema.optional(),
          bucket: escapesSchema.shape.bucket.default('week'),
        }),
        response: withProblems({ 200: escapesSchema }),
      },
    },
    async (request) => {
      const { gate } = request.params;
      const reader = readerOf(request);
      requireGate(reader, gate);
      await findGate(database, gate);
      const { bucket, ...asked } = request.query;
      const to = asked.to === undefined ? new Date(Date.now() + 1) : new Date(asked.to);
      const from = asked.from === undefined ? new Date(to.getTime() - spanMsDefault) : new Date(asked.from);
      const slotMs = hearsInSlots(reader) ? incidents.slotMs : undefined;
      return { gate, bucket, buckets: await countEscapes(database, gate, { from, to, bucket, slotMs }) };
    },
  );
};

/** Why no case was drafted, with the id of the incident: that is recorded, and would else be recorded again. */
function withIncident(id: string, error: unknown): unknown {
  if (!(error instanceof SuiteError || error instanceof GateError)) return error;
  const message = `incident ${id} is recorded, but no case was drafted from it: ${error.message}`;
  return error instanceof SuiteError
    ? new SuiteError(error.code, message, { cause: error })
    : new GateError(error.code, message, { cause: error });
}

/** What a reader may see: authors, what happened and what the case is called, if it is of a suite of theirs. */
function asReader({ tokenId, role, suites }: Reader): IncidentReader {
  const mayRead = role === 'author' || role === 'admin';
  return {
    tokenId,
    knows: (suite) => isWithinLimits(suites, suite),
    sees: (suite) => mayRead && (suite === undefined ? suites === null : isWithinLimits(suites, suite)),
  };
}
