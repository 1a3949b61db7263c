/**
 * Takes away, for good, what a thread was allowed while it loaded. Each thread must do it for itself: Node's permission
 * model leaves file reads open in worker threads, whatever the flags of the process say.
 */
export function dropPermissions(): void {
  for (const scope of ['fs', 'child', 'worker', 'addon', 'net', 'wasi', 'inspector']) {
    process.permission.drop(scope);
  }
}
