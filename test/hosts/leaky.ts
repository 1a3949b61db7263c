/** The thread of a host that runs candidates in its own realm, as somebody might who thinks that a process of its own is enough. */

import type { Outbox } from '../../runners/host/outbox.ts';
import type { CandidateJob } from '../../runners/protocol.ts';

export function warm(): void {}

export function run({ script, runs }: CandidateJob, outbox: Outbox): void {
  outbox.put('loading');
  outbox.send();
  const exports: { run?: (input: unknown) => unknown } = {};
  new Function('exports', script)(exports);
  for (const [index, { calls }] of runs.entries()) {
    const value = JSON.stringify(exports.run?.(JSON.parse(calls[0].input)));
    outbox.put(`${index} 1 {"outcome":"returned","value":${value}}`);
    outbox.send();
  }
}
