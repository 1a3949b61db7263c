/**
 * `/leaks`: whether cases of sealed suites turn up in a text. It is for authors and leads alone: whoever may ask it about any
 * text can learn by it whether a guess was right.
 */
import type { FastifyPluginAsyncZod, ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isWithinLimits } from '../../gate/limits.ts';
import type { Database } from '../../migrations/open-database.ts';
import { SuiteError } from '../../suites/errors.ts';
import { findLeaks } from '../../suites/leaks/find-leaks.ts';
import { leaksSchema, textBytesMax } from '../../suites/leaks/leaks.ts';
import type { OpenedSuites } from '../../suites/opened-suites.ts';
import { findSuite, listActive, type RevisionName } from '../../suites/revisions.ts';
import { slugSchema } from '../../suites/suite.ts';
import { readerOf, requireSuite } from '../access.ts';
import { withProblems } from '../responses.ts';
import type { Reader } from '../tokens.ts';

export type LeakRoutesOptions = { database: Database; suites: OpenedSuites };

export const leakRoutes: FastifyPluginAsyncZod<LeakRoutesOptions> = async (app, { database, suites }) => {
  const types = ['application/octet-stream', 'text/plain'];
  // Raw bytes are accepted here alone: the parser lives in this plugin's scope.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(types, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.withTypeProvider<ZodTypeProvider>().post(
    '/leaks',
    {
      bodyLimit: textBytesMax,
      config: { roles: ['author', 'lead'] },
      schema: {
        tags: ['suites'],
        summary: 'Look for sealed cases in a text',
        description:
          'The body is the text as it is: a file, a diff, what an agent remembers. Of what is no UTF-8 the ASCII in it is read.',
        consumes: types,
        querystring: z.strictObject({
          suite: slugSchema.optional().describe('The suite to look for; without it, all active revisions.'),
        }),
        body: z.custom<Buffer>((body) => body instanceof Buffer && body.length > 0, {
          error: 'is empty: send the text to look through',
        }),
        response: withProblems({ 200: leaksSchema }),
      },
    },
    async (request) => {
      const names = await revisionsFor(database, readerOf(request), request.query.suite);
      // Of what is no UTF-8, and of UTF-16, the ASCII in it is read.
      return findLeaks(suites, names, new TextDecoder().decode(request.body));
    },
  );
};

/** The active revisions that a reader may look for. Throws `suite_forbidden`, `suite_not_found` and `revision_not_found`. */
async function revisionsFor(
  database: Database,
  reader: Reader,
  suite: string | undefined,
): Promise<RevisionName[]> {
  if (suite === undefined) {
    const active = await listActive(database);
    return active.filter((name) => isWithinLimits(reader.suites, name.suite));
  }
  requireSuite(reader, suite);
  const { activeRevision } = await findSuite(database, suite);
  if (activeRevision !== null) return [{ suite, revision: activeRevision }];
  throw new SuiteError('revision_not_found', `suite ${suite} has no active revision: activate one`);
}
