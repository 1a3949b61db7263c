/** Kills a process, or a process group where the number is negative, if there still is one. With another signal it is sent that. */
export function killOf(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}
