/**
 * The product in one function: a candidate is scored against the sealed suites that its gate requires, and a verdict is
 * appended. Read `scoreCandidate` from top to bottom.
 */
import { createHash } from 'node:crypto';
import type { Database } from '../migrations/open-database.ts';
import type { HostPool } from '../runners/pool.ts';
import type { ObservedCase } from '../runners/protocol.ts';
import { runCandidate } from '../runners/run-candidate.ts';
import type { Transformer } from '../runners/transformer.ts';
import { findLeaks } from '../suites/find-leaks.ts';
import type { OpenedSuites } from '../suites/opened-suites.ts';
import type { RevisionName } from '../suites/revisions.ts';
import type { Seals } from '../suites/sealing.ts';
import type { SuiteContents } from '../suites/suite.ts';
import { findSprung } from '../suites/tripwire.ts';
import type { CandidateScripts, ReadCandidate } from './candidate-scripts.ts';
import { chargeOf } from './charge.ts';
import { type BlockReason, block, decide, decideAgain, type SuiteScore } from './decide.ts';
import { failuresOf } from './disclosure.ts';
import { countEarlierCandidates, findExposures } from './exposure.ts';
import type { Disclosure, Gate } from './gate.ts';
import type { Grader } from './grader.ts';
import { type Alarm, appendVerdict, findSettled, type NewVerdict, type ScoreRecord } from './history.ts';
import { activeRevisions, findGate } from './policies.ts';
import { slotOf } from './publication.ts';

/** What scoring stands on: the database, the opened suites, the runners and the grader. */
export type Scoring = {
  database: Database;
  seals: Seals;
  suites: OpenedSuites;
  runners: HostPool;
  candidates: CandidateScripts;
  transformer: Transformer;
  grader: Grader;
  /** The most hosts that one score spreads over. */
  hostsPerScore: number;
  /** How long a time slot is, at whose end a verdict is published, in milliseconds. */
  slotMs: number;
};

/** A failure of ours is tried again this often before the score is indeterminate. A candidate's failure never is. */
const retriesMax = 2;

/** What became of an attempt, before it is written down. */
type Outcome = Pick<NewVerdict, 'decision' | 'scored' | 'repeats' | 'alarms'> & {
  /** What the gate discloses, and so is charged for, where cases were run. */
  disclosure?: Disclosure;
};

/**
 * Scores the candidate of an accepted attempt and appends its verdict. Throws only what keeps it from appending a
 * verdict at all; every other failure of ours ends as `indeterminate`.
 */
export async function scoreCandidate(scoring: Scoring, score: ScoreRecord): Promise<void> {
  const started = performance.now();
  const outcome = await scoreOrBlock(scoring, score);
  const decidedAt = new Date();
  const slot = slotOf(score.requestedAt, decidedAt, scoring.slotMs);
  await appendVerdict(scoring, {
    ...outcome,
    scoreId: score.id,
    gate: score.gate,
    policyVersion: score.policyVersion,
    decidedAt,
    durationMs: Math.round(performance.now() - started),
    failures: await textOfFailures(outcome, scoring.seals),
    charges: chargesOf(outcome, slot),
  });
  scoring.transformer.prepareSoon();
}

async function scoreOrBlock(scoring: Scoring, score: ScoreRecord): Promise<Outcome> {
  for (let failures = 0; ; failures++) {
    try {
      return await scoreOnce(scoring, score);
    } catch (error) {
      if (scoring.runners.closed || failures === retriesMax) {
        process.emitWarning(`score ${score.id} is indeterminate: ${codeOf(error)}`);
        return blocked('indeterminate');
      }
    }
  }
}

async function scoreOnce(scoring: Scoring, score: ScoreRecord): Promise<Outcome> {
  const { database, suites, grader } = scoring;
  const [gate, candidate, settled] = await Promise.all([
    findGate(database, score.gate),
    scoring.candidates.get(score.candidate),
    findSettled(database, score),
  ]);
  const active = activeRevisions(gate);
  const again = settled?.verdict && decideAgain(gate.suites, active, settled.verdict);
  if (again !== undefined) return { decision: again, scored: [], repeats: settled, alarms: [] };
  if (await isSpent(database, gate, score)) return blocked('budget_exhausted');
  const scored: SuiteScore[] = [];
  const alarms: Alarm[] = [];
  for (const name of active) {
    const contents = await suites.open(name);
    const [observed, { looked }] = await Promise.all([
      observe(scoring, candidate, contents, name),
      findLeaks(suites, [name], candidate.text),
    ]);
    const results = await grader.grade(contents, observed);
    const sprung = findSprung(contents, [candidate.text, ...observed.map(textOf)]);
    for (const position of sprung) Object.assign(results[position] ?? {}, sprungResult);
    if (sprung.length > 0) alarms.push({ ...name, kind: 'tripwire', cases: sprung.length });
    for (const { found } of looked)
      if (found > 0) alarms.push({ ...name, kind: 'fingerprints', cases: found });
    scored.push({ ...name, caseCount: contents.cases.length, results });
  }
  const decision = decide(gate.suites, active, scored);
  return { decision, scored, repeats: undefined, alarms, disclosure: gate.disclosure };
}

function blocked(reason: BlockReason): Outcome {
  return { decision: block(reason), scored: [], repeats: undefined, alarms: [] };
}

/** Whether the change has had its attempts, or a suite of the gate has told as much as it may. */
async function isSpent(database: Database, gate: Gate, score: ScoreRecord): Promise<boolean> {
  const { attemptsPerChange, exposureBudgetBits, disclosure } = gate;
  const active = activeRevisions(gate);
  // The quick count is never too small, so the exact one is seldom needed.
  if (
    (await countEarlierCandidates(database, score)) >= attemptsPerChange &&
    (await countEarlierCandidates(database, score, active)) >= attemptsPerChange
  ) {
    return true;
  }
  if (exposureBudgetBits === undefined) return false;
  const least = chargeOf({ disclosure, cases: 1, slot: 1 });
  const exposures = await findExposures(database, active);
  return exposures.some(({ bits }) => bits + least > exposureBudgetBits);
}

/** What the verdict may teach. Only cases that were run can tell anything; a repetition tells nothing new. */
function chargesOf({ scored, disclosure }: Outcome, slot: number): NewVerdict['charges'] {
  if (disclosure === undefined) return [];
  const cases = scored.reduce((sum, { caseCount }) => sum + caseCount, 0);
  const bits = chargeOf({ disclosure, cases, slot });
  return scored.map(({ suite, revision }) => ({ suite, revision, bits }));
}

/** Hands the candidate and the inputs, and nothing else of the suite, to the runners. */
async function observe(
  { runners, hostsPerScore }: Scoring,
  { script: candidate }: ReadCandidate,
  { cases, limits }: SuiteContents,
  name: RevisionName,
): Promise<ObservedCase[]> {
  if (!candidate.ok) {
    return cases.map(() => ({
      observation: { outcome: 'crashed', detail: `the candidate does not compile: ${candidate.detail}` },
      durationMs: 0,
    }));
  }
  return runCandidate(runners, {
    script: candidate.script,
    inputs: cases.map(({ input }) => input),
    seed: seedOf(name),
    limits,
    hosts: hostsPerScore,
  });
}

/** What a tripwire says of a candidate that knows its answer. */
const sprungResult = {
  passed: false,
  message: 'a tripwire: the candidate gives an answer that only who has seen the sealed suite can know',
};

/** All that a candidate said in one case. */
function textOf({ observation }: ObservedCase): string {
  if (observation.outcome === 'returned') return observation.value;
  return observation.outcome === 'threw' ? JSON.stringify(observation.error) : '';
}

/** The same revision always has the same seed, so that trying again is no lottery. */
function seedOf({ suite, revision }: RevisionName): number {
  return createHash('sha256').update(`${suite}@${revision}`).digest().readUInt32LE();
}

async function textOfFailures({ scored, repeats }: Outcome, seals: Seals): Promise<string | undefined> {
  const earlier = repeats?.verdict?.sealedFailures;
  if (earlier) return seals.open(earlier);
  const failures = failuresOf(scored);
  return failures.length === 0 ? undefined : JSON.stringify(failures);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? `${error.code}` : 'unexpected failure';
}
