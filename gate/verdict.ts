/** The question that any pipeline asks before it merges: may this commit, built to this candidate, merge now? */
import type { Database } from '../migrations/open-database.ts';
import { block } from './decide.ts';
import { reasonSchema, type Verdict, type VerdictQuestion } from './disclosed.ts';
import { findNewestVerdict, isCurrent } from './history.ts';
import { findGate } from './policies.ts';

/**
 * The verdict for exactly this gate, change, commit and candidate, as it stands now: `not_scored` if there is none, and
 * `stale` if the gate has come to ask for something else since. Throws `gate_not_found`.
 */
export async function askVerdict(database: Database, question: VerdictQuestion): Promise<Verdict> {
  const gate = await findGate(database, question.gate);
  const score = await findNewestVerdict(database, question);
  const verdict = score?.verdict;
  if (score === undefined || verdict === undefined) {
    return { ...question, ...block('not_scored'), scoreId: null, revisions: [] };
  }
  const { revisions } = verdict;
  const answer = { ...question, scoreId: score.id, revisions };
  // Such a verdict rests on no revision that could have gone stale.
  const undecided = ['indeterminate', 'not_scored', 'budget_exhausted'].includes(verdict.reason);
  if (!undecided && !(await isCurrent(database, gate.gate, score.policyVersion, revisions))) {
    return { ...answer, ...block('stale') };
  }
  const isGreen = verdict.verdict === 'merge' && verdict.reason === 'green';
  if (!isGreen) return { ...answer, ...block(reasonSchema.exclude(['green']).parse(verdict.reason)) };
  return { ...answer, verdict: 'merge', canMerge: true, reason: 'green' };
}
