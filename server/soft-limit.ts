/** What the system lets this process have: Linux tells, and other systems do not. */
import { readFileSync } from 'node:fs';

/** The soft limit of this name in proc_pid_limits(5), a number or `unlimited`; undefined where the system does not tell. */
export function softLimit(name: string): string | undefined {
  try {
    const line = readFileSync('/proc/self/limits', 'latin1')
      .split('\n')
      .find((line) => line.startsWith(name));
    return line?.slice(name.length).trim().split(/\s+/)[0];
  } catch {
    return undefined;
  }
}
