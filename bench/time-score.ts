/** One score through HTTP with history committed, of a candidate that was never seen before. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchService } from './bench-service.ts';

/** Time enough for the pools to be full again and for everything of the last round to be over, in milliseconds. */
export const settleMs = 1_500;

/** From the request to the answer, in milliseconds. Throws where it is no merge. */
export async function timeScore(
  service: BenchService,
  gate: string,
  source: string,
  turn: number,
): Promise<number> {
  await sleep(settleMs);
  const started = performance.now();
  await score(service, gate, source, `${turn}`);
  return performance.now() - started;
}

/** Has a build scored that differs from all others in a comment. Throws where it is no merge. */
export async function score(
  service: BenchService,
  gate: string,
  source: string,
  commit: string,
): Promise<void> {
  const answer = await service.ask('POST', '/score', {
    gate,
    change: { id: `bench ${commit}`, commit },
    candidate: { source: sourceOf(source, gate, commit) },
  });
  if (Reflect.get(Object(answer), 'verdict') !== 'merge') throw new Error(JSON.stringify(answer));
}

export function sourceOf(source: string, gate: string, commit: string): string {
  return `${source}\n// ${gate} ${commit}`;
}
