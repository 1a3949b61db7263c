/** Opened suites are in this process's memory, and a core dump would write them to a disk. */
import { writeFileSync } from 'node:fs';
import { softLimit } from './soft-limit.ts';

/**
 * Forbids core dumps to this process and to whatever it starts. A limit cannot be lowered from within Node, so where there is
 * one, the program begins once more behind a shell that lowers it, with the same process id: call this before anything else.
 */
export function forbidCoreDumps(): void {
  try {
    // For what the limit does not hold: a program of the system's that is piped the core. core(5): no memory is in it then.
    writeFileSync('/proc/self/coredump_filter', '0');
    const soft = softLimit('Max core file size');
    // Whoever has forked us speaks to us by a channel that would not survive.
    if (soft === '0' || soft === undefined || process.channel != null) return;
  } catch {
    // There is no such filter here, and then nothing that could be done.
    return;
  }
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.('/bin/sh', ['sh', '-c', 'ulimit -c 0 && exec "$@"', 'sh', ...again], process.env);
}
