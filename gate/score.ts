/**
 * The product in one function: a candidate is scored against the sealed suites that its gate requires, and a verdict is
 * appended. Read `scoreCandidate` from top to bottom.
 */
import { createHash } from 'node:crypto';
import type { Database } from '../migrations/open-database.ts';
import type { HostPool } from '../runners/pool.ts';
import type { ObservedCase } from '../runners/protocol.ts';
import { runCandidate } from '../runners/run-candidate.ts';
import type { Transformed, Transformer } from '../runners/transformer.ts';
import type { OpenedSuites } from '../suites/opened-suites.ts';
import type { RevisionName } from '../suites/revisions.ts';
import type { Sealed, Seals } from '../suites/sealing.ts';
import type { SuiteContents } from '../suites/suite.ts';
import type { CandidateScripts } from './candidate-scripts.ts';
import { block, type Decision, decide, type SuiteScore } from './decide.ts';
import type { Failure } from './disclosed.ts';
import { failuresOf } from './disclosure.ts';
import type { Grader } from './grader.ts';
import { appendVerdict, countEarlierAttempts, type ScoreRecord } from './history.ts';
import { activeRevisions, findGate } from './policies.ts';

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
};

/** A failure of ours is tried again this often before the score is indeterminate. A candidate's failure never is. */
const retriesMax = 2;

/**
 * Scores the candidate of an accepted attempt and appends its verdict. Throws only what keeps it from appending a
 * verdict at all; every other failure of ours ends as `indeterminate`.
 */
export async function scoreCandidate(scoring: Scoring, score: ScoreRecord): Promise<void> {
  const started = performance.now();
  const { scored, decision } = await scoreOrBlock(scoring, score);
  const failures = failuresOf(scored);
  await appendVerdict(scoring.database, {
    scoreId: score.id,
    gate: score.gate,
    policyVersion: score.policyVersion,
    decision,
    scored,
    durationMs: Math.round(performance.now() - started),
    failures: await sealFailures(failures, scoring.seals),
  });
  scoring.transformer.prepareSoon();
}

async function scoreOrBlock(
  scoring: Scoring,
  score: ScoreRecord,
): Promise<{ scored: SuiteScore[]; decision: Decision }> {
  for (let failures = 0; ; failures++) {
    try {
      return await scoreOnce(scoring, score);
    } catch (error) {
      if (scoring.runners.closed || failures === retriesMax) {
        process.emitWarning(`score ${score.id} is indeterminate: ${codeOf(error)}`);
        return { scored: [], decision: block('indeterminate') };
      }
    }
  }
}

async function scoreOnce(
  scoring: Scoring,
  score: ScoreRecord,
): Promise<{ scored: SuiteScore[]; decision: Decision }> {
  const { database, suites, grader } = scoring;
  const [gate, candidate] = await Promise.all([
    findGate(database, score.gate),
    scoring.candidates.get(score.candidate),
  ]);
  const { attemptsPerChange } = gate;
  if (attemptsPerChange !== undefined && (await countEarlierAttempts(database, score)) >= attemptsPerChange) {
    return { scored: [], decision: block('budget_exhausted') };
  }
  const active = activeRevisions(gate);
  const scored: SuiteScore[] = [];
  for (const name of active) {
    const contents = await suites.open(name);
    const observed = await observe(scoring, candidate, contents, name);
    const results = await grader.grade(contents, observed);
    scored.push({ ...name, caseCount: contents.cases.length, results });
  }
  return { scored, decision: decide(gate.suites, active, scored) };
}

/** Hands the candidate and the inputs, and nothing else of the suite, to the runners. */
async function observe(
  { runners, hostsPerScore }: Scoring,
  candidate: Transformed,
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

/** The same revision always has the same seed, so that trying again is no lottery. */
function seedOf({ suite, revision }: RevisionName): number {
  return createHash('sha256').update(`${suite}@${revision}`).digest().readUInt32LE();
}

async function sealFailures(failures: Failure[], seals: Seals): Promise<Sealed | undefined> {
  return failures.length === 0 ? undefined : seals.seal(JSON.stringify(failures));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? `${error.code}` : 'unexpected failure';
}
