/** What processes there are, for tests that promise that none is left. */
import { readdirSync, readFileSync } from 'node:fs';

export type RunningProcess = { pid: number; parent: number; command: string };

/** Every process whose command line holds the given text, as runner hosts' do. */
export function processesWith(text: string): RunningProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (state === 'Z' || !command.includes(text)) return [];
        return [{ pid: Number(name), parent: Number(parent), command }];
      } catch {
        // It ended while we looked.
        return [];
      }
    });
}

/** Every process that a process has started, or one that it has started. */
export function descendantsOf(ancestor: number): RunningProcess[] {
  const all = processesWith('');
  const parentOf = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const comesFrom = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === ancestor || comesFrom(parentOf.get(pid)));
  return all.filter(({ parent }) => comesFrom(parent));
}

/** The runner hosts and graders that come from a process, without the programs that wall them in. */
export function hostsOf(ancestor: number): RunningProcess[] {
  const hosts = descendantsOf(ancestor).filter(({ command }) => command.includes('holdback-host-'));
  return hosts.filter(({ pid }) => !hosts.some((other) => other.parent === pid));
}

/** Whether a process has computed for more than half a second. */
export function isBusy(pid: number): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [, , , , , , , , , , , userTicks] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(userTicks) > 60;
}
