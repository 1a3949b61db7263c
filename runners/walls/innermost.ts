/** Programs that build walls by staying as a parent hide which process the command itself is: Linux tells. */
import { readFileSync } from 'node:fs';
import { isGone } from '../is-gone.ts';

/** More parents than any chain of walls has. */
const depthMax = 8;

/** The only child of a process; undefined when it has none, or is gone. Throws where that cannot be seen. */
export function childOf(pid: number): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ');
    return child === undefined || child === '' ? undefined : Number(child);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/**
 * The process at the end of a chain of only children: the command that was started behind walls, once it runs. Throws where that cannot be
 * seen: one of its parents would be watched in its place.
 */
export function innermost(pid: number): number {
  let last = pid;
  for (let depth = 0; depth < depthMax; depth++) {
    const child = childOf(last);
    if (child === undefined) break;
    last = child;
  }
  return last;
}
