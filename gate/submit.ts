/**
 * Takes a request to score: binds it to a gate and a stored candidate, appends the attempt, and lets it wait its turn.
 * Everything is bounded: how many run, how many wait, how long a caller waits.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { LimitFunction } from 'p-limit';
import { type Database, reasonOf } from '../migrations/open-database.ts';
import type { Authoring } from '../suites/authoring/make-revision.ts';
import { digestOf } from '../suites/sealing/sealing.ts';
import { appendScore, appendVerdict, type NewScore, type Settle, unscored } from './append-history.ts';
import { requireCandidate, storeCandidate } from './candidates.ts';
import type { Replay } from './disclosure/disclosed.ts';
import { type Hearer, knownFrom, type ScoreReader } from './disclosure/disclosure.ts';
import { GateError, isGateError } from './errors.ts';
import type { ScoreRequest } from './gate.ts';
import { happened } from './happened.ts';
import { findScore, findScoreByKey, type ScoreRecord, type StoredVerdict } from './history.ts';
import { findGate } from './policies.ts';
import { queueFull, type ScoreQueue } from './queue/score-queue.ts';
import type { VerdictNews, Waiting } from './queue/verdict-news.ts';
import type { Worker } from './queue/worker.ts';
import { type Scoring, scoreWithoutRunning } from './score.ts';
import { traceAccepted } from './score-trace.ts';
import type { DryRun, DryRunRequest } from './scoring/dry-run.ts';
import { dryRunCase } from './scoring/dry-run-case.ts';
import { type ScoreState, stateOf } from './scoring/progress.ts';
import { type InTurn, replayScore } from './scoring/replay.ts';
import { countVisibleTests } from './visible-tests.ts';

/** An attempt without a verdict after this long will have none, in milliseconds. */
const verdictMsMax = 2 * 3_600_000;

/** How often a verdict is looked for of which nobody tells, in milliseconds. */
const pollMs = 1_000;

/** How often those who follow an attempt look how far it has come, here and in another process, in milliseconds. */
const followMs = 100;
const followElsewhereMs = 1_000;

/** So many replays and dry runs may go on at once; whatever one of them runs waits for a turn, as a score does. */
const asideMax = 4;

/** Whoever asks within so long after the queue was found full is told so at once, in milliseconds: a rush must cost little. */
const fullMs = 100;

export type Submission = {
  request: ScoreRequest;
  by: string;
  idempotencyKey: string | undefined;
  /** Where the caller's own trace is, as its header says. */
  traceparent: string | undefined;
};

export type SubmissionParts = {
  scoring: Scoring;
  queue: ScoreQueue;
  news: VerdictNews;
  /** What scores in this process; undefined where others do. */
  worker: Worker | undefined;
  turns: LimitFunction;
  /** How many scores may wait, run, or be decided of which agents have not heard yet. */
  placesMax: number;
};

export class Submissions {
  readonly #parts: SubmissionParts;
  /** How many requests are being accepted. */
  #accepting = 0;
  /** How many replays and dry runs go on. */
  #aside = 0;
  /** Until when the queue counts as full for a gate, by the steady clock. */
  readonly #fullUntilMs = new Map<string, number>();
  #closed = false;

  constructor(parts: SubmissionParts) {
    this.#parts = parts;
  }

  /**
   * Accepts a request to score, and answers it when it has a verdict that this reader may know, or as it is after `waitMs`. Throws
   * `gate_not_found`, `candidate_not_found`, `visible_tests_unreadable`, `idempotency_conflict` and `queue_full`; then nothing has been
   * accepted.
   */
  async submit(submission: Submission, reader: Hearer, waitMs: number): Promise<ScoreRecord> {
    const id = randomUUID();
    // Begun before the attempt can be seen, so that no news of it is missed.
    const waiting = this.#parts.news.wait(id);
    try {
      const accepted = await this.#acceptInBounds(id, submission);
      if (accepted.id === id) return await this.#wait(accepted, waiting, reader, waitMs);
      return await this.wait(accepted.id, reader, waitMs);
    } finally {
      waiting.stop();
    }
  }

  /** The attempt when it has a verdict that this reader may know, or as it is after `waitMs`. Throws `score_not_found`. */
  async wait(id: string, reader: Hearer, waitMs: number): Promise<ScoreRecord> {
    const waiting = this.#parts.news.wait(id);
    try {
      return await this.#wait(await findScore(this.#parts.scoring.database, id), waiting, reader, waitMs);
    } finally {
      waiting.stop();
    }
  }

  async #wait(found: ScoreRecord, waiting: Waiting, reader: Hearer, waitMs: number): Promise<ScoreRecord> {
    const { database, slotMs } = this.#parts.scoring;
    const until = performance.now() + waitMs;
    for (let score = found; ; ) {
      const leftMs = until - performance.now();
      const knownAt = knownFrom(score, reader, slotMs);
      // Published on the boundary, however early before it the verdict was decided.
      const earlyMs = knownAt && knownAt.getTime() - Date.now();
      if (leftMs <= 0 || (earlyMs === undefined ? this.#closed : earlyMs <= 0)) return score;
      if (earlyMs !== undefined) {
        // A timer that is started after long work ends early by as much: then it is waited once more.
        await sleep(Math.min(earlyMs, leftMs));
        continue;
      }
      // What was just decided here need not be read back.
      const decided = await waiting.next(Math.min(pollMs, leftMs));
      score = decided ?? (await findScore(database, score.id));
    }
  }

  /** More are not accepted at once than there are places at all: the rest would keep the database from them. */
  async #acceptInBounds(id: string, submission: Submission): Promise<ScoreRecord> {
    const { scoring, placesMax } = this.#parts;
    const fullUntilMs = this.#fullUntilMs.get(submission.request.gate) ?? 0;
    if (this.#accepting >= placesMax || performance.now() < fullUntilMs)
      await requireKnown(scoring.database, submission.by, submission.idempotencyKey);
    this.#accepting++;
    try {
      return await this.#accept(id, submission);
    } finally {
      this.#accepting--;
    }
  }

  async #accept(id: string, { request, by, idempotencyKey, traceparent }: Submission): Promise<ScoreRecord> {
    const { scoring, queue, worker, placesMax } = this.#parts;
    const { database } = scoring;
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
    const attempt: NewScore = {
      id,
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
    };
    const accepting = database.transaction(async (transaction) => {
      const appended = await appendScore(transaction, attempt);
      if (!appended.isNew) return { record: appended.record, place: undefined };
      const places = { concurrency: gate.concurrency, placesMax };
      const placed = await queue.place(transaction, appended.record, request.priority, places);
      // Before anybody can see the job.
      if (placed.waiting === 0) worker?.remember(appended.record, gate);
      return { record: appended.record, place: placed };
    });
    const { record, place } = await accepting.catch((error: unknown) => {
      if (isGateError(error, 'queue_full')) this.#fullUntilMs.set(gate.gate, performance.now() + fullMs);
      throw error;
    });
    if (place === undefined) return record;
    traceAccepted(record, traceparent);
    happened.emit('accepted', { score: id, gate: gate.gate, change: request.change.id, candidate });
    for (const superseded of place.superseded) void this.#supersede(superseded);
    // Only what has to run waits for a turn, so that nobody who need not run can tell by waiting how long others do.
    const isBegunAtOnce = worker?.isFree === true && place.waiting === 0 && gate.concurrency === undefined;
    if (!isBegunAtOnce) void this.#answerWithoutRunning(record);
    return record;
  }

  /** Nobody waits for a commit any more once a later one of the same change is there; what has begun goes on. */
  async #supersede(id: string): Promise<void> {
    await this.#settleWaiting(id, (score, settle) =>
      appendVerdict(this.#parts.scoring, unscored(score, 'superseded'), settle),
    );
  }

  async #answerWithoutRunning(accepted: ScoreRecord): Promise<void> {
    await this.#settleWaiting(accepted, (score, settle) =>
      scoreWithoutRunning(this.#parts.scoring, score, settle),
    );
  }

  /** Decides a score that still waits; where somebody has begun it, or it cannot be done now, it is left to whoever has its turn. */
  async #settleWaiting(
    waiting: ScoreRecord | string,
    append: (score: ScoreRecord, settle: Settle) => Promise<StoredVerdict | undefined>,
  ): Promise<void> {
    const { scoring, queue, news } = this.#parts;
    try {
      const score = typeof waiting === 'string' ? await findScore(scoring.database, waiting) : waiting;
      const verdict = await append(score, (transaction, decidedAt) =>
        queue.withdraw(transaction, score, decidedAt),
      );
      if (verdict !== undefined) news.tell({ ...score, verdict });
    } catch (error) {
      if (isGateError(error, 'lease_lost')) return;
      const id = typeof waiting === 'string' ? waiting : waiting.id;
      process.emitWarning(`score ${id} still waits for its turn: ${reasonOf(error)}`);
    }
  }

  /**
   * What an attempt is at while it has no verdict, each state as it is seen; ends when there is a verdict, when there will be none, or
   * when the signal says so. For readers who need not wait for slots: it tells of cases and of others who wait.
   */
  async *follow(id: string, signal: AbortSignal): AsyncGenerator<ScoreState> {
    const { scoring, queue, news, worker } = this.#parts;
    const waiting = news.wait(id);
    try {
      for (let told = ''; !signal.aborted && !this.#closed; ) {
        const progress = worker?.progressOf(id);
        if (progress === undefined) {
          const { verdict, deadlineAt } = await findScore(scoring.database, id);
          if (verdict !== undefined || deadlineAt <= new Date()) return;
        }
        const ahead = progress === undefined ? await queue.ahead(id) : undefined;
        const state = stateOf(progress, ahead);
        const text = JSON.stringify(state);
        if (text !== told) yield state;
        told = text;
        await waiting.next(progress === undefined ? followElsewhereMs : followMs);
      }
    } finally {
      waiting.stop();
    }
  }

  /** Answers all who wait with what there is. */
  close(): void {
    this.#closed = true;
    this.#parts.news.wakeAll();
  }

  /** Runs a score again for an author, in turns. Throws `replay_impossible` and `queue_full`, and what keeps it from running. */
  async replay(score: ScoreRecord, reader: ScoreReader): Promise<Replay> {
    return this.#runAside((inTurn) => replayScore(this.#parts.scoring, score, reader, inTurn));
  }

  /** Runs a case that an author writes, in turns. Throws `queue_full`, and what `dryRunCase` throws. */
  async dryRun(authoring: Authoring, suite: string, request: DryRunRequest, by: string): Promise<DryRun> {
    const parts = { scoring: this.#parts.scoring, authoring };
    return this.#runAside((inTurn) => dryRunCase(parts, suite, request, by, inTurn));
  }

  async #runAside<Answer>(run: (inTurn: InTurn) => Promise<Answer>): Promise<Answer> {
    if (this.#aside >= asideMax) {
      throw new GateError('queue_full', 'too many replays and dry runs are waiting: try again later');
    }
    this.#aside++;
    const { turns, worker } = this.#parts;
    // Jobs may have come while it had the turn.
    const passOn = () => setImmediate(() => worker?.look());
    try {
      return await run((part) => turns(part).finally(passOn));
    } finally {
      this.#aside--;
    }
  }

  /** The candidate of a request; if the request brings it, with its bytes. Where it can be begun at once, another process begins to read it. */
  async #beginReading({ candidate }: ScoreRequest): Promise<{ digest: string; bytes?: Buffer }> {
    if (!('source' in candidate)) return candidate;
    const bytes = Buffer.from(candidate.source, 'utf8');
    const digest = digestOf(bytes);
    const { scoring, worker } = this.#parts;
    // It may yet be refused, and what is never accepted may keep nobody waiting.
    if (worker?.isFree !== true || !scoring.transformer.isFree) return { digest, bytes };
    scoring.candidates.begin(digest, bytes);
    // The embedded database works in this thread and leaves it no turn; only in one is the text handed to its reader.
    await nextTurn();
    return { digest, bytes };
  }
}

/** While the queue is full, only whoever asks again hears of the score that there is. Throws `queue_full`. */
async function requireKnown(database: Database, by: string, key: string | undefined): Promise<void> {
  if (key !== undefined && (await findScoreByKey(database, by, key)) !== undefined) return;
  throw queueFull();
}
