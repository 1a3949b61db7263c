/** `/candidates`, `/score`, `/scores`, `/verdict`: what CI asks, and what became of it. */
import type { FastifyPluginAsyncZod, ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { listAlarms } from '../../gate/alarms.ts';
import { storeCandidate } from '../../gate/candidates.ts';
import {
  disclosedScoreSchema,
  finishedScoreSchema,
  raisedAlarmSchema,
  replaySchema,
  runningScoreSchema,
  type Verdict,
  verdictQuestionSchema,
  verdictSchema,
} from '../../gate/disclosure/disclosed.ts';
import { type Disclosing, disclose } from '../../gate/disclosure/disclosure.ts';
import { changeSchema, digestSchema, scoreRequestSchema, wellFormed } from '../../gate/gate.ts';
import { findScore } from '../../gate/history.ts';
import { approveOverride } from '../../gate/overrides.ts';
import { findGate } from '../../gate/policies.ts';
import type { Submissions } from '../../gate/submit.ts';
import { findVerdict, keyOf } from '../../gate/verdict.ts';
import { KeptAnswers } from '../../migrations/kept-answers.ts';
import type { Moments } from '../../migrations/moments.ts';
import type { OpenDatabase } from '../../migrations/open-database.ts';
import { candidateBytesMax } from '../../runners/protocol.ts';
import {
  bindQuestion,
  bindRepository,
  readerOf,
  requireGate,
  requireScore,
  requireSuite,
} from '../access.ts';
import { RequestError } from '../problems.ts';
import { withProblems } from '../responses.ts';
import { eventStream, eventsSchema, type ScoreEvents } from '../score-events.ts';

/** A caller waits for a verdict this long unless it says otherwise, and at most so long, in seconds. */
const waitSecondsDefault = 60;
const waitSecondsMax = 600;

/** In JSON a character may take six bytes, as in `\u0000`. */
const scoreBytesMax = candidateBytesMax * 2 + (64 << 10);

/** The answers to so many questions for verdicts are kept, while nothing is committed. */
const verdictsMax = 10_000;

export type ScoreRoutesOptions = {
  disclosing: Disclosing;
  submissions: Submissions;
  moments: Moments;
  events: ScoreEvents;
  durability: OpenDatabase['durability'];
};

export const scoreRoutes: FastifyPluginAsyncZod<ScoreRoutesOptions> = async (app, options) => {
  const { disclosing, submissions, moments, events, durability } = options;
  const { database } = disclosing;
  const verdicts = new KeptAnswers<Verdict>(verdictsMax);

  // Raw bytes are accepted on /candidates alone: the parser lives in a scope of its own.
  await app.register(async (raw) => {
    const types = [
      'application/octet-stream',
      'application/javascript',
      'text/javascript',
      'application/typescript',
    ];
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser(types, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    raw.withTypeProvider<ZodTypeProvider>().post(
      '/candidates',
      {
        bodyLimit: candidateBytesMax,
        config: { roles: ['ci', 'author'] },
        schema: {
          tags: ['scores'],
          summary: "Upload a candidate's bytes",
          consumes: types,
          body: z.custom<Buffer>((body) => body instanceof Buffer && body.length > 0, {
            error: 'is empty: send the bytes of one module',
          }),
          response: withProblems({ 201: z.strictObject({ digest: digestSchema, bytes: z.int() }) }),
        },
      },
      async (request, reply) => {
        reply.code(201);
        return { digest: await storeCandidate(database, request.body), bytes: request.body.length };
      },
    );
  });

  app.post(
    '/score',
    {
      bodyLimit: scoreBytesMax,
      config: { roles: ['ci', 'author'] },
      schema: {
        tags: ['scores'],
        summary: 'Score a candidate and answer with the verdict',
        description:
          'Waits for the verdict as long as `Prefer: wait=N` says (60 seconds unless told otherwise); then, or with `Prefer: respond-async`, answers 202 with the address of the score.',
        headers: z.object({
          prefer: z.string().max(200).optional(),
          'idempotency-key': z.string().min(1).max(200).optional(),
          traceparent: z
            .string()
            .optional()
            .describe("The caller's own trace, which the trace of the score links to."),
        }),
        body: scoreRequestSchema,
        response: withProblems({ 200: finishedScoreSchema, 202: runningScoreSchema }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      requireGate(reader, request.body.gate);
      const { candidate } = request.body;
      if ('source' in candidate && Buffer.byteLength(candidate.source) > candidateBytesMax) {
        throw new RequestError('body_too_large', `a candidate has at most ${candidateBytesMax} bytes`);
      }
      const submission = {
        request: bindRepository(reader, request.body),
        by: reader.tokenId,
        idempotencyKey: request.headers['idempotency-key'],
        traceparent: request.headers.traceparent,
      };
      const score = await submissions.submit(submission, reader, waitMsOf(request.headers.prefer));
      // Nobody is told before it has ended (see `tell-durable.ts`), and it takes as long as what is asked meanwhile.
      durability.settled().catch(() => {});
      const disclosed = await disclose(disclosing, score, reader);
      if (disclosed.state === 'finished') return reply.code(200).send(disclosed);
      return reply
        .code(202)
        .header('location', `/scores/${score.id}`)
        .header('retry-after', '1')
        .send(disclosed);
    },
  );

  app.get(
    '/scores/:id',
    {
      config: { roles: ['ci', 'harness', 'author', 'lead'] },
      schema: {
        tags: ['scores'],
        summary: 'Read a score as your role may see it',
        params: z.strictObject({ id: z.uuid() }),
        response: withProblems({ 200: disclosedScoreSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      const score = await findScore(database, request.params.id);
      requireScore(reader, score);
      return disclose(disclosing, score, reader);
    },
  );

  app.get(
    '/scores/:id/events',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['scores'],
        summary: 'Follow a score until it has a verdict',
        description:
          'Server-sent events: `state` with how far it has come (`waiting` with its place, `preparing`, `running` with how many trials have ended, `grading`), then one `verdict`, with which the stream ends. A long stream ends without; open it again. Not for tokens that are limited to suites.',
        params: z.strictObject({ id: z.uuid() }),
        response: withProblems({
          200: {
            description: 'Events, each with JSON data.',
            content: { 'text/event-stream': { schema: eventsSchema } },
          },
        }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const score = await findScore(database, request.params.id);
      requireScore(reader, score);
      return reply.type(eventStream).header('cache-control', 'no-store').send(events.open(score, reader));
    },
  );

  app.post(
    '/scores/:id/replay',
    {
      config: { roles: ['author'] },
      schema: {
        tags: ['scores'],
        summary: 'Run a score again on the same inputs, and make failing ones small',
        description:
          'The stored candidate runs against the revisions of then, on inputs made from the recorded seed. Nothing is stored but that it was asked for, and it counts against nothing. A score that repeats a verdict replays the one that it repeats.',
        params: z.strictObject({ id: z.uuid() }),
        response: withProblems({ 200: replaySchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      const score = await findScore(database, request.params.id);
      requireScore(reader, score);
      return submissions.replay(score, reader);
    },
  );

  app.post(
    '/scores/:id/override',
    {
      config: { roles: ['lead'] },
      schema: {
        tags: ['scores'],
        summary: 'Approve that a blocked commit and candidate may merge',
        description:
          'Limited to the gate, change, commit and candidate of the score, which stays as it is. Where the gate asks for two people, two have to approve.',
        params: z.strictObject({ id: z.uuid() }),
        body: z.strictObject({ reason: wellFormed(2_000).describe('Why, for those who read history.') }),
        response: withProblems({ 200: disclosedScoreSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      const score = await findScore(database, request.params.id);
      requireScore(reader, score);
      // Who overrides a block overrides every suite of the gate.
      for (const suite of (await findGate(database, score.gate)).suites) requireSuite(reader, suite);
      await approveOverride(database, score, reader, request.body.reason);
      return disclose(disclosing, score, reader);
    },
  );

  app.get(
    '/alarms',
    {
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['scores'],
        summary:
          'Candidates that look as if they had seen a suite, and suites whose references do not behave, newest first',
        querystring: z.strictObject({ limit: z.coerce.number().int().min(1).max(1_000).default(100) }),
        response: withProblems({ 200: z.strictObject({ alarms: z.array(raisedAlarmSchema) }) }),
      },
    },
    async (request) => {
      return { alarms: await listAlarms(database, readerOf(request), request.query.limit) };
    },
  );

  app.get(
    '/verdict',
    {
      config: { roles: ['ci', 'harness', 'author', 'lead'] },
      schema: {
        tags: ['scores'],
        summary: 'May this commit, built to this candidate, merge now?',
        // What no change can have as its id or commit is refused, not looked for.
        querystring: verdictQuestionSchema.extend({
          change: changeSchema.shape.id,
          commit: changeSchema.shape.commit,
          repository: changeSchema.shape.repository,
        }),
        response: withProblems({ 200: verdictSchema }),
      },
    },
    async (request) => {
      const reader = readerOf(request);
      requireGate(reader, request.query.gate);
      const question = bindQuestion(reader, request.query);
      const moment = request.moment ?? (await moments.now());
      return verdicts.ask(keyOf(question, reader), moment, () => findVerdict(disclosing, question, reader));
    },
  );
};

/** How long a caller wants to wait, in milliseconds (RFC 7240). */
function waitMsOf(prefer: string | undefined): number {
  if (prefer === undefined) return waitSecondsDefault * 1_000;
  const [, seconds] = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?/i.exec(prefer) ?? [];
  if (seconds !== undefined) return Math.min(Number(seconds), waitSecondsMax) * 1_000;
  return /(?:^|[,;\s])respond-async/i.test(prefer) ? 0 : waitSecondsDefault * 1_000;
}
