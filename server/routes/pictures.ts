/**
 * `/gates/{gate}/badge.svg` and `/gates/{gate}/trends.svg`: pictures for READMEs and comments, which browsers ask for without a token. They
 * tell verdicts, and only those that agents have heard of. Of a gate that does not show them to everybody nothing is told, not even
 * that there is one.
 */
import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { findChangeState } from '../../gate/change-state.ts';
import { changeSchema } from '../../gate/gate.ts';
import { isWithinLimits } from '../../gate/limits.ts';
import { findGateIfAny } from '../../gate/policies.ts';
import type { Trend } from '../../gate/trends/trend.ts';
import { findTrend } from '../../gate/trends/trends.ts';
import type { Database } from '../../migrations/open-database.ts';
import { slugSchema } from '../../suites/suite.ts';
import { fittingBucket } from '../pages/fitting-bucket.ts';
import { withProblems } from '../responses.ts';
import type { Reader } from '../tokens.ts';

/** A picture is looked at by many, and may be so old, in seconds. */
const agedMax = 60;

/** Of so many gates and periods trends are remembered meanwhile. */
const trendsMax = 500;

const dayMs = 86_400_000;
const badgeDays = 30;
const pictureDays = [7, 30, 90, 365] as const;
const pictureDaysDefault = 90;

/** Only what a picture needs of a browser. */
const badgePolicy = "default-src 'none'; frame-ancestors 'none'";

const svgResponse = {
  description: 'A picture. One that is not public looks the same whether or not there is such a gate.',
  content: { 'image/svg+xml': { schema: z.string() } },
} as const;

export const pictureRoutes: FastifyPluginAsyncZod<{ database: Database; slotMs: number }> = async (
  app,
  { database, slotMs },
) => {
  const params = z.strictObject({ gate: slugSchema });
  // Who asks while a trend is being counted waits for the same: nobody needs a token to ask.
  const trends = new LRUCache<string, Trend, { gate: string; days: number }>({
    max: trendsMax,
    ttl: agedMax * 1_000,
    fetchMethod: async (_key, _known, { context: { gate, days } }) => countTrend(gate, days),
  });
  // What draws is loaded when the first picture is asked for: a service that only scores need not read it.
  const badges = () => import('../pages/badge.ts');

  /** Whether the gate's pictures are for whoever asks. */
  async function isShown(gate: string, reader: Reader | null): Promise<boolean> {
    const found = await findGateIfAny(database, gate);
    return found !== undefined && (found.publicBadges || mayAlways(reader, gate));
  }

  /** How attempts came out that everybody has heard of. */
  async function trendOf(gate: string, days: number): Promise<Trend> {
    return trends.forceFetch(`${gate} ${days}`, { context: { gate, days } });
  }

  async function countTrend(gate: string, days: number): Promise<Trend> {
    const now = new Date();
    const midnight = Math.floor(now.getTime() / dayMs) * dayMs;
    const from = new Date(midnight - (days - 1) * dayMs).toISOString();
    const bucket = fittingBucket(days * dayMs, false);
    return findTrend(database, { gate, from, bucket }, { gates: null, slotMs }, now);
  }

  app.get(
    '/gates/:gate/badge.svg',
    {
      config: { looksAtToken: true },
      schema: {
        tags: ['gates'],
        summary: 'A badge: how many attempts passed of late, or how a change stands',
        description:
          'Without a token where the policy says `publicBadges`. With `change`, the state of its newest attempt: merge, block or waiting.',
        params,
        querystring: z.strictObject({
          change: changeSchema.shape.id.optional().describe('The change whose state is shown.'),
          repository: changeSchema.shape.repository.describe('Its repository, if it was scored with one.'),
          commit: changeSchema.shape.commit.optional().describe('Of this commit; the newest unless said.'),
        }),
        response: withProblems({ 200: svgResponse }),
      },
    },
    async (request, reply) => {
      const { gate } = request.params;
      const { change, repository, commit } = request.query;
      const { changeBadge, notPublicBadge, rateBadge } = await badges();
      if (!(await isShown(gate, request.reader))) return sendSvg(request, reply, notPublicBadge, badgePolicy);
      if (change !== undefined) {
        const state = await findChangeState({ database, slotMs }, { gate, change, repository, commit });
        return sendSvg(request, reply, changeBadge(gate, state), badgePolicy);
      }
      const [series] = (await trendOf(gate, badgeDays)).series;
      const rate = series?.total.passRate ?? { count: 0, of: 0, rate: null, low: 0, high: 1 };
      return sendSvg(request, reply, rateBadge(gate, rate, badgeDays), badgePolicy);
    },
  );

  app.get(
    '/gates/:gate/trends.svg',
    {
      config: { looksAtToken: true },
      schema: {
        tags: ['gates'],
        summary: 'A picture of the pass rate over time, with its 95 % interval',
        description: 'Without a token where the policy says `publicBadges`.',
        params,
        querystring: z.strictObject({
          days: z.coerce.number().pipe(z.literal(pictureDays)).default(pictureDaysDefault),
          theme: z
            .enum(['auto', 'light', 'dark'])
            .default('auto')
            .describe('As the viewer has it unless said.'),
        }),
        response: withProblems({ 200: svgResponse }),
      },
    },
    async (request, reply) => {
      const { gate } = request.params;
      if (!(await isShown(gate, request.reader))) {
        return sendSvg(request, reply, (await badges()).notPublicBadge, badgePolicy);
      }
      const { trendPicture } = await import('../pages/trend-picture.ts');
      const { svg, policy } = await trendPicture(
        gate,
        await trendOf(gate, request.query.days),
        request.query,
      );
      return sendSvg(request, reply, svg, policy);
    },
  );
};

/** Those who read history see every gate within their limits; whose token is limited to suites does not see what all of them say. */
function mayAlways(reader: Reader | null, gate: string): boolean {
  if (reader === null) return false;
  const readsHistory = ['author', 'lead', 'admin'].includes(reader.role);
  return readsHistory && reader.suites === null && isWithinLimits(reader.gates, gate);
}

/** Sends a picture that any page may show, and that nobody has to fetch twice. */
function sendSvg(request: FastifyRequest, reply: FastifyReply, svg: string, policy: string): FastifyReply {
  const etag = `"${createHash('sha256').update(svg).digest('base64url').slice(0, 22)}"`;
  const audience = request.headers.authorization === undefined ? 'public' : 'private';
  reply
    .header('cache-control', `${audience}, max-age=${agedMax}`)
    .header('vary', 'authorization')
    .header('etag', etag)
    .header('content-security-policy', policy)
    .header('cross-origin-resource-policy', 'cross-origin');
  const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known?.includes(etag) === true) return reply.code(304).send();
  return reply.type('image/svg+xml; charset=utf-8').send(svg);
}
