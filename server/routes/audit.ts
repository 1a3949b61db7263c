/**
 * `/audit`: who did what and when, for leads and admins whose token is for every gate and suite, because it names all of
 * them. It is answered as it is stored and always whole, so that its reader can check it: `holdback audit verify` does.
 */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { auditFaultSchema, auditHeadSchema, auditRecordSchema } from '../../gate/audit/audit-chain.ts';
import type { AuditLog } from '../../gate/audit/audit-log.ts';
import { readerOf, requireUnlimited } from '../access.ts';
import { pageOf } from '../page-of.ts';
import { withProblems } from '../responses.ts';

const tags = ['audit'];
const config = { roles: ['lead'] as const };

const page = z.strictObject({
  after: z.coerce.number().int().min(0).default(0).describe("An earlier answer's `next`."),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
const nextSchema = z.number().nullable().describe('What to give as `after` for what follows, or null.');

export const auditRoutes: FastifyPluginAsyncZod<{ auditLog: AuditLog }> = async (app, { auditLog }) => {
  app.get(
    '/audit',
    {
      config,
      schema: {
        tags,
        summary: 'Read the audit, oldest first',
        querystring: page,
        response: withProblems({
          200: z.strictObject({ records: z.array(auditRecordSchema), next: nextSchema }),
        }),
      },
    },
    async (request) => {
      requireUnlimited(readerOf(request), 'the audit');
      const { after, limit } = request.query;
      const { page: records, next } = pageOf(await auditLog.records(after, limit + 1), limit);
      return { records, next };
    },
  );

  app.get(
    '/audit/heads',
    {
      config,
      schema: {
        tags,
        summary: "Read the audit's signed heads, oldest first",
        querystring: page,
        response: withProblems({
          200: z.strictObject({ heads: z.array(auditHeadSchema), next: nextSchema }),
        }),
      },
    },
    async (request) => {
      requireUnlimited(readerOf(request), 'the audit');
      const { after, limit } = request.query;
      const { page: heads, next } = pageOf(await auditLog.heads(after, limit + 1), limit);
      return { heads, next };
    },
  );

  app.get(
    '/audit/head',
    {
      config,
      schema: {
        tags,
        summary: "Sign the audit's newest record, and read the newest head",
        description:
          'Keep a head where the service cannot reach it: whatever is done to the audit later, it must still hold that record.',
        response: withProblems({
          200: z.strictObject({
            publicKey: auditHeadSchema.shape.publicKey.describe('The key that the service signs with.'),
            head: auditHeadSchema.nullable().describe('Null before anything was recorded.'),
            fault: auditFaultSchema
              .nullable()
              .describe('Why what followed this head is not signed: the records do not go on from it.'),
          }),
        }),
      },
    },
    async (request) => {
      requireUnlimited(readerOf(request), 'the audit');
      return { publicKey: auditLog.publicKey, ...(await auditLog.newestHead()) };
    },
  );
};
