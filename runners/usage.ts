/**
 * What the operating system says a process uses. Linux alone: other systems have no /proc, and a runner that
 * cannot see memory cannot contain it.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { RunnerError } from './errors.ts';
import { isGone } from './is-gone.ts';

/** Linux reports processor time to user space in hundredths of a second on every architecture Node runs on. */
const tickMs = 10;
const pageBytes = 4096;

/** Reads one process's figures again and again, cheaply: its files are opened once. */
export class UsageReader {
  readonly #pid: number;
  readonly #stat: number | undefined;
  readonly #statm: number | undefined;
  readonly #text = Buffer.alloc(1024);

  /** Throws `host_unavailable` where what a process uses cannot be seen although it is there. */
  constructor(pid: number) {
    this.#pid = pid;
    this.#stat = openOrNone(`/proc/${pid}/stat`);
    try {
      this.#statm = openOrNone(`/proc/${pid}/statm`);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Processor time of all threads so far, in milliseconds; undefined when the process is gone. */
  get cpuMs(): number | undefined {
    const fields = fieldsOf(this.#read(this.#stat));
    // Fields 14 and 15 of proc_pid_stat(5), counted from the state, which is field 3.
    return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * tickMs;
  }

  /** Resident memory, in MiB; undefined when the process is gone. */
  get residentMb(): number | undefined {
    const pages = this.#read(this.#statm)?.split(' ')[1];
    return pages === undefined ? undefined : (Number(pages) * pageBytes) / (1 << 20);
  }

  /** Whether a thread of the process wants a core (R) or waits for a disk (D) right now. */
  get wantsCore(): boolean {
    try {
      // The last one first: in a host it is the one that runs the candidate.
      const threads = readdirSync(`/proc/${this.#pid}/task`).reverse();
      return threads.some((thread) => this.#threadWantsCore(thread));
    } catch (error) {
      // What cannot be told must not count against it.
      return !isGone(error);
    }
  }

  #threadWantsCore(thread: string): boolean {
    try {
      const state = fieldsOf(readFileSync(`/proc/${this.#pid}/task/${thread}/stat`, 'latin1'))?.[0];
      return state === 'R' || state === 'D';
    } catch (error) {
      // One that has ended meanwhile wants none; the others may.
      if (isGone(error)) return false;
      throw error;
    }
  }

  close(): void {
    if (this.#stat !== undefined) closeSync(this.#stat);
    if (this.#statm !== undefined) closeSync(this.#statm);
  }

  #read(file: number | undefined): string | undefined {
    if (file === undefined) return undefined;
    try {
      const length = readSync(file, this.#text, 0, this.#text.length, 0);
      return length === 0 ? undefined : this.#text.toString('latin1', 0, length);
    } catch {
      return undefined;
    }
  }
}

function openOrNone(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    if (isGone(cause)) return undefined;
    throw new RunnerError('host_unavailable', `it cannot be seen what a process uses: ${cause}`, { cause });
  }
}

/** The fields after the command's name, which is in parentheses and may hold anything. */
function fieldsOf(stat: string | undefined): string[] | undefined {
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}
