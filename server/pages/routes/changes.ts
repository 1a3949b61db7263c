/** `/ui/changes` and the overruling of a block: what was tried of changes, and who let one merge all the same. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { findChangedCases } from '../../../gate/compare-attempts.ts';
import { blockReasons } from '../../../gate/decide.ts';
import type { DisclosedScore, FinishedScore } from '../../../gate/disclosure/disclosed.ts';
import { discloseAttempts } from '../../../gate/disclosure/disclosure.ts';
import { GateError } from '../../../gate/errors.ts';
import { changeSchema, type Gate, wellFormed } from '../../../gate/gate.ts';
import { findScore, type ScoreRecord } from '../../../gate/history.ts';
import { isWithinLimits } from '../../../gate/limits.ts';
import { approveOverride } from '../../../gate/overrides.ts';
import { findGate, listGates } from '../../../gate/policies.ts';
import { slugSchema } from '../../../suites/suite.ts';
import { readerOf, requireGate, requireSuite } from '../../access.ts';
import type { AppParts } from '../../app.ts';
import { daySchema } from '../../instant.ts';
import { findAttempts } from '../../routes/changes.ts';
import { findTokenNames, type Reader } from '../../tokens.ts';
import { changePage } from '../change-page.ts';
import { changePath } from '../change-path.ts';
import { changesPage } from '../changes-page.ts';
import { emptyIsNone } from '../empty-is-none.ts';
import { overridePage, reasonCharsMax } from '../override-page.ts';
import { showPage } from '../show-page.ts';
import { visitOf } from '../signed-in.ts';

/** So many attempts stand side by side, and so many in the list of those that were looked for. */
const sideBySideMax = 8;
const listedMax = 40;

const cursor = z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER).optional();
const name = emptyIsNone(wellFormed(300));

const searchSchema = z.strictObject({
  gate: emptyIsNone(slugSchema),
  change: name,
  repository: name,
  author: name,
  agent: name,
  model: name,
  verdict: emptyIsNone(z.enum(['merge', 'block'])),
  reason: emptyIsNone(z.enum(['green', ...blockReasons])),
  from: emptyIsNone(daySchema).describe('A day, in UTC; it begins there.'),
  to: emptyIsNone(daySchema).describe('The last day.'),
  cursor,
});

export const changePages: FastifyPluginAsyncZod<{ parts: AppParts }> = async (app, { parts }) => {
  const { database, seals } = parts.authoring;
  const disclosing = { database, seals, slotMs: parts.slotMs };
  const config = { roles: ['author', 'lead'] as const };

  app.get('/changes', { config, schema: { querystring: searchSchema } }, async (request, reply) => {
    const reader = readerOf(request);
    const { from, to, ...asked } = request.query;
    const [found, gates] = await Promise.all([
      findAttempts(disclosing, reader, {
        ...asked,
        ...(from === undefined ? {} : { from: new Date(from).toISOString() }),
        ...(to === undefined ? {} : { to: new Date(Date.parse(to) + dayMs).toISOString() }),
        limit: listedMax,
      }),
      listGates(database),
    ]);
    const names = gates.map(({ gate }) => gate).filter((gate) => isWithinLimits(reader.gates, gate));
    const content = changesPage({ ...found, asked: request.query, gates: names });
    return showPage(request, reply, { title: 'Changes', here: 'changes' }, content);
  });

  app.get(
    '/changes/:change',
    {
      config,
      schema: {
        params: z.strictObject({ change: changeSchema.shape.id }),
        querystring: z.strictObject({ gate: slugSchema, repository: name, cursor }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const { change } = request.params;
      const { gate } = request.query;
      const asked = { ...request.query, change, limit: sideBySideMax };
      const { scores: attempts, next } = await findAttempts(disclosing, reader, asked);
      const finished = attempts.filter(({ state }) => state === 'finished').map(({ id }) => id);
      const [{ suites }, changed, names] = await Promise.all([
        findGate(database, gate),
        findChangedCases(database, finished, reader.suites),
        findTokenNames(database, attempts.flatMap(approversOf)),
      ]);
      const content = changePage({
        ...{ gate, change, attempts, next, changed, names },
        mayOverride: mayOverride(reader, suites),
      });
      return showPage(request, reply, { title: change, here: 'changes' }, content);
    },
  );

  const params = z.strictObject({ id: z.uuid() });

  app.get(
    '/scores/:id/override',
    { config: { roles: ['lead'] }, schema: { params } },
    async (request, reply) => {
      const { score, gate } = await findBlocked(request.params.id, readerOf(request));
      const content = overridePage({ score, gate, csrf: visitOf(request).csrf });
      return showPage(request, reply, { title: 'Let a blocked change merge', here: 'changes' }, content);
    },
  );

  app.post(
    '/scores/:id/override',
    {
      config: { roles: ['lead'] },
      schema: { params, body: z.strictObject({ reason: wellFormed(reasonCharsMax) }) },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const { record } = await findBlocked(request.params.id, reader);
      await approveOverride(database, record, reader, request.body.reason);
      const { gate, change } = record;
      const path = changePath({ gate, change: change.id, repository: change.repository });
      return reply.redirect(path, 303);
    },
  );

  /** A score that the reader may overrule; throws where there is nothing to overrule, or not for them. */
  async function findBlocked(
    id: string,
    reader: Reader,
  ): Promise<{ record: ScoreRecord; score: FinishedScore; gate: Gate }> {
    const record = await findScore(database, id);
    requireGate(reader, record.gate);
    const gate = await findGate(database, record.gate);
    // Who overrides a block overrides every suite of the gate.
    for (const suite of gate.suites) requireSuite(reader, suite);
    const [score] = await discloseAttempts(disclosing, [record], reader);
    if (score?.state !== 'finished' || score.verdict !== 'block') {
      throw new GateError('override_not_needed', `score ${id} has no verdict that blocks`);
    }
    return { record, score, gate };
  }
};

/** Those who approved, as far as they are tokens: without an owner a token is a person of its own. */
export function approversOf(score: DisclosedScore): string[] {
  const approvals = score.state === 'finished' ? (score.override?.approvals ?? []) : [];
  return approvals.map(({ person }) => person).filter((person) => z.uuid().safeParse(person).success);
}

function mayOverride({ role, suites }: Reader, ofGate: string[]): boolean {
  return role !== 'author' && ofGate.every((suite) => isWithinLimits(suites, suite));
}

const dayMs = 24 * 60 * 60 * 1_000;
