/**
 * Measurements that are under way: one at a time, because each of them takes every core that scores leave; a few may wait. What has
 * ended well is in the database; of what failed, the newest few are remembered here.
 */
import { randomUUID } from 'node:crypto';
import pLimit from 'p-limit';
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import type { HostPool } from '../../runners/pool.ts';
import { findSealed, type RevisionName } from '../../suites/revisions.ts';
import type { Seals } from '../../suites/sealing/sealing.ts';
import { GateError } from '../errors.ts';
import { buildOf, type Measuring, measureStrength } from './measure-strength.ts';
import type { Measurement, StrengthRequest } from './strength.ts';
import { appendStrength, openStrength } from './strengths.ts';

/** How many may be under way or wait. */
const waitingMax = 8;
/** Of so many that failed it is remembered why. */
const failedMax = 50;
/** A measurement may take this long, in milliseconds. */
const measureMsMax = 2 * 3_600_000;

export type MeasurementParts = Omit<Measuring, 'mutantHosts'> & {
  database: Database;
  seals: Seals;
  /** Hosts for mutants are made when the first measurement needs them. */
  startMutantHosts(): Promise<{ pool: HostPool; close(): Promise<void> }>;
};

type UnderWay = { name: RevisionName; measurement: Measurement; ended: Promise<void> };

export class Measurements {
  readonly #parts: MeasurementParts;
  readonly #turns = pLimit(1);
  readonly #underWay = new Map<string, UnderWay>();
  /** Oldest first, as a Map keeps its order. */
  readonly #failed = new Map<string, { name: RevisionName; measurement: Measurement }>();
  readonly #closing = new AbortController();
  #hosts: ReturnType<MeasurementParts['startMutantHosts']> | undefined;

  constructor(parts: MeasurementParts) {
    this.#parts = parts;
  }

  /**
   * Begins a measurement, which is recorded as a reading of the revision by whoever asks. Throws `revision_not_found`,
   * `reference_not_found` and `strength_queue_full`; then nothing has begun.
   */
  async begin(name: RevisionName, request: StrengthRequest, by: string): Promise<Measurement> {
    const { database, suites } = this.#parts;
    await findSealed(database, name);
    buildOf(request, await suites.open(name));
    if (this.#underWay.size >= waitingMax || this.#closing.signal.aborted) {
      throw new GateError('strength_queue_full', 'too many measurements are waiting: try again later');
    }
    const id = randomUUID();
    const measurement: Measurement = { state: 'running', id, doing: 'waiting', done: 0, mutants: 0 };
    const underWay: UnderWay = { name, measurement, ended: Promise.resolve() };
    this.#underWay.set(id, underWay);
    try {
      await appendAudit(database, { by, action: 'revision.read', about: { ...name, strength: id } });
    } catch (error) {
      this.#underWay.delete(id);
      throw error;
    }
    underWay.ended = this.#turns(() => this.#measure(id, underWay, request, by));
    return measurement;
  }

  /**
   * A measurement of a revision as it is now. Reading a report is recorded as a reading of the revision. Throws
   * `strength_not_found` and `seal_broken`.
   */
  async find(name: RevisionName, id: string, by: string): Promise<Measurement> {
    const known = this.#underWay.get(id) ?? this.#failed.get(id);
    if (known !== undefined && known.name.suite === name.suite && known.name.revision === name.revision) {
      // Why it failed may name a case.
      if (known.measurement.state === 'failed') await this.#recordReading(name, id, by);
      return known.measurement;
    }
    const report = await openStrength(this.#parts, name, id);
    if (report === undefined) {
      throw new GateError(
        'strength_not_found',
        `there is no measurement ${id} of revision ${name.revision} of ${name.suite}: those that were under way when the service ended are lost`,
      );
    }
    await this.#recordReading(name, id, by);
    return { state: 'finished', id, report };
  }

  async #recordReading(name: RevisionName, id: string, by: string): Promise<void> {
    await appendAudit(this.#parts.database, {
      by,
      action: 'revision.read',
      about: { ...name, strength: id },
    });
  }

  /** Ends what is under way. Nothing is left running. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#underWay.values()].map(({ ended }) => ended));
    await this.#hosts?.then(
      (hosts) => hosts.close(),
      () => {},
    );
  }

  async #measure(id: string, underWay: UnderWay, request: StrengthRequest, by: string): Promise<void> {
    const timeout = AbortSignal.timeout(measureMsMax);
    const stop = AbortSignal.any([this.#closing.signal, timeout]);
    try {
      this.#hosts ??= this.#parts.startMutantHosts();
      this.#hosts.catch(() => {
        this.#hosts = undefined;
      });
      const { pool } = await this.#hosts;
      const measured = await measureStrength({ ...this.#parts, mutantHosts: pool }, underWay.name, request, {
        stop,
        onProgress: (progress) => {
          underWay.measurement = { state: 'running', id, ...progress };
        },
      });
      await appendStrength(this.#parts, id, measured, by);
    } catch (error) {
      const message = timeout.aborted ? 'it took too long: ask for fewer mutants' : messageOf(error);
      this.#remember(id, underWay.name, { state: 'failed', id, code: codeOf(error), message });
    } finally {
      this.#underWay.delete(id);
    }
  }

  #remember(id: string, name: RevisionName, measurement: Measurement): void {
    this.#failed.set(id, { name, measurement });
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > failedMax && oldest !== undefined) this.#failed.delete(oldest);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? `${error.code}` : 'internal';
}

/** Coded errors are worded for whoever asked. Anything else says nothing of itself. */
function messageOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && /^[a-z_]+$/.test(`${error.code}`)) return error.message;
  process.emitWarning(`a strength could not be measured: ${error instanceof Error ? error.message : error}`);
  return 'the service failed: try again later; its log has the cause';
}
