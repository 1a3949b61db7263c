/** Whether this process can score: what `/readyz` tells, to anybody, so that it names what is amiss and nothing about it. */
import { z } from 'zod';
import { takesWrites } from '../gate/history.ts';
import type { Database, OpenDatabase } from '../migrations/open-database.ts';
import { type WallMeans, wallsSchema } from '../runners/walls/wall.ts';
import { inTime } from './in-time.ts';

export const readinessSchema = z.strictObject({
  status: z.enum(['ready', 'not_ready']),
  stopping: z.boolean().describe('It was told to stop: it ends what is under way, and then itself.'),
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

export class ReadinessCheck {
  readonly #parts: ReadinessParts;
  /** What the probe found; before it has ended nothing is known to hold. */
  containment: Readiness['containment'] = 'broken';
  /** Whether the process was told to stop. */
  stopping = false;
  #asking: Promise<boolean | undefined> | undefined;

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  async now(): Promise<Readiness> {
    const { database, durability, runners, graders, walls } = this.#parts;
    const held = {
      database: await this.#databaseAnswers(database),
      journal: durability.failure === undefined,
      runners: !runners.closed && runners.canStart,
      graders: !graders.closed && graders.canStart,
    };
    const isReady = Object.values(held).every((holds) => holds) && !this.stopping;
    return {
      status: isReady ? 'ready' : 'not_ready',
      stopping: this.stopping,
      ...held,
      containment: this.containment,
      walls,
    };
  }

  /** Asked once for all who ask meanwhile: anybody may ask, as often as they like. */
  async #databaseAnswers(database: Database): Promise<boolean> {
    this.#asking ??= inTime(takesWrites(database)).finally(() => {
      this.#asking = undefined;
    });
    return (await this.#asking) === true;
  }
}
