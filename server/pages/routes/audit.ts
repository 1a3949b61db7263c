/** `/ui/audit`: the audit, for those who may read it on the API. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { auditEntrySchema } from '../../../gate/audit/audit-chain.ts';
import { searchAudit } from '../../../gate/audit/search-audit.ts';
import { auditActions } from '../../../migrations/append-audit.ts';
import { readerOf, requireUnlimited } from '../../access.ts';
import type { AppParts } from '../../app.ts';
import { findTokenNames } from '../../tokens.ts';
import { auditPage } from '../audit-page.ts';
import { emptyIsNone } from '../empty-is-none.ts';
import { showPage } from '../show-page.ts';

const recordsMax = 50;

const querySchema = z.strictObject({
  action: emptyIsNone(z.enum(auditActions)),
  by: emptyIsNone(z.string().max(500)),
  text: emptyIsNone(z.string().max(200)),
  before: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
});

export const auditPages: FastifyPluginAsyncZod<{ parts: AppParts }> = async (app, { parts }) => {
  const { database } = parts.authoring;

  app.get(
    '/audit',
    { config: { roles: ['lead'] }, schema: { querystring: querySchema } },
    async (request, reply) => {
      requireUnlimited(readerOf(request), 'the audit');
      const { action, by, text, before } = request.query;
      const found = await searchAudit(database, { action, by, text, before, limit: recordsMax });
      const actors = found.records.flatMap(({ entry }) => actorOf(entry));
      const [names, { head, fault }] = await Promise.all([
        findTokenNames(database, actors),
        parts.auditLog.newestHead(),
      ]);
      const content = auditPage({ found, asked: { action, by, text }, names, head, fault });
      return showPage(request, reply, { title: 'Audit', here: 'audit' }, content);
    },
  );
};

function actorOf(entry: string): string[] {
  try {
    const { by } = auditEntrySchema.parse(JSON.parse(entry));
    return z.uuid().safeParse(by).success ? [by] : [];
  } catch {
    // What does not parse is shown as such.
    return [];
  }
}
