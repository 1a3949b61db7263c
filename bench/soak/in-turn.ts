/** Kills nodes again and again, each once the one that follows it has started and some work has been done meanwhile. */
import type { Fleet, Node } from './fleet.ts';

/** So many follow each other at the same time: most of what a kill takes is that the next one starts. */
const lanes = 3;

type Turns = {
  role: Node['role'];
  count: number;
  environment?: Record<string, string>;
  /** What is waited for before each kill. */
  between: () => Promise<void>;
};

/** When it ends, as many nodes as there are lanes go on. */
export async function inTurn(fleet: Fleet, { role, count, environment = {}, between }: Turns): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let doomed = await fleet.startNode(role, environment); left > 0; ) {
        left--;
        const next = await fleet.startNode(role, environment);
        await between();
        await fleet.kill(doomed);
        doomed = next;
      }
    }),
  );
}
