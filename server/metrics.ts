/**
 * What Prometheus reads at `/metrics`. No label names a gate, a suite, a case or a change: how often what is red would tell an agent
 * something, and there are too many of them.
 */
import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { blockReasons } from '../gate/decide.ts';
import { happened } from '../gate/happened.ts';
import { takesWrites } from '../gate/history.ts';
import type { Database } from '../migrations/open-database.ts';
import { inTime } from './in-time.ts';

/** Where hosts come from, and how it goes there. */
type Pool = {
  readonly readyCount: number;
  readonly leasedCount: number;
  readonly startedCount: number;
  readonly failedCount: number;
};

export type Measured = {
  database: Database;
  pools: Record<'runners' | 'graders', Pool>;
  /** How many scores wait and run, of all nodes, and how long the first of them has waited, in seconds. */
  queue?: () => Promise<{ waiting: number; running: number; oldestSeconds: number }>;
};

/** What goes wrong first where hosts do not start; other codes appear when they happen. */
const hostFailures = ['host_unavailable', 'host_lost', 'machine_overloaded'];

const secondsOfScores = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900];
const secondsOfRequests = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
/** The loop's lag is looked at so often, in milliseconds. */
const lagLookMs = 20;

export class Metrics {
  readonly #registry = new Registry();
  readonly #endings: (() => void)[] = [];
  readonly #http: Histogram<'method' | 'route' | 'status'>;
  #hasDefaults = false;

  constructor(measured: Measured) {
    const registers = [this.#registry];
    this.#http = new Histogram({
      name: 'holdback_http_request_duration_seconds',
      help: 'HTTP requests, by the pattern of their route.',
      labelNames: ['method', 'route', 'status'],
      buckets: secondsOfRequests,
      registers,
    });
    this.#countScores();
    this.#lookAtPools(measured.pools);
    this.#lookAtDatabase(measured);
  }

  /** Counts what an application answers. */
  countRequests(app: FastifyInstance): void {
    app.addHook('onResponse', async (request, reply) => {
      const { method, routeOptions } = request;
      const labels = { method, route: routeOptions.url ?? 'none', status: `${reply.statusCode}` };
      this.#http.observe(labels, reply.elapsedTime / 1_000);
    });
  }

  /** The text that Prometheus reads, and its content type. */
  async read(): Promise<{ text: string; type: string }> {
    // Who is never asked need not watch the process.
    if (!this.#hasDefaults) {
      collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: lagLookMs });
      this.#hasDefaults = true;
    }
    return { text: await this.#registry.metrics(), type: this.#registry.contentType };
  }

  close(): void {
    for (const end of this.#endings.splice(0)) end();
    this.#registry.clear();
  }

  #countScores(): void {
    const registers = [this.#registry];
    const verdicts = new Counter({
      name: 'holdback_scores_total',
      help: 'Verdicts that this process has appended.',
      labelNames: ['verdict', 'reason'],
      registers,
    });
    // Prometheus takes what appears with 1 for no growth: all that can be counted is there from the start.
    verdicts.inc({ verdict: 'merge', reason: 'green' }, 0);
    for (const reason of blockReasons) verdicts.inc({ verdict: 'block', reason }, 0);
    const durations = new Histogram({
      name: 'holdback_score_duration_seconds',
      help: 'How long scores were worked on until they were decided.',
      buckets: secondsOfScores,
      registers,
    });
    const waits = new Histogram({
      name: 'holdback_score_wait_seconds',
      help: 'How long scores waited until they were worked on.',
      buckets: secondsOfScores,
      registers,
    });
    const failures = new Counter({
      name: 'holdback_infrastructure_failures_total',
      help: 'Failures of ours while scores were made, by their code.',
      labelNames: ['code'],
      registers,
    });
    for (const code of hostFailures) failures.inc({ code }, 0);
    const gradings = new Histogram({
      name: 'holdback_grader_duration_seconds',
      help: 'How long the grader took to answer.',
      buckets: secondsOfScores,
      registers,
    });
    const trials = new Counter({
      name: 'holdback_graded_trials_total',
      help: 'Trials that were graded.',
      registers,
    });
    this.#hear('begun', ({ waitedMs }) => waits.observe(waitedMs / 1_000));
    this.#hear('decided', ({ verdict, reason, durationMs }) => {
      verdicts.inc({ verdict, reason });
      durations.observe(durationMs / 1_000);
    });
    this.#hear('failed', ({ code }) => failures.inc({ code }));
    this.#hear('graded', (graded) => {
      gradings.observe(graded.durationMs / 1_000);
      trials.inc(graded.trials);
    });
  }

  #lookAtPools(pools: Measured['pools']): void {
    const registers = [this.#registry];
    const each = Object.entries(pools);
    new Gauge({
      name: 'holdback_hosts',
      help: 'Hosts that there are.',
      labelNames: ['pool', 'state'],
      registers,
      collect() {
        for (const [pool, { readyCount, leasedCount }] of each) {
          this.set({ pool, state: 'ready' }, readyCount);
          this.set({ pool, state: 'leased' }, leasedCount);
        }
      },
    });
    const count = (name: string, help: string, of: (pool: Pool) => number) =>
      new Counter({
        name,
        help,
        labelNames: ['pool'],
        registers,
        collect() {
          this.reset();
          for (const [name, pool] of each) this.inc({ pool: name }, of(pool));
        },
      });
    count('holdback_hosts_started_total', 'Hosts that became ready.', (pool) => pool.startedCount);
    count('holdback_host_start_failures_total', 'Hosts that did not.', (pool) => pool.failedCount);
  }

  #lookAtDatabase({ database, queue }: Measured): void {
    const registers = [this.#registry];
    new Gauge({
      name: 'holdback_database_answer_seconds',
      help: 'How long the database took to answer just now; NaN if it did not.',
      registers,
      async collect() {
        const startedMs = performance.now();
        const answered = await inTime(takesWrites(database));
        this.set(answered === undefined ? Number.NaN : (performance.now() - startedMs) / 1_000);
      },
    });
    if (queue === undefined) return;
    // Both are read at one scrape, from one answer.
    let asking: Promise<Awaited<ReturnType<typeof queue>> | undefined> | undefined;
    const ask = () => {
      asking ??= inTime(queue()).finally(() => {
        asking = undefined;
      });
      return asking;
    };
    new Gauge({
      name: 'holdback_queue_scores',
      help: 'Scores that wait and run, on all nodes.',
      labelNames: ['state'],
      registers,
      async collect() {
        const depth = await ask();
        this.set({ state: 'waiting' }, depth?.waiting ?? Number.NaN);
        this.set({ state: 'running' }, depth?.running ?? Number.NaN);
      },
    });
    new Gauge({
      name: 'holdback_queue_oldest_seconds',
      help: 'How long the first of those that wait has waited.',
      registers,
      async collect() {
        this.set((await ask())?.oldestSeconds ?? Number.NaN);
      },
    });
  }

  #hear<Name extends 'begun' | 'decided' | 'failed' | 'graded'>(
    name: Name,
    hear: (what: Parameters<typeof happened.emit<Name>>[1]) => void,
  ): void {
    happened.on(name, hear);
    this.#endings.push(() => happened.off(name, hear));
  }
}
