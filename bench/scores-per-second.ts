/** How many scores a second the service keeps up, where every candidate is new and several callers always wait for one. */
import type { BenchService } from './bench-service.ts';
import { score } from './time-score.ts';

export async function scoresPerSecond(
  service: BenchService,
  gate: string,
  source: string,
  { callers, scores }: { callers: number; scores: number },
): Promise<number> {
  let next = 0;
  const askOften = async () => {
    while (next < scores) await score(service, gate, source, `sustained ${next++}`);
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: callers }, askOften));
  return scores / ((performance.now() - started) / 1_000);
}
