/**
 * Takes a request to score: binds it to a gate and a stored candidate, appends the attempt, and lets it wait its turn.
 * Everything is bounded: how many run, how many wait, how long a caller waits.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import pLimit, { type LimitFunction } from 'p-limit';
import type { Authoring } from '../suites/authoring/make-revision.ts';
import { digestOf } from '../suites/sealing/sealing.ts';
import { appendScore, appendVerdict } from './append-history.ts';
import { requireCandidate, storeCandidate } from './candidates.ts';
import { block } from './decide.ts';
import type { Replay } from './disclosure/disclosed.ts';
import { type Hearer, knownFrom, type ScoreReader } from './disclosure/disclosure.ts';
import { publishedAt } from './disclosure/publication.ts';
import { GateError } from './errors.ts';
import type { Gate, ScoreRequest } from './gate.ts';
import { findScore, listUndecided, type ScoreRecord, type StoredVerdict } from './history.ts';
import { findGate } from './policies.ts';
import { type Scoring, scoreCandidate, scoreWithoutRunning } from './score.ts';
import type { DryRun, DryRunRequest } from './scoring/dry-run.ts';
import { dryRunCase } from './scoring/dry-run-case.ts';
import { newProgress, type Progress, type ScoreState, stateOf } from './scoring/progress.ts';
import { type InTurn, replayScore } from './scoring/replay.ts';
import { countVisibleTests } from './visible-tests.ts';

/** An attempt without a verdict after this long will have none, in milliseconds. */
const verdictMsMax = 2 * 3_600_000;

/** How often the verdict of an attempt that runs in another process is looked for, in milliseconds. */
const pollMs = 100;

/** How often those who follow an attempt look how far it has come, in milliseconds. */
const followMs = 100;

/** So many replays and dry runs may go on at once; whatever one of them runs waits for a turn, as a score does. */
const asideMax = 4;

export type Submission = { request: ScoreRequest; by: string; idempotencyKey: string | undefined };

export class Submissions {
  readonly #scoring: Scoring;
  readonly #turns: LimitFunction;
  readonly #placesMax: number;
  /** Those under way, each with what becomes of it. */
  readonly #running = new Map<string, Promise<ScoreRecord>>();
  /** How far each of them has come, in the order in which they came. */
  readonly #progress = new Map<string, Progress>();
  /** The newest attempt for each candidate at each gate: the same again waits for it, and gets the same verdict. */
  readonly #newest = new Map<string, Promise<unknown>>();
  /** How many are being written down, and will wait in a moment. */
  #accepting = 0;
  /** How many were accepted of which agents have not heard yet: that a place is free tells nobody that a verdict was decided. */
  #places = 0;
  /** How many replays and dry runs go on. */
  #aside = 0;

  constructor(scoring: Scoring, options: { concurrency: number; waitingMax: number }) {
    this.#scoring = scoring;
    this.#turns = pLimit(options.concurrency);
    this.#placesMax = options.waitingMax + options.concurrency;
  }

  /**
   * Accepts a request and starts to score it when its turn comes. Throws `gate_not_found`, `candidate_not_found`,
   * `visible_tests_unreadable`, `idempotency_conflict` and `queue_full`; then nothing has been accepted.
   */
  async accept({ request, by, idempotencyKey }: Submission): Promise<ScoreRecord> {
    if (this.#places + this.#accepting >= this.#placesMax) {
      throw new GateError('queue_full', 'too many scores are waiting: try again later');
    }
    this.#accepting++;
    try {
      return await this.#append({ request, by, idempotencyKey });
    } finally {
      this.#accepting--;
    }
  }

  async #append({ request, by, idempotencyKey }: Submission): Promise<ScoreRecord> {
    const { database } = this.#scoring;
    const visibleTests = request.visibleTests && countVisibleTests(request.visibleTests);
    // First, because reading a module takes longer than all that is asked of the database before it can run.
    const { digest: candidate, bytes } = await this.#beginReading(request);
    const gate = await findGate(database, request.gate);
    if (bytes === undefined) await requireCandidate(database, candidate);
    else await storeCandidate(database, bytes, candidate);
    const asked = [
      gate.gate,
      request.change,
      candidate,
      ...(visibleTests === undefined ? [] : [visibleTests]),
    ];
    const { record, isNew } = await appendScore(database, {
      id: randomUUID(),
      gate: gate.gate,
      policyVersion: gate.version,
      change: request.change,
      candidate,
      requestedBy: by,
      requestedAt: new Date(),
      deadlineAt: new Date(Date.now() + verdictMsMax),
      idempotencyKey,
      requestDigest: digestOf(JSON.stringify(asked)),
      visibleTests,
    });
    if (isNew) this.#start(record, gate);
    return record;
  }

  /** The attempt when it has a verdict that this reader may know, or as it is after `waitMs`. */
  async wait(id: string, reader: Hearer, waitMs: number): Promise<ScoreRecord> {
    const until = performance.now() + waitMs;
    for (;;) {
      const running = this.#running.get(id);
      // What was just appended need not be read back.
      const finished = running && (await withinMs(running, until - performance.now()));
      const record = finished?.verdict ? finished : await findScore(this.#scoring.database, id);
      const leftMs = until - performance.now();
      const knownAt = knownFrom(record, reader, this.#scoring.slotMs);
      if (knownAt !== undefined) {
        // Published on the boundary, however early before it the verdict was decided.
        const earlyMs = Math.min(knownAt.getTime() - Date.now(), leftMs);
        if (earlyMs > 0) await sleep(earlyMs);
        return record;
      }
      if (leftMs <= 0) return record;
      if (running === undefined) await sleep(Math.min(pollMs, leftMs));
    }
  }

  /**
   * What an attempt is at while it has no verdict, each state as it is seen; ends when there is a verdict, when there will be none, or
   * when the signal says so. For readers who need not wait for slots: it tells of cases and of others who wait.
   */
  async *follow(id: string, signal: AbortSignal): AsyncGenerator<ScoreState> {
    let told = '';
    while (!signal.aborted) {
      const running = this.#running.get(id);
      if (running === undefined) {
        const { verdict, deadlineAt } = await findScore(this.#scoring.database, id);
        if (verdict !== undefined || deadlineAt <= new Date()) return;
      }
      const state = stateOf(this.#progress.get(id), this.#progress.values());
      const text = JSON.stringify(state);
      if (text !== told) yield state;
      told = text;
      if (running === undefined) await sleep(pollMs * 10, undefined, { signal }).catch(() => {});
      else await withinMs(running, followMs);
    }
  }

  /** Runs a score again for an author, in turns. Throws `replay_impossible` and `queue_full`, and what keeps it from running. */
  async replay(score: ScoreRecord, reader: ScoreReader): Promise<Replay> {
    return this.#runAside((inTurn) => replayScore(this.#scoring, score, reader, inTurn));
  }

  /** Runs a case that an author writes, in turns. Throws `queue_full`, and what `dryRunCase` throws. */
  async dryRun(authoring: Authoring, suite: string, request: DryRunRequest, by: string): Promise<DryRun> {
    const parts = { scoring: this.#scoring, authoring };
    return this.#runAside((inTurn) => dryRunCase(parts, suite, request, by, inTurn));
  }

  async #runAside<Answer>(run: (inTurn: InTurn) => Promise<Answer>): Promise<Answer> {
    if (this.#aside >= asideMax) {
      throw new GateError('queue_full', 'too many replays and dry runs are waiting: try again later');
    }
    this.#aside++;
    try {
      return await run((part) => this.#turns(part));
    } finally {
      this.#aside--;
    }
  }

  /** Attempts that a process which is gone left without a verdict become indeterminate. For a database that is ours alone. */
  async settleAbandoned(): Promise<void> {
    const { database } = this.#scoring;
    for (const id of await listUndecided(database))
      await appendIndeterminate(this.#scoring, await findScore(database, id));
  }

  /** Resolves when nothing runs or waits any more. */
  async drain(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  /** `gate` is as it was read when the attempt was accepted, which is good enough for one that starts at once. */
  #start(record: ScoreRecord, gate: Gate): void {
    const what = `${record.gate} ${record.candidate}`;
    const progress = newProgress();
    const earlier = this.#newest.get(what);
    const running = (earlier ?? Promise.resolve())
      .then(() => this.#score(record, progress, earlier === undefined ? gate : undefined))
      .catch(() => appendIndeterminate(this.#scoring, record))
      .then((verdict): ScoreRecord => ({ ...record, verdict }))
      .catch((error: unknown) => {
        // The database is lost: without a verdict nothing merges, and after the deadline it reads as indeterminate.
        process.emitWarning(
          `score ${record.id} has no verdict: ${error instanceof Error ? error.name : 'lost'}`,
        );
        return record;
      })
      .then((finished) => {
        this.#running.delete(record.id);
        this.#progress.delete(record.id);
        if (this.#newest.get(what) === running) this.#newest.delete(what);
        void this.#leaveWhenPublished(finished);
        return finished;
      });
    this.#places++;
    this.#progress.set(record.id, progress);
    this.#running.set(record.id, running);
    this.#newest.set(what, running);
  }

  /** Only what has to run waits for a turn, so that nobody who need not run can tell by waiting how long others do. */
  async #score(record: ScoreRecord, progress: Progress, gate: Gate | undefined): Promise<StoredVerdict> {
    const isBusy = this.#turns.activeCount >= this.#turns.concurrency;
    const verdict = isBusy ? await scoreWithoutRunning(this.#scoring, record) : undefined;
    const known = isBusy ? undefined : gate;
    return verdict ?? this.#turns(() => scoreCandidate(this.#scoring, record, progress, known));
  }

  async #leaveWhenPublished({ requestedAt, verdict }: ScoreRecord): Promise<void> {
    const from = publishedAt(requestedAt, verdict?.decidedAt ?? new Date(), this.#scoring.slotMs);
    await sleep(Math.max(0, from.getTime() - Date.now()), undefined, { ref: false });
    this.#places--;
  }

  /** The candidate of a request; if the request brings it, with its bytes, which another process begins to read. */
  async #beginReading({ candidate }: ScoreRequest): Promise<{ digest: string; bytes?: Buffer }> {
    if (!('source' in candidate)) return candidate;
    const bytes = Buffer.from(candidate.source, 'utf8');
    const digest = digestOf(bytes);
    this.#scoring.candidates.begin(digest, bytes);
    // The embedded database works in this thread and leaves it no turn; only in one is the text handed to its reader.
    await nextTurn();
    return { digest, bytes };
  }
}

/** Waits for a promise, or until the time is over, and then gives undefined. */
async function withinMs<Value>(promise: Promise<Value>, ms: number): Promise<Value | undefined> {
  const timeout = new AbortController();
  const value = await Promise.race([
    promise,
    sleep(Math.max(0, ms), undefined, { signal: timeout.signal }).catch(() => undefined),
  ]);
  timeout.abort();
  return value;
}

async function appendIndeterminate(
  scoring: Scoring,
  { id, gate, policyVersion }: ScoreRecord,
): Promise<StoredVerdict> {
  return appendVerdict(scoring, {
    scoreId: id,
    gate,
    policyVersion,
    decision: block('indeterminate'),
    decidedAt: new Date(),
    scored: [],
    repeats: undefined,
    durationMs: 0,
    failures: [],
    charges: [],
    alarms: [],
    seed: null,
  });
}
