/** Whether this process can score: what `/readyz` tells, to anybody, so that it names what is amiss and nothing about it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { takesWrites } from '../gate/history.ts';
import type { Database, OpenDatabase } from '../migrations/open-database.ts';
import { type WallMeans, wallsSchema } from '../runners/walls/wall.ts';

export const readinessSchema = z.strictObject({
  status: z.enum(['ready', 'not_ready']),
  database: z.boolean().describe('It answers, and takes writes.'),
  journal: z.boolean().describe('What was committed can be brought to the disk.'),
  runners: z.boolean().describe('Hosts of candidates start.'),
  graders: z.boolean().describe('Hosts of the grader start.'),
  containment: z
    .enum(['holds', 'broken'])
    .describe(
      'What the probe at start found. A service starts in spite of `broken` only with HOLDBACK_UNSAFE_RUNNERS=1.',
    ),
  walls: wallsSchema.describe(
    'By which means runner processes are held, besides what each of them has anyway.',
  ),
});
export type Readiness = z.infer<typeof readinessSchema>;

/** Where hosts come from. */
type Pool = { readonly closed: boolean; readonly canStart: boolean };

type ReadinessParts = {
  database: Database;
  durability: OpenDatabase['durability'];
  runners: Pool;
  graders: Pool;
  walls: WallMeans;
};

/** A database that does not answer within so long is none, in milliseconds. */
const databaseMsMax = 2_000;

export class ReadinessCheck {
  readonly #parts: ReadinessParts;
  /** What the probe found; before it has ended nothing is known to hold. */
  containment: Readiness['containment'] = 'broken';

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  async now(): Promise<Readiness> {
    const { database, durability, runners, graders, walls } = this.#parts;
    const held = {
      database: await answersInTime(takesWrites(database)),
      journal: durability.failure === undefined,
      runners: !runners.closed && runners.canStart,
      graders: !graders.closed && graders.canStart,
    };
    const isReady = Object.values(held).every((holds) => holds);
    return { status: isReady ? 'ready' : 'not_ready', ...held, containment: this.containment, walls };
  }
}

async function answersInTime(asking: Promise<boolean>): Promise<boolean> {
  const timeout = new AbortController();
  const answer = await Promise.race([
    asking.catch(() => false),
    sleep(databaseMsMax, false, { signal: timeout.signal }),
  ]);
  timeout.abort();
  return answer;
}
