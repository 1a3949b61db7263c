/**
 * What the operating system says a process uses. Linux alone: other systems have no /proc, and a runner that
 * cannot see memory cannot contain it.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux reports processor time to user space in hundredths of a second on every architecture Node runs on. */
const tickMs = 10;
const pageBytes = 4096;

export type Usage = { cpuMs: number; residentMb: number };

/** Processor time and resident memory of a process, or undefined when it is gone. */
export function readUsage(pid: number): Usage | undefined {
  try {
    const stat = fieldsOf(`/proc/${pid}/stat`);
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
    // Fields 14 and 15 of proc_pid_stat(5), counted from the state, which is field 3.
    const cpuMs = (Number(stat[11]) + Number(stat[12])) * tickMs;
    return { cpuMs, residentMb: (pages * pageBytes) / (1 << 20) };
  } catch {
    return undefined;
  }
}

/** Whether a thread of the process wants a core (R) or waits for a disk (D) right now. */
export function wantsCore(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) => {
      const state = fieldsOf(`/proc/${pid}/task/${thread}/stat`)[0];
      return state === 'R' || state === 'D';
    });
  } catch {
    return false;
  }
}

/** The fields after the command's name, which is in parentheses and may hold anything. */
function fieldsOf(path: string): string[] {
  const text = readFileSync(path, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}
