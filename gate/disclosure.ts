/**
 * The only function that turns a score into something a reader sees. What CI prints the agent reads, so `ci` and `harness`
 * learn the verdict and a coarse reason, and two suites that give the same verdict look the same to them.
 */
import { z } from 'zod';
import type { Seals } from '../suites/sealing.ts';
import { block, type SuiteScore } from './decide.ts';
import { type DisclosedScore, type Failure, failureSchema, type Role, reasonSchema } from './disclosed.ts';
import type { ScoreRecord } from './history.ts';

/** Who reads counts and durations, and who reads failures with the names of cases. */
const seesCounts: readonly Role[] = ['author', 'lead', 'admin'];
const seesFailures: readonly Role[] = ['author', 'admin'];

/** What of a score's results is kept for its author: the cases that did not pass. */
export function failuresOf(scored: SuiteScore[]): Failure[] {
  return scored.flatMap(({ suite, results }) =>
    results
      .filter(({ passed }) => passed !== true)
      .map(({ name, outcome, message }) => ({ suite, case: name, outcome, message })),
  );
}

/** A score as a reader of the given role may see it. */
export async function disclose(score: ScoreRecord, role: Role, seals: Seals): Promise<DisclosedScore> {
  const { id, gate, change, verdict } = score;
  const attempt = { id, gate, change, candidate: { digest: score.candidate } };
  if (verdict === undefined) {
    // Whoever was to decide is gone: there will be no verdict, and without one nothing merges.
    if (score.deadlineAt > new Date()) return { ...attempt, state: 'running' };
    return { ...attempt, ...block('indeterminate'), state: 'finished', revisions: [] };
  }
  const canMerge = verdict.verdict === 'merge' && verdict.reason === 'green';
  const coarse: DisclosedScore = {
    ...attempt,
    ...(canMerge
      ? { verdict: 'merge' as const, canMerge, reason: 'green' as const }
      : block(reasonSchema.exclude(['green']).parse(verdict.reason))),
    state: 'finished',
    revisions: verdict.revisions,
  };
  if (!seesCounts.includes(role)) return coarse;
  const { passed, total, durationMs } = verdict;
  const counted = { ...coarse, passed, total, durationMs };
  if (!seesFailures.includes(role)) return counted;
  return { ...counted, failures: await openFailures(verdict.sealedFailures, seals) };
}

async function openFailures(sealed: Uint8Array | null, seals: Seals): Promise<Failure[]> {
  if (sealed === null) return [];
  return z.array(failureSchema).parse(JSON.parse(await seals.open(sealed)));
}
