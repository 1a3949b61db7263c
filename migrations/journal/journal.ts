/**
 * The journal of an embedded database: everything that is committed is appended to a file and on the disk before anybody is told of it.
 * What waits together is written together. Where it cannot be written nobody is told of anything, until it can.
 */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { z } from 'zod';
import { DatabaseError } from '../errors.ts';
import { syncFolder } from '../sync-folder.ts';
import { bytesOf, type Exec, emptyOutbox, entryOf } from './capture.ts';
import type { Durability } from './durability.ts';
import { beginText, type JournalState, nameOf, numbersOf, removeBefore, writeAt } from './journal-folder.ts';
import { type Begin, encodeRecord, noDigest, type RecordKind } from './record.ts';
import { readOpened } from './record-file.ts';
import { type Query, readRows } from './rows.ts';

/** What is committed shortly after one another is written at once, in milliseconds, unless somebody waits: then hosts are at work, mostly. */
const gatherMs = 100;

/** What could not be written is tried again after so long, in milliseconds. */
const retryMs = 1_000;

/** So many entries are read from the outbox at once; one that is longer than this, in bytes, is read and written alone. */
const drainRows = 100;
const longBytes = 256 * 2 ** 10;

/** The outbox is emptied when so much has gone through it, in bytes. */
const outboxBytesMax = 4 * 2 ** 20;

/** The logs are replaced by a new snapshot when they are longer than this, in bytes, and than twice the snapshot. */
const logBytesMax = 64 * 2 ** 20;

const rowsSchema = z.array(z.object({ id: z.coerce.number(), what: z.string().nullable() }));

type Waiting = { target: number; resolve(): void; reject(error: DatabaseError): void };

export type JournalOptions = {
  folder: string;
  exec: Exec;
  query: Query;
  /** How many migrations the tables have behind them. */
  migrations: number;
  /** The start of this machine, null where that is not known. */
  boot: string | null;
};

export class Journal implements Durability {
  readonly #options: JournalOptions;
  readonly #folder: string;
  /** Writes one after the other. */
  readonly #writing = pLimit(1);
  readonly #renewing = pLimit(1);
  #file: FileHandle | undefined;
  #number: number;
  #length: number;
  #digest: Buffer;
  #sequence: number;
  #logBytes: number;
  #snapshotBytes: number;
  /** The logs are replaced when they have more bytes than this. */
  #renewBytes: number;
  /** Whether the end of the file may be something else than what was acknowledged. */
  #isSuspect = false;
  #outboxBytes = 0;
  /** How many commits were heard of, and how many of them are on the disk. */
  #committed = 0;
  #durable = 0;
  #waiting: Waiting[] = [];
  #pumping: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: DatabaseError | undefined;
  #isClosed = false;

  /** Goes on where an earlier process ended, or from nothing: then `renew` is to be called before anything else. */
  constructor(options: JournalOptions, state: JournalState | undefined, sequence: number) {
    this.#options = options;
    this.#folder = options.folder;
    this.#number = state?.number ?? 0;
    this.#length = state?.length ?? 0;
    this.#digest = state?.digest ?? noDigest;
    this.#sequence = state?.sequence ?? sequence;
    this.#logBytes = state?.logBytes ?? 0;
    this.#snapshotBytes = state?.snapshotBytes ?? 0;
    this.#renewBytes = renewBytesOf(this.#snapshotBytes);
  }

  get isSettled(): boolean {
    return this.#durable === this.#committed;
  }

  get failure(): DatabaseError | undefined {
    return this.#failure;
  }

  /** The number of the newest entry that is on the disk. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Goes on with the log of an earlier process, where `noteOpening` has said that the database is open. */
  async resume(): Promise<void> {
    await this.#guard(async () => {
      this.#file = await open(join(this.#folder, nameOf(this.#number, 'log')), 'r+');
    });
  }

  /** Something was committed. To be called before whoever committed it goes on. */
  noticed(): void {
    this.#committed++;
    if (this.#failure === undefined) this.#timer ??= setTimeout(() => this.#pump(), gatherMs);
  }

  settled(): Promise<void> {
    if (this.isSettled) return Promise.resolve();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const target = this.#committed;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ target, resolve, reject });
      this.#pump();
    });
  }

  /** Writes a snapshot of all rows, while others go on, and removes what came before it. */
  renew(): Promise<void> {
    return this.#renewing(() => this.#guard(() => this.#renew()));
  }

  /**
   * Entries that make all rows as they are at a moment after the call. Others go on meanwhile: what is read are files that nobody
   * changes. Throws `journal_unwritable`, and `journal_damaged` where what was written is not there.
   */
  async *contents(): AsyncGenerator<string> {
    const parts = await this.#renewing(() => this.#guard(() => this.#openContents()));
    try {
      for (const { file, length, name } of parts) {
        for (const reading of readOpened(file, length)) {
          if (reading.kind === 'broken')
            throw new DatabaseError(
              'journal_damaged',
              `the journal is not whole: ${name} is damaged at byte ${reading.at}`,
            );
          if (reading.record.kind === 'entries') yield reading.record.text;
        }
      }
    } finally {
      for (const { file } of parts) closeSync(file);
    }
  }

  /** Opens a new snapshot and what follows it. Both may be removed by then: who has them open still reads them. */
  async #openContents(): Promise<{ name: string; file: number; length: number }[]> {
    await this.#renew();
    return this.#writing(async () => {
      await this.#drain();
      const first = numbersOf(this.#folder, 'snapshot').at(-1) ?? 0;
      const names = [nameOf(first, 'snapshot')];
      for (let number = first; number <= this.#number; number++) names.push(nameOf(number, 'log'));
      const parts: { name: string; file: number; length: number }[] = [];
      try {
        for (const name of names) {
          const file = openSync(join(this.#folder, name), 'r');
          parts.push({ name, file, length: name === names.at(-1) ? this.#length : fstatSync(file).size });
        }
      } catch (error) {
        for (const { file } of parts) closeSync(file);
        throw error;
      }
      return parts;
    });
  }

  /** Writes down what is left, and that the database is closed, if it is: `close` is to leave all of it on the disk. */
  async close(close: () => Promise<void>): Promise<void> {
    await this.#renewing(async () => {});
    await this.settled().catch(() => {});
    this.#isClosed = true;
    await this.#pumping;
    clearTimeout(this.#timer);
    const isWhole = this.isSettled;
    await close();
    if (isWhole && this.#failure === undefined) {
      await this.#writing(() => this.#append([['closed', '{}']])).catch(() => {});
    }
    await this.#file?.close().catch(() => {});
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isClosed) return;
    this.#pumping ??= this.#writeDown().finally(() => {
      this.#pumping = undefined;
      // Somebody may have committed while the outbox was emptied.
      if (!this.isSettled && this.#failure === undefined) this.#pump();
    });
  }

  async #writeDown(): Promise<void> {
    try {
      while (this.#durable < this.#committed) {
        const target = this.#committed;
        await this.#writing(() => this.#drain());
        this.#durable = target;
        this.#failure = undefined;
        const done = this.#waiting.filter((waiting) => waiting.target <= target);
        this.#waiting = this.#waiting.filter((waiting) => waiting.target > target);
        for (const { resolve } of done) resolve();
      }
    } catch (cause) {
      this.#fail(cause);
      return;
    }
    await this.#keepSmall();
  }

  /** What fails of this has failed nobody, and is tried again when as much again was written. */
  async #keepSmall(): Promise<void> {
    const warn = (what: string) => (error: unknown) => process.emitWarning(`${what}: ${error}`);
    if (this.#outboxBytes > outboxBytesMax) {
      this.#outboxBytes = 0;
      await emptyOutbox(this.#options.exec, this.#sequence).catch(
        warn('what is in the journal was not removed from the database'),
      );
    }
    if (this.#logBytes > this.#renewBytes && this.#renewing.activeCount === 0) {
      this.#renewBytes = this.#logBytes + logBytesMax;
      this.renew().catch(warn('the journal was not renewed'));
    }
  }

  #fail(cause: unknown): void {
    const isNew = this.#failure === undefined;
    this.#failure = unwritable(cause);
    if (isNew) process.emitWarning(this.#failure.message);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
    if (!this.#isClosed) this.#timer = setTimeout(() => this.#pump(), retryMs).unref();
  }

  /** Brings what is in the outbox to the disk. */
  async #drain(): Promise<void> {
    for (;;) {
      const rows = await this.#readOutbox(
        `id, CASE WHEN ${bytesOf} <= ${longBytes} THEN ${entryOf} END AS what`,
        drainRows,
      );
      const long = rows.findIndex(({ what }) => what === null);
      const together = long === -1 ? rows : rows.slice(0, long);
      const next = long === 0 ? await this.#readOutbox(`id, ${entryOf} AS what`, 1) : together;
      const last = next.at(-1);
      if (last === undefined) return;
      const entries = next.flatMap(({ what }) => what || []);
      await this.#append([['entries', `[${entries.join(',\n')}]`]], last.id);
      this.#outboxBytes += entries.reduce((sum, entry) => sum + entry.length, 0);
      if (long === -1 && rows.length < drainRows) return;
    }
  }

  async #readOutbox(columns: string, limit: number): Promise<z.infer<typeof rowsSchema>> {
    const [read] = await this.#options.exec(
      `SELECT ${columns} FROM journal.outbox WHERE id > ${this.#sequence} ORDER BY id LIMIT ${limit}`,
    );
    return rowsSchema.parse(read?.rows);
  }

  /** Appends records to the log, and brings them to the disk. After a failure that is another file, because this one may lie. */
  async #append(records: [RecordKind, string][], sequence = this.#sequence): Promise<void> {
    if (this.#isSuspect) await this.#leaveSuspect();
    let digest = this.#digest;
    const parts: Buffer[] = [];
    for (const [kind, text] of records) {
      const encoded = await encodeRecord({ kind, sequence, text }, digest);
      parts.push(encoded.bytes);
      digest = encoded.digest;
    }
    const bytes = Buffer.concat(parts);
    this.#isSuspect = true;
    await writeAt(this.#file, bytes, this.#length);
    this.#isSuspect = false;
    this.#length += bytes.length;
    this.#logBytes += bytes.length;
    this.#digest = digest;
    this.#sequence = sequence;
  }

  /** What was acknowledged stays, what may have been half written goes, and the next log begins. */
  async #leaveSuspect(): Promise<void> {
    await this.#file?.truncate(this.#length);
    await this.#file?.sync();
    await this.#file?.close();
    this.#file = undefined;
    await this.#beginLog();
  }

  async #beginLog(): Promise<void> {
    const number = this.#number + 1;
    const path = join(this.#folder, nameOf(number, 'log'));
    // What an attempt that failed has left holds nothing.
    const file = await open(path, 'w');
    try {
      const text = this.#begin('log');
      const encoded = await encodeRecord({ kind: 'begin', sequence: this.#sequence, text }, this.#digest);
      await writeAt(file, encoded.bytes, 0);
      await syncFolder(this.#folder);
      await this.#file?.close();
      this.#file = file;
      this.#number = number;
      this.#length = encoded.bytes.length;
      this.#logBytes += encoded.bytes.length;
      this.#digest = encoded.digest;
      this.#isSuspect = false;
    } catch (error) {
      await file.close();
      // A log that is not whole is no log.
      await rm(path, { force: true }).catch(() => {});
      throw error;
    }
  }

  #begin(what: Begin['what']): string {
    return beginText(what, this.#options);
  }

  async #renew(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const number = await this.#writing(async () => {
      const path = join(this.#folder, `${nameOf(this.#number + 1, 'snapshot')}.part`);
      if (this.#number === 0) {
        // The first of all: a log without a snapshot is one that never came into force.
        await (await open(path, 'wx', 0o600)).close();
      }
      if (this.#isSuspect) await this.#leaveSuspect();
      else await this.#beginLog();
      return this.#number;
    });
    const logBytesBefore = this.#logBytes - this.#length;
    const path = join(this.#folder, nameOf(number, 'snapshot'));
    const bytes = await this.#writeSnapshot(`${path}.part`).catch(async (error: unknown) => {
      // It may have taken all the room that there was. Where there is no other snapshot it says that this was to be the first.
      if (this.#snapshotBytes > 0) await rm(`${path}.part`, { force: true });
      else await truncate(`${path}.part`);
      throw error;
    });
    await rename(`${path}.part`, path);
    await syncFolder(this.#folder);
    // A folder that was made just now is in one that was not synced since.
    await syncFolder(join(this.#folder, '..'));
    this.#snapshotBytes = bytes;
    this.#renewBytes = renewBytesOf(bytes);
    this.#logBytes -= logBytesBefore;
    await removeBefore(this.#folder, number);
    await emptyOutbox(this.#options.exec, this.#sequence);
  }

  /** Answers how many bytes it has. When it is in force, the log has all that was committed while rows were read. */
  async #writeSnapshot(path: string): Promise<number> {
    const file = await open(path, 'w', 0o600);
    try {
      let [length, rows] = [0, 0];
      let digest: Buffer = noDigest;
      const sequence = this.#sequence;
      const write = async (kind: RecordKind, text: string, upTo = sequence) => {
        const encoded = await encodeRecord({ kind, sequence: upTo, text }, digest);
        await file.write(encoded.bytes, 0, encoded.bytes.length, length);
        length += encoded.bytes.length;
        digest = encoded.digest;
      };
      await write('begin', this.#begin('snapshot'));
      for await (const { entry, count } of readRows(this.#options.query)) {
        await write('entries', `[${entry}]`);
        rows += count;
      }
      await this.#writing(() => this.#drain());
      await write('end', JSON.stringify({ upTo: this.#sequence, rows }), this.#sequence);
      await file.sync();
      return length;
    } finally {
      await file.close();
    }
  }

  async #guard<Answer>(write: () => Promise<Answer>): Promise<Answer> {
    try {
      return await write();
    } catch (cause) {
      throw unwritable(cause);
    }
  }
}

function renewBytesOf(snapshotBytes: number): number {
  return Math.max(logBytesMax, 2 * snapshotBytes);
}

export function unwritable(cause: unknown): DatabaseError {
  if (cause instanceof DatabaseError) return cause;
  const why = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? cause.name) : `${cause}`;
  return new DatabaseError(
    'journal_unwritable',
    `the journal cannot be written (${why}): nothing is acknowledged until it can be`,
    { cause },
  );
}
