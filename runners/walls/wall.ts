/**
 * What can stand around a host besides Node's own permissions, and by which means each of it does. A wall matters where V8 and
 * isolated-vm have both been broken: what runs then is native code, and only the system holds it.
 */
import { z } from 'zod';

/** By wall, the means. The last of each is what remains where the system offers nothing, and what every host has anyway. */
export const wallsSchema = z.strictObject({
  /** Reaches no network, not even this machine's own. */
  network: z.enum(['namespace', 'permission']),
  /** Opens no file but Node, the system's libraries and its own code. */
  files: z.enum(['landlock', 'mounts', 'permission']),
  /** Cannot signal or trace another process, and what it starts ends with it. */
  processes: z.enum(['namespace', 'permission']),
  /** Runs as a user that is nobody else's. */
  user: z.enum(['own', 'shared']),
  /** Has no capability, and no program that it starts can give it one. */
  privileges: z.enum(['dropped', 'kept']),
  /** Writes to no file at all, opens few, starts few threads or processes. */
  limits: z.enum(['prlimit', 'ulimit']),
});

export type WallMeans = z.infer<typeof wallsSchema>;

export const wallSchema = wallsSchema.keyof();
export type Wall = z.infer<typeof wallSchema>;

/** What every host has, wherever it runs. */
export const noMeans: WallMeans = {
  network: 'permission',
  files: 'permission',
  processes: 'permission',
  user: 'shared',
  privileges: 'kept',
  limits: 'ulimit',
};

/** The walls that stand by the system's means. */
export function standing(means: WallMeans): Wall[] {
  return wallSchema.options.filter((wall) => means[wall] !== noMeans[wall]);
}
