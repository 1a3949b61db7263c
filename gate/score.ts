/**
 * The product in one function: a candidate is scored against the sealed suites that its gate requires, and a verdict is
 * appended. Read `scoreCandidate` from top to bottom.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Database } from '../migrations/open-database.ts';
import { inSpan } from '../runners/in-span.ts';
import type { HostPool } from '../runners/pool.ts';
import type { Transformer } from '../runners/transformer.ts';
import { type InForce, inForce } from '../suites/expiry.ts';
import { findLeaks } from '../suites/leaks/find-leaks.ts';
import type { OpenedSuites } from '../suites/opened-suites.ts';
import type { RevisionName } from '../suites/revisions.ts';
import type { Seals } from '../suites/sealing/sealing.ts';
import type { Preflights } from './activation/preflight.ts';
import { appendVerdict, type NewVerdict, type Settle } from './append-history.ts';
import { type BlockReason, block, decide, decideAgain, type SuiteScore } from './decide.ts';
import { chargeOf } from './disclosure/charge.ts';
import type { Alarm, Failure } from './disclosure/disclosed.ts';
import { countEarlierCandidates, countUndecided, findExposures } from './disclosure/exposure.ts';
import { decidedWith, publishedAt, slotOf } from './disclosure/publication.ts';
import { causeOf, codeOf } from './errors.ts';
import { failuresOf, openFailures } from './failures.ts';
import type { Disclosure, Gate } from './gate.ts';
import { happened } from './happened.ts';
import { findSettled, type ScoreRecord, type StoredVerdict } from './history.ts';
import { findLapses } from './lapses.ts';
import { activeRevisions, findDisclosure, findGate } from './policies.ts';
import { traceScore } from './score-trace.ts';
import type { CandidateScripts } from './scoring/candidate-scripts.ts';
import type { Grader } from './scoring/grader.ts';
import { seedOf } from './scoring/observe.ts';
import type { Progress } from './scoring/progress.ts';
import { scoreBuild } from './scoring/score-build.ts';
import { springTripwires } from './scoring/spring-tripwires.ts';
import { newSeed } from './scoring/trials.ts';

/** What scoring stands on: the database, the opened suites, the runners and the grader. */
export type Scoring = {
  database: Database;
  seals: Seals;
  suites: OpenedSuites;
  runners: HostPool;
  candidates: CandidateScripts;
  transformer: Transformer;
  grader: Grader;
  preflights: Preflights;
  /** The most hosts that one score spreads over. */
  hostsPerScore: number;
  /** How long a time slot is, at whose end a verdict is published, in milliseconds. */
  slotMs: number;
};

/** A failure of ours is tried again this often before the score is indeterminate. A candidate's failure never is. */
const retriesMax = 1;

/** What became of an attempt, before it is written down. */
type Outcome = Pick<NewVerdict, 'decision' | 'scored' | 'repeats' | 'alarms' | 'seed'> & {
  /** What the gate discloses, and so is charged for, where cases were run. */
  disclosure?: Disclosure;
};

/** What whoever has a candidate scored knows of the attempt already. */
export type Known = {
  /** What time it is by the clock by which the attempt was requested. */
  now(): Date;
  /** The gate, where it was read a moment ago: what has changed since makes the verdict stale when it is appended. */
  gate: Gate | undefined;
};

/**
 * Scores the candidate of an accepted attempt and appends its verdict. Throws only what keeps it from appending a verdict at all: that
 * the service closes, that the database is away, that the score is another's by now (`lease_lost`). Every other failure of ours ends as
 * `indeterminate`.
 */
export async function scoreCandidate(
  scoring: Scoring,
  score: ScoreRecord,
  progress: Progress,
  settle: Settle,
  known: Known,
): Promise<StoredVerdict> {
  const started = performance.now();
  progress.stage = 'preparing';
  happened.emit('begun', {
    score: score.id,
    waitedMs: Math.max(0, Date.now() - score.requestedAt.getTime()),
  });
  const verdict = await traceScore(score, async () => {
    const outcome = await scoreOrBlock(scoring, score, progress, known.gate);
    return appendOutcome(scoring, score, outcome, settle, started, known.now);
  });
  scoring.transformer.prepareSoon();
  return verdict;
}

async function appendOutcome(
  scoring: Scoring,
  score: ScoreRecord,
  outcome: Outcome,
  settle: Settle,
  started: number,
  now: () => Date,
): Promise<StoredVerdict> {
  const decidedAt = decidedAtOf(score, outcome, scoring.slotMs, now());
  const slot = slotOf(score.requestedAt, decidedAt, scoring.slotMs);
  const verdict: NewVerdict = {
    ...outcome,
    scoreId: score.id,
    gate: score.gate,
    policyVersion: score.policyVersion,
    decidedAt,
    durationMs: Math.round(performance.now() - started),
    failures: await findFailures(outcome, scoring.seals),
    charges: chargesOf(outcome, slot),
  };
  return inSpan('commit', {}, () => appendVerdict(scoring, verdict, settle));
}

/**
 * A repetition counts as decided when the verdict that it repeats is published, no earlier. It is not charged, so by its own slots, which
 * begin when its caller likes, it may tell nothing of how long the candidate ran.
 */
function decidedAtOf(score: ScoreRecord, { repeats, scored }: Outcome, slotMs: number, now: Date): Date {
  const earlier = repeats?.verdict;
  if (repeats === undefined || earlier === undefined) {
    const cases = countOf(scored);
    return decidedWith(cases, now, slotMs);
  }
  const known =
    earlier.repeats === null
      ? publishedAt(repeats.requestedAt, earlier.decidedAt, slotMs)
      : earlier.decidedAt;
  return score.requestedAt < known ? known : now;
}

/**
 * Appends the verdict of an attempt that needs no run: a repetition, or one that a budget blocks. Answers undefined where it has to
 * be run; what fails on the way is left to `scoreCandidate`.
 */
export async function scoreWithoutRunning(
  scoring: Scoring,
  score: ScoreRecord,
  settle: Settle,
): Promise<StoredVerdict | undefined> {
  const started = performance.now();
  const gate = await findGate(scoring.database, score.gate).catch(() => undefined);
  const outcome = gate && (await answerWithoutRunning(scoring, score, gate).catch(() => undefined));
  return outcome && appendOutcome(scoring, score, outcome, settle, started, () => new Date());
}

async function scoreOrBlock(
  scoring: Scoring,
  score: ScoreRecord,
  progress: Progress,
  known: Gate | undefined,
): Promise<Outcome> {
  // One seed however often we fail: what a score asks is drawn once.
  const seed = newSeed();
  for (let failures = 0; ; failures++) {
    try {
      const gate = failures === 0 ? known : undefined;
      return await scoreOnce(scoring, score, seed, progress, gate);
    } catch (error) {
      if (scoring.runners.closed) throw error;
      happened.emit('failed', { score: score.id, code: codeOf(error) });
      const isLast = failures === retriesMax;
      process.emitWarning(
        `score ${score.id} ${isLast ? 'is indeterminate' : 'is tried again'}: ${causeOf(error)}`,
      );
      if (isLast) return blocked('indeterminate');
    }
  }
}

async function scoreOnce(
  scoring: Scoring,
  score: ScoreRecord,
  seed: string,
  progress: Progress,
  known: Gate | undefined,
): Promise<Outcome> {
  const { database, suites } = scoring;
  // Read by another process, and waited for only where it has to run.
  const reading = scoring.candidates.get(score.candidate);
  reading.catch(() => {});
  const gate = known ?? (await findGate(database, score.gate));
  const answer = await answerWithoutRunning(scoring, score, gate);
  if (answer !== undefined) return answer;
  const active = activeRevisions(gate);
  const candidate = await reading;
  const unfit = await findUnfit(scoring, active);
  if (unfit.length > 0) return { ...blocked('indeterminate'), alarms: unfit };
  // In the next turn the hosts have their jobs, and there is nothing else to do here.
  const looking = nextTurn().then(() => findLeaks(suites, active, candidate.text));
  looking.catch(() => {});
  const scored: SuiteScore[] = [];
  const alarms: Alarm[] = [];
  for (const name of active) {
    const contents = await suites.open(name);
    const asked = inForce(contents, score.requestedAt);
    if (asked.proving === 0) return blocked('not_scored');
    const seeds = { realms: seedOf(name), inputs: seed };
    const build = await scoreBuild(scoring, candidate.script, contents, asked, seeds, progress);
    if (build.unfit > 0) {
      process.emitWarning(
        `score ${score.id} is indeterminate: references of ${name.suite}, revision ${name.revision}, gave nothing to compare with`,
      );
      return { ...blocked('indeterminate'), alarms: [{ ...name, kind: 'preflight', cases: build.unfit }] };
    }
    const sprung = await springTripwires(contents, candidate.text, build);
    if (sprung > 0) alarms.push({ ...name, kind: 'tripwire', cases: sprung });
    for (const { suite, found } of (await looking).looked)
      if (suite === name.suite && found > 0) alarms.push({ ...name, kind: 'fingerprints', cases: found });
    scored.push({ ...name, ...asked, results: build.results });
  }
  const decision = decide(gate.suites, active, scored);
  const disclosure = await disclosureOf(database, gate, score);
  return { decision, scored, repeats: undefined, alarms, disclosure, seed };
}

/**
 * The revisions that cannot judge anybody: their references did not behave on what runs candidates now. That is the suite's failure, or
 * ours, never the candidate's, which is not run.
 */
async function findUnfit({ suites, preflights }: Scoring, active: RevisionName[]): Promise<Alarm[]> {
  const unfit: Alarm[] = [];
  for (const name of active) {
    const contents = await suites.open(name);
    if (await preflights.mayScore(name, contents)) continue;
    process.emitWarning(
      `suite ${name.suite}, revision ${name.revision}: its references do not behave, so scores are indeterminate`,
    );
    unfit.push({ ...name, kind: 'preflight', cases: contents.cases.length });
  }
  return unfit;
}

/** What is disclosed by the policy that the attempt was accepted under, which the gate's need not be any more. */
async function disclosureOf(database: Database, gate: Gate, score: ScoreRecord): Promise<Disclosure> {
  if (gate.version === score.policyVersion) return gate.disclosure;
  return findDisclosure(database, score.gate, score.policyVersion);
}

/** The same verdict again for a candidate that was scored before, a block where a budget is spent, and else undefined. */
async function answerWithoutRunning(
  { database, suites, slotMs }: Scoring,
  score: ScoreRecord,
  gate: Gate,
): Promise<Outcome | undefined> {
  const settled = await findSettled(database, score);
  const active = activeRevisions(gate);
  const lapses =
    settled === undefined
      ? []
      : await findLapses(database, active, { from: settled.requestedAt, to: score.requestedAt });
  const again = settled?.verdict && decideAgain(gate.suites, active, settled.verdict, lapses);
  if (again !== undefined) return { decision: again, scored: [], repeats: settled, alarms: [], seed: null };
  if (await hasNoAttempts(database, gate, score)) return blocked('budget_exhausted');
  if (gate.exposureBudgetBits === undefined) return undefined;
  const disclosure = await disclosureOf(database, gate, score);
  const opened = await Promise.all(active.map((name) => suites.open(name)));
  const asked = opened.map((contents) => inForce(contents, score.requestedAt));
  const cases = countOf(asked);
  // It will cost this at least, and so will whatever was accepted before it and is not decided yet.
  const least = chargeOf({ disclosure, cases, slot: slotOf(score.requestedAt, new Date(), slotMs) });
  // Seen at one moment, so that what is being decided counts once.
  const [undecided, exposures] = await database.transaction(
    async (snapshot) => [
      await countUndecided(snapshot, score, active),
      await findExposures(snapshot, active, database),
    ],
    { isolationLevel: 'repeatable read', accessMode: 'read only' },
  );
  const spent = exposures.some(({ bits }) => bits + (undecided + 1) * least > (gate.exposureBudgetBits ?? 0));
  return spent ? blocked('budget_exhausted') : undefined;
}

function blocked(reason: BlockReason): Outcome {
  return { decision: block(reason), scored: [], repeats: undefined, alarms: [], seed: null };
}

/** Whether the change has had its attempts. */
async function hasNoAttempts(database: Database, gate: Gate, score: ScoreRecord): Promise<boolean> {
  const { attemptsPerChange } = gate;
  // Every other candidate had an attempt of its own.
  if (score.attempt <= attemptsPerChange) return false;
  // The quick count is never too small, so the exact one is seldom needed.
  return (
    (await countEarlierCandidates(database, score)) >= attemptsPerChange &&
    (await countEarlierCandidates(database, score, activeRevisions(gate))) >= attemptsPerChange
  );
}

/** What the verdict may teach. Only cases that were run can tell anything; a repetition tells nothing new. */
function chargesOf({ scored, disclosure }: Outcome, slot: number): NewVerdict['charges'] {
  if (disclosure === undefined) return [];
  const cases = countOf(scored);
  const bits = chargeOf({ disclosure, cases, slot });
  return scored.map(({ suite, revision }) => ({ suite, revision, bits }));
}

/** How many cases are asked in all. */
function countOf(asked: InForce[]): number {
  return asked.reduce((sum, { positions }) => sum + positions.length, 0);
}

async function findFailures({ scored, repeats }: Outcome, seals: Seals): Promise<Failure[]> {
  if (repeats?.verdict === undefined) return failuresOf(scored);
  return openFailures(repeats.id, repeats.verdict.sealedFailures, seals);
}
