/**
 * Replays a score for an author: the stored candidate runs again, against the revisions and on the very inputs of then, and the
 * inputs on which generated cases failed are made as small as they can be.
 *
 * That is done here, when somebody asks, and not while a score is decided: only a red score would take the time for it, and more of it
 * the larger the failing input is, so that when a verdict is published would tell of the case, and what waits for a turn would wait
 * longer after a red. Nothing of a replay is stored but that it was asked for.
 */
import { isDeepStrictEqual } from 'node:util';
import { appendAudit } from '../../migrations/append-audit.ts';
import { inForce } from '../../suites/expiry.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import type { Failure, Replay, ReplayedFailure } from '../disclosure/disclosed.ts';
import { isKnown, type ScoreReader } from '../disclosure/disclosure.ts';
import { GateError } from '../errors.ts';
import { failuresOf, openFailures } from '../failures.ts';
import { findScore, type ScoreRecord, type StoredVerdict } from '../history.ts';
import { isWithinLimits } from '../limits.ts';
import type { Scoring } from '../score.ts';
import type { ReadCandidate } from './candidate-scripts.ts';
import { seedOf } from './observe.ts';
import { scoreBuild } from './score-build.ts';
import { shrink } from './shrink.ts';
import { springTripwires } from './spring-tripwires.ts';
import { shownInput } from './trials.ts';

/** So many failing inputs are shrunk in one replay. */
const shrunkMax = 3;

/** Lets something wait for its turn among the scores. */
export type InTurn = <Answer>(run: () => Promise<Answer>) => Promise<Answer>;

/**
 * Replays a score as far as the reader may see it. Throws `replay_impossible` where nothing was run or there is no verdict yet, and
 * whatever keeps a candidate from being run.
 */
export async function replayScore(
  scoring: Scoring,
  asked: ScoreRecord,
  reader: ScoreReader,
  inTurn: InTurn,
): Promise<Replay> {
  const { database, seals, candidates } = scoring;
  const { score, verdict } = await findReplayable(scoring, asked, reader);
  const isTheirs = ({ suite }: { suite: string }) => isWithinLimits(reader.suites, suite);
  const candidate = await candidates.get(score.candidate);
  const revisions = verdict.revisions.filter(isTheirs);
  const failures: ReplayedFailure[] = [];
  const counts = { passed: 0, total: 0 };
  for (const name of revisions) {
    const about = {
      name,
      at: score.requestedAt,
      inputs: verdict.seed,
      shrunkMax: shrunkMax - shrunkIn(failures),
    };
    const suite = await replaySuite(scoring, candidate, about, inTurn);
    counts.passed += suite.passed;
    counts.total += suite.total;
    failures.push(...suite.failures);
  }
  const before = (await openFailures(score.id, verdict.sealedFailures, seals)).filter(isTheirs);
  const agrees = isDeepStrictEqual(before.map(whatFailed), failures.map(whatFailed));
  const about = { score: asked.id, gate: asked.gate, cases: failures.length };
  await appendAudit(database, { by: reader.tokenId, action: 'score.replayed', about });
  return { score: score.id, seed: verdict.seed, revisions, ...counts, failures, agrees };
}

/** What has to come out the same again. How much is told of it depends on what else failed. */
function whatFailed({ suite, case: name, outcome, message, generated }: Failure): Failure {
  return { suite, case: name, outcome, message, ...(generated === undefined ? {} : { generated }) };
}

function shrunkIn(failures: ReplayedFailure[]): number {
  return failures.filter(({ smallest }) => smallest !== undefined).length;
}

/** What one suite makes of the candidate again, with the smallest inputs that fail. */
async function replaySuite(
  scoring: Scoring,
  { script, text }: ReadCandidate,
  about: { name: RevisionName; at: Date; inputs: string | null; shrunkMax: number },
  inTurn: InTurn,
): Promise<{ passed: number; total: number; failures: ReplayedFailure[] }> {
  const { name, at, inputs } = about;
  const contents = await scoring.suites.open(name);
  const asked = inForce(contents, at);
  // A score from before there were seeds has no case that needs one.
  const seeds = { realms: seedOf(name), inputs: inputs ?? '' };
  const build = await inTurn(() => scoreBuild(scoring, script, contents, asked, seeds));
  const { results, trials } = build;
  await springTripwires(contents, text, build);
  const failures: ReplayedFailure[] = [];
  for (const result of results) {
    const [failure] = failuresOf([{ ...name, ...asked, results: [result] }]);
    if (failure === undefined) continue;
    const trial = trials.find(({ position, run }) => {
      return position === result.position && run === result.generated?.run;
    });
    const found =
      trial !== undefined && shrunkIn(failures) < about.shrunkMax
        ? await shrink(scoring, script, { contents, seeds, trial, result }, inTurn)
        : undefined;
    const smallest = found && { ...found, input: shownInput(found.input) };
    failures.push({ ...failure, ...(smallest === undefined ? {} : { smallest }) });
  }
  return { passed: results.filter(({ passed }) => passed).length, total: results.length, failures };
}

/** The score that is run again: the one that is asked about, or the one whose verdict it repeats. */
async function findReplayable(
  scoring: Scoring,
  asked: ScoreRecord,
  reader: ScoreReader,
): Promise<{ score: ScoreRecord; verdict: StoredVerdict }> {
  if (!isKnown(asked, reader, scoring.slotMs)) {
    throw new GateError('replay_impossible', 'the score has no verdict yet: ask again when it has one');
  }
  let score = asked;
  // Each of them came before the other, so this ends.
  while (score.verdict?.repeats) score = await findScore(scoring.database, score.verdict.repeats);
  const { verdict } = score;
  if (verdict !== undefined && verdict.revisions.length > 0) return { score, verdict };
  throw new GateError('replay_impossible', 'nothing was run for this score');
}
