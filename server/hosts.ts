/**
 * The processes in which foreign code runs: the walls that they are started behind, the code that they load, and the first of them. To
 * start them takes longest and needs the least of our own code, so it can be begun before the rest is read.
 */
import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import { bundleHost, bundleRealm, type HostCode } from '../runners/bundle.ts';
import { prepareNursery } from '../runners/nursery/nursery.ts';
import { HostPool } from '../runners/pool.ts';
import { limitsSchema } from '../runners/protocol.ts';
import { type FoundWalls, findWalls, type WantedWalls } from '../runners/walls/find-walls.ts';
import { holdFolder } from './host-folders.ts';

/** Hosts for one purpose, and the folder that they read their code from. */
export type HostSource = { code: HostCode; pool: HostPool };

/** What hosts do, which of our modules become part of their code, and how large their isolates are, in MiB. */
type Purpose = { task: URL; realms: Record<string, URL>; isolateMb: number };

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const moduleAt = (path: string) => new URL(`${path}${extension}`, import.meta.url);

const { isolateMb } = limitsSchema.parse({});

const forCandidates: Purpose = {
  task: moduleAt('../runners/host/candidate-task'),
  realms: { REALM_SOURCE: moduleAt('../runners/realm/main') },
  isolateMb,
};

const forMutants: Purpose = { ...forCandidates, task: moduleAt('../runners/host/mutant-task') };

const forGrading: Purpose = {
  task: moduleAt('../suites/grader/task'),
  realms: {
    EXPECTATION_REALM: moduleAt('../suites/grader/expectation-realm'),
    SUITE_REALM: moduleAt('../suites/grader/suite-realm'),
  },
  isolateMb: 256,
};

export class Hosts {
  readonly walls: Promise<FoundWalls>;
  readonly runners: Promise<HostSource>;
  readonly graders: Promise<HostSource>;
  readonly #made: HostSource[] = [];
  #closing: Promise<void> | undefined;

  /** Whoever waits for one of the parts hears why it failed, and `close` ends what did not. */
  constructor(wanted: WantedWalls) {
    prepareNursery();
    this.walls = findWalls(wanted);
    this.runners = this.#make(forCandidates);
    this.graders = this.#make(forGrading);
    this.#startFirst().catch(() => {});
    for (const part of [this.walls, this.runners, this.graders]) part.catch(() => {});
  }

  /** Hosts for mutants: none is kept ready, because nobody waits for the first of them. */
  async startMutants(): Promise<{ pool: HostPool; close(): Promise<void> }> {
    const made = await make(forMutants, this.walls);
    return { pool: made.pool, close: () => end(made) };
  }

  /** Ends all but those for mutants, also what is still starting. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #make(purpose: Purpose): Promise<HostSource> {
    const made = await make(purpose, this.walls);
    this.#made.push(made);
    if (this.#closing !== undefined) void made.pool.close();
    return made;
  }

  /** As many as the probe needs, and at once no more than leave this process a core, on which it reads its code. */
  async #startFirst(): Promise<void> {
    const [runners, graders] = await Promise.all([this.runners, this.graders]);
    const turns = pLimit(Math.max(1, availableParallelism() - 1));
    await Promise.all([
      turns(() => runners.pool.prestart(1)),
      turns(() => runners.pool.prestart(2)),
      turns(() => graders.pool.prestart(1)),
    ]);
  }

  async #close(): Promise<void> {
    // At once, so that what waits for one of them goes on.
    for (const { pool } of this.#made) void pool.close();
    await Promise.allSettled([this.runners, this.graders]);
    await Promise.all(this.#made.map(end));
  }
}

async function make({ task, realms, isolateMb }: Purpose, finding: Promise<FoundWalls>): Promise<HostSource> {
  const code = await bundleHost(task, realms).then(holdFolder);
  try {
    const { walls } = await finding;
    return { code, pool: new HostPool({ code, size: 0, isolateMb, walls }) };
  } catch (error) {
    await code.remove();
    throw error;
  }
}

async function end({ code, pool }: HostSource): Promise<void> {
  await pool.close();
  await code.remove();
}

/** The script that makes the inputs of generated cases. */
export function bundleGenerator(): Promise<string> {
  return bundleRealm(moduleAt('../suites/grader/generator-realm'));
}
