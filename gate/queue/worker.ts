/**
 * Works off the queue in this process: fetches jobs as long as a turn is free, keeps their leases, and has them scored. What a node that
 * is gone left behind comes back to it through the queue.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LimitFunction } from 'p-limit';
import { reasonOf } from '../../migrations/open-database.ts';
import { appendVerdict, indeterminate, type Settle } from '../append-history.ts';
import { nowSince } from '../disclosure/publication.ts';
import { causeOf, codeOf, isGateError } from '../errors.ts';
import type { Gate } from '../gate.ts';
import { findScore, type ScoreRecord } from '../history.ts';
import { type Scoring, scoreCandidate } from '../score.ts';
import { newProgress, type Progress } from '../scoring/progress.ts';
import { type Claim, heartbeatMs, type Lease, lostLease, type ScoreQueue } from './score-queue.ts';
import type { VerdictNews } from './verdict-news.ts';

/** Jobs are looked for at least so often, in milliseconds: those of nodes that died are announced by nobody. */
const lookMs = 5_000;

/** After a job was begun, or the last one was done, the next is looked for this much later, in milliseconds: these come first. */
const restMs = 10;

/** A score that was accepted here is begun within this time, or read anew, in milliseconds. */
const freshMs = 1_000;

/** What cannot be given back within this time when the node stops is left to lapse, in milliseconds. */
const stopMs = 2_000;

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
  /** Whether no job waited that could be begun, when it was last asked. */
  #foundNone = false;
  #lookAgain = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #stopping = new AbortController();

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** Begins to work. */
  async start(): Promise<void> {
    await this.#parts.queue.onJobs(() => this.look());
    const look = () => {
      this.look();
      this.#settleLost().catch((error: unknown) => warn('lost jobs could not be settled', error));
    };
    this.#timer = setInterval(look, lookMs);
    this.#timer.unref();
    look();
  }

  /** Whether a score that is queued now would be begun at once. */
  get isFree(): boolean {
    const { turns } = this.#parts;
    return !this.#stopping.signal.aborted && turns.activeCount + turns.pendingCount < turns.concurrency;
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

  /** Takes no more jobs, and waits until those under way have ended, but at most so long. */
  async drain(ms: number): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    const timeout = new AbortController();
    await Promise.race([this.#ended(), sleep(ms, undefined, { signal: timeout.signal }).catch(() => {})]);
    timeout.abort();
  }

  /**
   * Waits for those that are still under way: once the runners are closed they fail, and go back to the queue. What then still waits
   * for the database is left to lapse.
   */
  async stop(): Promise<void> {
    await this.drain(stopMs);
  }

  async #ended(): Promise<void> {
    await this.#looking;
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  /** Looks for jobs, if a turn is free. To be called whenever there may be a job, or a turn. */
  look(): void {
    this.#lookAgain = true;
    this.#looking ??= this.#fetchAll()
      .catch((error: unknown) => warn('jobs could not be fetched', error))
      .finally(() => {
        this.#looking = undefined;
        // Somebody may have asked since it was looked for the last time.
        if (this.#lookAgain && this.isFree) this.look();
      });
  }

  async #fetchAll(): Promise<void> {
    while (this.#lookAgain && this.isFree) {
      this.#lookAgain = false;
      while (this.isFree) {
        const lease = await this.#parts.queue.fetch();
        this.#foundNone = lease === undefined;
        if (lease === undefined) break;
        this.#begin(lease);
        if (this.isFree) await sleep(restMs);
      }
    }
  }

  #begin(lease: Claim): void {
    const { turns } = this.#parts;
    const progress = newProgress();
    const held = new AbortController();
    const keeping = this.#keep(lease, held.signal);
    keeping.catch(() => {});
    const ended = turns(() => Promise.race([this.#score(lease, progress), keeping]))
      .catch((error: unknown) => this.#giveUp(lease, error))
      .finally(() => {
        held.abort();
        const running = this.#running.get(lease.id);
        // It may have come back to this node as another claim.
        if (running?.progress === progress) this.#running.delete(lease.id);
        if (this.#stopping.signal.aborted) return;
        if (this.#foundNone) setTimeout(() => this.look(), restMs).unref();
        else setImmediate(() => this.look());
      });
    this.#running.set(lease.id, { progress, ended });
  }

  /** Keeps a lease while it is needed. Throws `lease_lost` when it is another's: then this node need not wait for what it began. */
  async #keep(lease: Lease, needed: AbortSignal): Promise<void> {
    const { queue } = this.#parts;
    for (;;) {
      await sleep(heartbeatMs, undefined, { signal: needed, ref: false }).catch(() => {});
      if (needed.aborted) return;
      if (!queue.leasesLapse) continue;
      // One that fails is followed by others before the lease lapses.
      const isOurs = await queue.beat(lease).catch((error: unknown) => {
        warn(`score ${lease.id} misses a heartbeat`, error);
        return true;
      });
      if (!isOurs && !needed.aborted) throw lostLease(lease.id);
    }
  }

  async #score(lease: Claim, progress: Progress): Promise<void> {
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
    const isLate = score.deadlineAt <= new Date();
    if (isLate)
      process.emitWarning(`score ${score.id} is indeterminate: it waited for its turn until its deadline`);
    const verdict = isLate
      ? await appendVerdict(scoring, indeterminate(score), settle)
      : await scoreCandidate(scoring, score, progress, settle, {
          // What was accepted here was requested by this very clock.
          now: () => nowSince(score.requestedAt, isFresh ? 0 : lease.elapsedMs()),
          gate: isFresh ? fresh.gate : undefined,
        });
    news.tell({ ...score, verdict });
  }

  /** A failure of ours, or a lease that is not ours any more. */
  async #giveUp(lease: Lease, error: unknown): Promise<void> {
    if (isGateError(error, 'lease_lost')) return;
    const { queue, scoring } = this.#parts;
    const { signal } = this.#stopping;
    if (!scoring.runners.closed)
      process.emitWarning(
        `score ${lease.id} is given up here, and may be tried once more: ${causeOf(error)}`,
      );
    for (;;) {
      try {
        if (signal.aborted && scoring.runners.closed) await queue.giveBack(lease);
        else await queue.fail(lease, codeOf(error));
        return;
      } catch (failure) {
        // Where the database is away too. A lease may lapse by itself, but not that of the only node.
        warn(`score ${lease.id} is not given up yet`, failure);
        if (signal.aborted) return;
        await sleep(lookMs, undefined, { signal, ref: false }).catch(() => {});
      }
    }
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
      process.emitWarning(`score ${score.id} is indeterminate: its nodes failed, the last by: ${job.why}`);
      const verdict = await appendVerdict(scoring, indeterminate(score), (transaction) =>
        queue.completeLost(transaction, job.lease, score),
      );
      news.tell({ ...score, verdict });
    }
  }
}

function warn(what: string, error: unknown): void {
  process.emitWarning(`${what}: ${reasonOf(error)}`);
}
