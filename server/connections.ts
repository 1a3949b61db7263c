/**
 * How many callers may be connected at once. A connection takes a descriptor, and so do the files of the database, the journal and each
 * host: where callers took all of them, nothing could be scored any more.
 */
import type { Server } from 'node:http';
import { softLimit } from './soft-limit.ts';

/**
 * So many descriptors are not for callers: half of them, but not fewer than a service with some hosts holds, and not more than its
 * database may want as well, which keeps up to 1,000 files open.
 */
const keptMin = 512;
const keptMax = 1_500;
/** So many callers are let in however few descriptors there are, and however many: each takes memory too. */
const callersMin = 16;
const callersMax = 16_384;

/** That callers are turned away is told at most this often, in milliseconds. */
const tellMs = 60_000;

/** Has a server hang up on whoever connects while as many as may be are connected. `warn` is told what to do about it. */
export function boundConnections(server: Server, warn: (message: string) => void): void {
  const descriptors = Number(softLimit('Max open files'));
  // The system does not tell, or has no limit.
  if (Number.isNaN(descriptors)) return;
  const kept = Math.min(keptMax, Math.max(keptMin, Math.ceil(descriptors / 2)));
  server.maxConnections = Math.min(callersMax, Math.max(callersMin, descriptors - kept));
  let toldMs = Number.NEGATIVE_INFINITY;
  server.on('drop', () => {
    if (performance.now() - toldMs < tellMs) return;
    toldMs = performance.now();
    warn(
      `callers are hung up on while ${server.maxConnections} are connected, as this process may have ${descriptors} files open: see who connects, or raise that limit`,
    );
  });
}
