/**
 * Works off the queue in this process: fetches jobs as long as a turn is free, keeps their leases, and has them scored. What a node that
 * is gone left behind comes back to it through the queue.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LimitFunction } from 'p-limit';
import { reasonOf } from '../../migrations/open-database.ts';
import { appendVerdict, indeterminate, type Settle } from '../append-history.ts';
import { isGateError } from '../errors.ts';
import type { Gate } from '../gate.ts';
import { findScore, type ScoreRecord } from '../history.ts';
import { type Scoring, scoreCandidate } from '../score.ts';
import { newProgress, type Progress } from '../scoring/progress.ts';
import { heartbeatMs, type Lease, type ScoreQueue } from './score-queue.ts';
import type { VerdictNews } from './verdict-news.ts';

/** Jobs are looked for at least so often, in milliseconds: those of nodes that died are announced by nobody. */
const lookMs = 5_000;

/** A score that was accepted here is begun within this time, or read anew, in milliseconds. */
const freshMs = 1_000;

export type WorkerParts = {
  scoring: Scoring;
  queue: ScoreQueue;
  news: VerdictNews;
  /** One turn for each score that may run at once; others take turns too. */
  turns: LimitFunction;
};

export class Worker {
  readonly #parts: WorkerParts;
  readonly #running = new Map<string, { progress: Progress; ended: Promise<void> }>();
  /** What was accepted here a moment ago, as it was read then. */
  readonly #fresh = new Map<string, { score: ScoreRecord; gate: Gate; atMs: number }>();
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** Begins to work. */
  async start(): Promise<void> {
    await this.#parts.queue.onJobs(() => this.#look());
    const look = () => {
      this.#look();
      this.#settleLost().catch((error: unknown) => warn('lost jobs could not be settled', error));
    };
    this.#timer = setInterval(look, lookMs);
    this.#timer.unref();
    look();
  }

  /** Whether a score that is queued now would be begun at once. */
  get isFree(): boolean {
    const { turns } = this.#parts;
    return !this.#stopping && turns.activeCount + turns.pendingCount < turns.concurrency;
  }

  /** How far a score has come that runs here. */
  progressOf(score: string): Progress | undefined {
    return this.#running.get(score)?.progress;
  }

  /** Remembers an attempt that is being accepted: if it is begun here in a moment, it need not be read back. */
  remember(score: ScoreRecord, gate: Gate): void {
    const now = performance.now();
    for (const [id, { atMs }] of this.#fresh) {
      if (now - atMs < freshMs) break;
      this.#fresh.delete(id);
    }
    this.#fresh.set(score.id, { score, gate, atMs: now });
  }

  /** Takes no more jobs, and waits until those under way have ended, but at most so long. Answers whether they have. */
  async drain(ms: number): Promise<boolean> {
    this.#stopping = true;
    clearInterval(this.#timer);
    const timeout = new AbortController();
    await Promise.race([this.#ended(), sleep(ms, undefined, { signal: timeout.signal }).catch(() => {})]);
    timeout.abort();
    return this.#running.size === 0;
  }

  /** Waits for those that are still under way: once the runners are closed they fail, and go back to the queue. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#ended();
  }

  async #ended(): Promise<void> {
    await this.#looking;
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  #look(): void {
    this.#lookAgain = true;
    this.#looking ??= this.#fetchAll()
      .catch((error: unknown) => warn('jobs could not be fetched', error))
      .finally(() => {
        this.#looking = undefined;
      });
  }

  async #fetchAll(): Promise<void> {
    while (this.#lookAgain && this.isFree) {
      this.#lookAgain = false;
      for (let lease = await this.#parts.queue.fetch(); lease !== undefined; ) {
        this.#begin(lease);
        lease = this.isFree ? await this.#parts.queue.fetch() : undefined;
      }
    }
  }

  #begin(lease: Lease): void {
    const { turns } = this.#parts;
    const progress = newProgress();
    const beating = setInterval(() => {
      // One that fails is followed by others before the lease lapses.
      this.#parts.queue
        .beat(lease)
        .catch((error: unknown) => warn(`score ${lease.id} misses a heartbeat`, error));
    }, heartbeatMs);
    const ended = turns(() => this.#score(lease, progress))
      .catch((error: unknown) => this.#giveUp(lease, error))
      .finally(() => {
        clearInterval(beating);
        this.#running.delete(lease.id);
        if (!this.#stopping) setImmediate(() => this.#look());
      });
    this.#running.set(lease.id, { progress, ended });
  }

  async #score(lease: Lease, progress: Progress): Promise<void> {
    const { scoring, queue, news } = this.#parts;
    const fresh = this.#fresh.get(lease.id);
    this.#fresh.delete(lease.id);
    const isFresh = fresh !== undefined && performance.now() - fresh.atMs < freshMs;
    const score = isFresh ? fresh.score : await findScore(scoring.database, lease.id);
    const settle: Settle = (transaction, decidedAt) => queue.complete(transaction, lease, score, decidedAt);
    if (score.verdict !== undefined) {
      await queue.complete(scoring.database, lease, score, score.verdict.decidedAt);
      return;
    }
    const verdict =
      score.deadlineAt <= new Date()
        ? await appendVerdict(scoring, indeterminate(score), settle)
        : await scoreCandidate(scoring, score, progress, settle, isFresh ? fresh.gate : undefined);
    news.tell({ ...score, verdict });
  }

  /** A failure of ours, or a lease that is not ours any more. */
  async #giveUp(lease: Lease, error: unknown): Promise<void> {
    if (isGateError(error, 'lease_lost')) return;
    const { queue, scoring } = this.#parts;
    const giving =
      this.#stopping && scoring.runners.closed ? queue.giveBack(lease) : queue.fail(lease, codeOf(error));
    // Where the database is away too, the lease lapses by itself.
    await giving.catch((failure: unknown) => warn(`score ${lease.id} is left to lapse`, failure));
  }

  /** Scores on which nodes failed as often as is allowed are indeterminate. */
  async #settleLost(): Promise<void> {
    const { queue, scoring, news } = this.#parts;
    for (;;) {
      const job = await queue.fetchLost();
      if (job === undefined) return;
      const score = await findScore(scoring.database, job.score);
      if (score.verdict !== undefined) {
        await queue.completeLost(scoring.database, job.lease, score);
        continue;
      }
      process.emitWarning(`score ${score.id} is indeterminate: its nodes failed`);
      const verdict = await appendVerdict(scoring, indeterminate(score), (transaction) =>
        queue.completeLost(transaction, job.lease, score),
      );
      news.tell({ ...score, verdict });
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? `${error.code}` : 'unexpected failure';
}

function warn(what: string, error: unknown): void {
  process.emitWarning(`${what}: ${reasonOf(error)}`);
}
