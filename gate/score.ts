/**
 * The product in one function: a candidate is scored against the sealed suites that its gate requires, and a verdict is
 * appended. Read `scoreCandidate` from top to bottom.
 */
import { createHash } from 'node:crypto';
import type { Database } from '../migrations/open-database.ts';
import type { HostPool } from '../runners/pool.ts';
import type { ObservedCase } from '../runners/protocol.ts';
import { runCandidate } from '../runners/run-candidate.ts';
import { type Transformed, transformModule } from '../runners/transform.ts';
import { openContents } from '../suites/authoring.ts';
import type { Identity } from '../suites/identity.ts';
import { findActive, type RevisionName } from '../suites/revisions.ts';
import { seal } from '../suites/sealing.ts';
import type { SuiteContents } from '../suites/suite.ts';
import { findCandidate } from './candidates.ts';
import { block, type Decision, decide, type SuiteScore } from './decide.ts';
import { type Failure, failuresOf } from './disclosure.ts';
import type { Grader } from './grader.ts';
import { appendVerdict, type ScoreRecord } from './history.ts';
import { findGate } from './policies.ts';

/** What scoring stands on: the database, the identity that opens suites, the runners and the grader. */
export type Scoring = {
  database: Database;
  identity: Identity;
  runners: HostPool;
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
    durationMs: performance.now() - started,
    sealedFailures: await sealFailures(failures, scoring.identity),
  });
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
  const { database, identity, grader } = scoring;
  const { suites } = await findGate(database, score.gate);
  const active = await findActive(database, suites);
  const candidate = await readCandidate(await findCandidate(database, score.candidate));
  const scored: SuiteScore[] = [];
  for (const name of active) {
    const contents = await openContents(database, identity, name);
    const observed = await observe(scoring, candidate, contents, name);
    const results = await grader.grade(contents, observed);
    scored.push({ ...name, caseCount: contents.cases.length, results });
  }
  return { scored, decision: decide(suites, active, scored) };
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

async function readCandidate(bytes: Uint8Array): Promise<Transformed> {
  try {
    return await transformModule(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof TypeError) return { ok: false, detail: 'its bytes are not UTF-8 text' };
    throw error;
  }
}

async function sealFailures(failures: Failure[], identity: Identity): Promise<Uint8Array | null> {
  return failures.length === 0 ? null : seal(JSON.stringify(failures), identity.recipient);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? `${error.code}` : 'unexpected failure';
}
