/**
 * Takes away, for good, what a thread was allowed while it loaded. Each thread must do it for itself: Node's permission
 * model leaves file reads open in worker threads, whatever the flags of the process say.
 */
import { statSync } from 'node:fs';

const scopes = ['fs', 'child', 'worker', 'addon', 'net', 'wasi', 'inspector'];

/** Throws if anything is left, so that a host that is not contained never becomes ready. */
export function dropPermissions(): void {
  for (const scope of scopes) process.permission.drop(scope);
  const left = scopes.filter((scope) => process.permission.has(scope));
  if (left.length > 0 || canRead('/')) throw new Error(`the thread is still allowed ${left.join(', ')}`);
}

function canRead(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch {
    return false;
  }
}
