/** Runs the build itself, before any of its mutants, to learn what it does and which run passes which mutated place. */
import type { HostPool } from '../pool.ts';
import type { ObservedCase } from '../protocol.ts';
import { parseObservation } from '../run-candidate.ts';
import { digestOfObservation } from './digest.ts';
import { inParallel, type MutationBuild, outputBytesOf, zonesOf } from './mutation-build.ts';
import { coveringScript } from './switches.ts';

/** What the build itself was observed to do, and how often each run passes which mutated place. */
export type Coverage = {
  observed: ObservedCase[];
  digests: string[];
  /** By the mutant's id, the runs that reach it. */
  hits: Map<string, { run: number; hits: number }[]>;
};

/** Runs the build itself, no mutant being active. Throws RunnerErrors; a build that breaks is in the observations. */
export async function coverRuns(pool: HostPool, build: MutationBuild): Promise<Coverage> {
  const observed: ObservedCase[] = build.runs.map(() => ({
    observation: { outcome: 'not_run' },
    durationMs: 0,
  }));
  const digests = build.runs.map(() => '');
  const hits: Coverage['hits'] = new Map(build.ids.map((id) => [id, []]));
  const zones = zonesOf(build);
  let waiting = build.runs.map((_, run) => run);
  await inParallel(
    pool,
    build,
    { script: coveringScript(build.script), runs: build.runs.length },
    async (host) => {
      while (waiting.length > 0) {
        const most = Math.max(1, Math.ceil(waiting.length / (2 * build.hosts)));
        const zone = zones[waiting[0] ?? 0];
        const cover = waiting.filter((run) => zones[run] === zone).slice(0, most);
        const taken = new Set(cover);
        waiting = waiting.filter((run) => !taken.has(run));
        const { limits } = build;
        const stopped = await host.ask({
          job: { task: 'cover', cover, ids: build.ids },
          zone,
          count: cover.length,
          caseMs: limits.caseMs,
          onAnswer: (index, durationMs, text) => {
            const run = cover[index] ?? 0;
            const end = text.indexOf(' ');
            const observation = text.slice(end + 1);
            digests[run] = digestOfObservation(observation);
            observed[run] = {
              observation: parseObservation(observation, outputBytesOf(build, run)),
              durationMs,
            };
            for (const [, id = '', times] of text.slice(0, end).matchAll(/(\d+):(\d+)/g)) {
              hits.get(id)?.push({ run, hits: Number(times) });
            }
          },
        });
        if (stopped === undefined) continue;
        const run = cover[stopped.at];
        if (run !== undefined)
          observed[run] = { observation: stopped.observation, durationMs: limits.caseMs };
        // A build that ends its host is no good one: nothing more need be known of it.
        waiting = [];
      }
    },
  );
  return { observed, digests, hits };
}
