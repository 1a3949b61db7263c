/** Kills a process, or a process group where the number is negative, if there still is one. */
export function killOf(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
