/** The question that any pipeline asks before it merges: may this commit, built to this candidate, merge now? */
import type { Lasting } from '../migrations/kept-answers.ts';
import type { Database } from '../migrations/open-database.ts';
import { block, lapseOf } from './decide.ts';
import type { Verdict, VerdictQuestion } from './disclosure/disclosed.ts';
import { decisionOf, type Hearer, hearsInSlots, isKnown } from './disclosure/disclosure.ts';
import { findNewestVerdict, isInForce } from './history.ts';
import { findLapses } from './lapses.ts';
import { findOverride } from './overrides.ts';
import { findGate } from './policies.ts';

/**
 * The verdict for exactly this gate, change, commit and candidate, as it stands now and as this reader may know it:
 * `not_scored` if there is none, or no case that proves anything is in force any more, and `stale` if the gate has come to ask for
 * something else since. What humans have overridden
 * stays so: they judged the commit, not the suite. Throws `gate_not_found`.
 */
export async function askVerdict(
  asking: { database: Database; slotMs: number },
  question: VerdictQuestion,
  reader: Hearer,
): Promise<Verdict> {
  return (await findVerdict(asking, question, reader)).answer;
}

/** Those who may know the same of a question to the letter have the same answer: for them it is the same question. */
export function keyOf(question: VerdictQuestion, reader: Hearer): string {
  const { gate, change, commit, candidate, repository = null } = question;
  return JSON.stringify([gate, change, commit, candidate, repository, hearsInSlots(reader)]);
}

/** As `askVerdict`, with until when that is the answer if nothing is committed before. */
export async function findVerdict(
  { database, slotMs }: { database: Database; slotMs: number },
  question: VerdictQuestion,
  reader: Hearer,
): Promise<Lasting<Verdict>> {
  const gate = await findGate(database, question.gate);
  const newest = await findNewestVerdict(database, question, undefined);
  const isWaiting = newest !== undefined && !isKnown(newest, reader, slotMs);
  const known = isWaiting ? await findNewestVerdict(database, question, slotMs) : newest;
  const score = known !== undefined && isKnown(known, reader, slotMs) ? known : undefined;
  const verdict = score?.verdict;
  // While the slot of one has not ended, the clock alone may change what is known.
  const lasts = <Answer>(answer: Answer, untilMs = Number.POSITIVE_INFINITY): Lasting<Answer> => ({
    answer,
    untilMs: isWaiting ? 0 : untilMs,
  });
  if (score === undefined || verdict === undefined) {
    return lasts({ ...question, ...block('not_scored'), scoreId: null, revisions: [] });
  }
  const { revisions } = verdict;
  const answer = { ...question, scoreId: score.id, revisions };
  const decision = decisionOf(score, await findOverride(database, score));
  // Such a verdict rests on no revision that could have gone stale.
  const restsOnNone = [
    'indeterminate',
    'not_scored',
    'superseded',
    'budget_exhausted',
    'overridden',
  ].includes(decision.reason);
  // The gate was read before the verdict, so that what was changed in between makes it stale.
  if (!restsOnNone && !isInForce(gate, score.policyVersion, revisions)) {
    return lasts({ ...answer, ...block('stale') });
  }
  let untilMs = Number.POSITIVE_INFINITY;
  if (!restsOnNone) {
    // A case that has expired since is not asked any more: a red may have been for its sake, and a green may have lost all it stood on.
    const lapses = await findLapses(database, revisions, { from: score.requestedAt, to: new Date() });
    const required = revisions.map(({ suite }) => suite);
    const lapse = lapseOf(required, decision.reason, lapses);
    untilMs = Math.min(...lapses.map((one) => one.untilMs));
    if (lapse !== 'holds') return lasts({ ...answer, ...block(lapse) }, untilMs);
  }
  return lasts({ ...answer, ...decision }, untilMs);
}
