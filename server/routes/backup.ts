/**
 * `POST /backup`: all that is kept, in one file, from the live service. For admins whose token is for everything: suites and failures
 * are sealed in it, builds and who did what are not. The identity is not in it.
 */
import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database, OpenDatabase } from '../../migrations/open-database.ts';
import type { Rotation } from '../../suites/sealing/rotation.ts';
import { readerOf, requireUnlimited } from '../access.ts';
import { RequestError } from '../problems.ts';
import { withProblems } from '../responses.ts';

/** Whoever takes nothing of it for so long, in milliseconds, is not waited for: files or a transaction are kept open meanwhile. */
const stalledMsMax = 60_000;

export type BackupRoutesOptions = { database: Database; rotation: Rotation; backUp: OpenDatabase['backUp'] };

export const backupRoutes: FastifyPluginAsyncZod<BackupRoutesOptions> = async (app, options) => {
  const { database, rotation, backUp } = options;
  let isRunning = false;

  app.post(
    '/backup',
    {
      config: { roles: ['admin'] },
      schema: {
        tags: ['backup'],
        summary: 'Take a backup',
        description:
          'One file with all that was committed before, while the service goes on; `holdback restore` makes a database of it. Its records carry digests of themselves and of what is before them, and the last one closes it: a file without that was cut off. The identity that opens what is sealed is not in it.',
        response: withProblems({
          200: {
            description: 'The backup.',
            content: { 'application/octet-stream': { schema: z.unknown() } },
          },
        }),
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      requireUnlimited(reader, 'a backup');
      const { recipient, state } = rotation.state;
      if (state === 'resealing')
        throw new RequestError(
          'identity_rotating',
          'what would be in the backup is being sealed anew: wait until GET /identity says settled',
        );
      if (isRunning)
        throw new RequestError('backup_running', 'this process takes one backup at a time: wait for that');
      isRunning = true;
      let chunks: AsyncGenerator<Buffer> | undefined;
      const end = async () => {
        isRunning = false;
        await chunks?.return(undefined);
      };
      try {
        // In the backup, too.
        await appendAudit(database, { by: reader.tokenId, action: 'backup.taken', about: { recipient } });
        chunks = backUp({ takenAt: new Date().toISOString(), recipient });
        const first = await chunks.next();
        const stream = Readable.from(
          paced(first, chunks, () => stream.destroy(new Error('nobody reads it'))),
        );
        stream.once('close', () => void end().catch(() => {}));
        return reply
          .type('application/octet-stream')
          .header('content-disposition', 'attachment; filename="holdback.backup"')
          .send(stream);
      } catch (error) {
        await end();
        throw error;
      }
    },
  );
};

/** Hands the pieces on, and gives up where nobody takes one. */
async function* paced(
  first: IteratorResult<Buffer>,
  chunks: AsyncGenerator<Buffer>,
  giveUp: () => void,
): AsyncGenerator<Buffer> {
  for (let next = first; next.done !== true; next = await chunks.next()) {
    const timer = setTimeout(giveUp, stalledMsMax);
    try {
      yield next.value;
    } finally {
      clearTimeout(timer);
    }
  }
}
