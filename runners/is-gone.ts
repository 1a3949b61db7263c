/**
 * Tells a process that is gone from one that cannot be looked at, as where this process has no descriptor left: what cannot be seen is not
 * contained, so that is a failure of ours, and never an answer.
 */

/** Whether an error of reading below `/proc/<pid>` says that there is no such process, or thread of it, any more. */
export function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH');
}
