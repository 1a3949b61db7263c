/**
 * Finds out which walls this system offers, by building them: what a version or a setting promises does not count. A program that does
 * what an escaped candidate would is started behind the best of each. Where it does not start, or one of them does not keep it from what
 * it should, each is tried by itself, in each way there is to build it, and then it is started behind those that stand.
 */
import { rm } from 'node:fs/promises';
import { RunnerError } from '../errors.ts';
import { madeOnce } from '../made-once.ts';
import { isShortage, makePlace, type Place, probe, whyNot } from './probe.ts';
import { noMeans, standing, type Wall, wallSchema } from './wall.ts';
import { noWalls, type WallPlan, Walls } from './walls.ts';
import { type Chosen, findSystem, planOf, type System, type Way } from './ways.ts';

/** Which walls are wanted: whichever hold, none, or whichever hold but these at least. */
export type WantedWalls = 'auto' | 'none' | readonly Wall[];

export type FoundWalls = {
  walls: Walls;
  /** Why others do not stand, in words. */
  missing: Partial<Record<Wall, string>>;
};

/** What may be tried once more, and more closely, need not have that long, in milliseconds. */
const soonMs = 5_000;

/** Why nobody else has the wall `user`. */
const onlyRoot = 'only root can become another user';

/** When walls that stand each alone do not stand together, they are given up in this order. */
const givenUpFirst: readonly Wall[] = ['files', 'user', 'processes', 'network', 'limits', 'privileges'];

/** What was found before: a machine's walls do not change while a process runs on it. */
const findOnce = madeOnce(() => probeWalls());

/**
 * The walls to start hosts behind. Throws `walls_missing` when one is wanted that does not stand, and `host_unavailable` where the system
 * lacks what it takes to try them: then it is not known which stand.
 */
export async function findWalls(wanted: WantedWalls): Promise<FoundWalls> {
  if (wanted === 'none') return { walls: noWalls, missing: {} };
  const { walls, missing } = await findOnce();
  const lacking = wanted === 'auto' ? [] : wanted.filter((wall) => walls.means[wall] === noMeans[wall]);
  if (lacking.length > 0) {
    const reasons = lacking.map((wall) => `${wall} (${missing[wall]})`);
    throw new RunnerError(
      'walls_missing',
      `walls that HOLDBACK_WALLS demands do not stand here: ${reasons.join('; ')}`,
    );
  }
  return { walls, missing };
}

/** The same, tried anew, with programs that are looked for in these folders. */
export async function probeWalls(path = process.env.PATH ?? ''): Promise<FoundWalls> {
  const missing: Partial<Record<Wall, string>> = {};
  if (process.platform !== 'linux') {
    for (const wall of wallSchema.options) missing[wall] = 'this system is not Linux';
    return { walls: noWalls, missing };
  }
  const place = makePlace();
  try {
    const system = findSystem(path);
    const wanted = wallSchema.options.filter((wall) => system.ways[wall].length > 0);
    if (!system.isRoot) missing.user = onlyRoot;
    const all = await tryTogether(wanted, system, place);
    if (all !== undefined) return { walls: all, missing };
    // Older systems lack that one.
    const butFiles = wanted.filter((wall) => wall !== 'files');
    const [files, rest] = await Promise.all([
      findWay('files', system, place),
      tryTogether(butFiles, system, place),
    ]);
    if ('why' in files) missing.files = files.why;
    if (rest !== undefined && 'why' in files) return { walls: rest, missing };
    const chosen = await tryEachAlone(system, place, missing);
    if ('way' in files) chosen.files = files.way;
    return { walls: new Walls(await holdTogether(planOf(system, chosen), place, missing)), missing };
  } catch (error) {
    if (isShortage(error))
      throw new RunnerError('host_unavailable', `walls could not be tried: ${error}`, { cause: error });
    // A system that does not even let us look has no walls, and hosts run nevertheless.
    for (const wall of wallSchema.options) missing[wall] = `they could not be tried: ${error}`;
    return { walls: noWalls, missing };
  } finally {
    await rm(place.folder, { recursive: true, force: true });
  }
}

/**
 * These walls, each built in the best way there is a program for, if it is soon seen that all of them hold. Where it is not, nothing is
 * known: which of them is amiss, and whether another way would do.
 */
async function tryTogether(
  wanted: readonly Wall[],
  system: System,
  place: Place,
): Promise<Walls | undefined> {
  const chosen: Chosen = {};
  for (const wall of wanted) {
    chosen[wall] = system.ways[wall].find(({ needs }) => system.programs[needs] !== undefined);
    if (chosen[wall] === undefined) return undefined;
  }
  const walls = new Walls(planOf(system, chosen));
  const probed = await probe(walls, place, soonMs);
  const holds = typeof probed !== 'string' && probed.isSealed && wanted.every((wall) => probed[wall]);
  return holds ? walls : undefined;
}

/** Tries each wall by itself, but `files`. */
async function tryEachAlone(
  system: System,
  place: Place,
  missing: Partial<Record<Wall, string>>,
): Promise<Chosen> {
  const first = async (wall: Wall): Promise<Way | undefined> => {
    const found = await findWay(wall, system, place);
    if ('way' in found) return found.way;
    missing[wall] = found.why;
    return undefined;
  };
  const [network, processes, privileges, limits] = await Promise.all([
    first('network'),
    first('processes'),
    first('privileges'),
    first('limits'),
  ]);
  const inUserNamespace = [network, processes].some((way) => way?.inUserNamespace === true);
  let user: Way | undefined;
  if (system.isRoot && inUserNamespace)
    missing.user = 'the user namespace that the other walls need holds one user alone';
  else if (system.isRoot) user = await first('user');
  return { network, processes, user, privileges, limits };
}

/** The first way to build a wall that lets Node start, or why none does. */
async function findWay(wall: Wall, system: System, place: Place): Promise<{ way: Way } | { why: string }> {
  const whys: string[] = [];
  for (const way of system.ways[wall]) {
    const walls = new Walls(planOf(system, { [wall]: way }));
    const isThere = system.programs[way.needs] !== undefined;
    const why = isThere ? await whyNot(walls, place) : `there is no ${way.needs}`;
    if (why === undefined) return { way };
    whys.push(why);
  }
  return { why: [...new Set(whys)].join('; ') };
}

/** Takes away what does not hold behind all walls together, until the rest does. */
async function holdTogether(
  plan: WallPlan,
  place: Place,
  missing: Partial<Record<Wall, string>>,
): Promise<WallPlan> {
  let rest = plan;
  for (let walls = standing(rest.means); walls.length > 0; walls = standing(rest.means)) {
    const probed = await probe(new Walls(rest), place);
    if (rest.sealsUsers && (typeof probed === 'string' || !probed.isSealed)) {
      rest = { ...rest, sealsUsers: false };
      continue;
    }
    const failed: Wall[] =
      typeof probed === 'string'
        ? givenUpFirst.filter((wall) => walls.includes(wall)).slice(0, 1)
        : walls.filter((wall) => !probed[wall]);
    if (failed.length === 0) return rest;
    for (const wall of failed) missing[wall] = typeof probed === 'string' ? probed : 'it does not hold';
    const without = Object.fromEntries(failed.map((wall) => [wall, noMeans[wall]]));
    rest = { ...rest, means: { ...rest.means, ...without } };
  }
  return rest;
}
