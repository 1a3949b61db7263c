/**
 * `holdback leaks`: whether sealed cases turn up in a workspace, a diff or an agent's memory. It tells lines and numbers, so
 * that what it prints gives no case away.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Leaks, leaksSchema, textBytesMax } from '../../suites/leaks/leaks.ts';
import { slugSchema } from '../../suites/suite.ts';
import { type Client, connect } from '../client.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../errors.ts';
import { filesBelow, type Piece, piecesOf, whyOf } from '../files.ts';
import { withProgress } from '../progress.ts';

/** How much of a large file is sent twice, in bytes: a case that lies across two pieces is whole in one of them. */
const overlapBytes = 256 << 10;

/** A service that limits its readers is asked again after a while, in milliseconds, and so often. */
const waitMs = 5_000;
const waitsMax = 24;

type Finding = Leaks['findings'][number] & { path: string };

/** What became of a search. */
export type LeakReport = {
  findings: Finding[];
  looked: Omit<Leaks['looked'][number], 'found'>[];
  files: number;
  /** Folders that were left out. */
  skipped: string[];
  unread: { path: string; why: string }[];
};

export const leaksCommand: Command = {
  words: 'leaks',
  about: 'Look for cases of sealed suites in files, and tell where, without telling which.',
  positionals: [{ name: 'PATH', about: 'A file or folder; - reads standard input.', repeatable: true }],
  flags: {
    suite: { value: 'NAME', about: 'The suite to look for; without it, every active revision.' },
    all: { about: 'Look into node_modules and .git as well.' },
  },
  notes: [
    'Exit codes: 0 nothing found, 1 something found, 2 usage, 3 not everything could be looked at.',
    'Inputs and expected values are found however they are formatted; not if they are computed, reordered or encoded.',
    'Examples: holdback leaks .    git log -p | holdback leaks -',
  ],
  async run(given) {
    const paths = given.positionals();
    if (paths.length === 0) {
      throw given.wrong('PATH is missing: give files or folders, or - for standard input');
    }
    const suite = given.text('suite');
    if (suite !== undefined && !slugSchema.safeParse(suite).success) {
      throw given.wrong(`--suite: ${suite} is no name of a suite`);
    }
    const search = new Search(connect(given.environment), suite);
    const report = await withProgress('looking for leaks', search.look(paths, given.has('all')));
    return { kind: 'leaks', report };
  },
};

/** A file, or a piece of a large one. */
type Text = Piece & { path: string };

class Search {
  readonly #client: Client;
  readonly #suite: string | undefined;
  readonly #report: LeakReport = { findings: [], looked: [], files: 0, skipped: [], unread: [] };
  /** Texts that are asked about together, because a workspace has many small files. */
  #batch: Text[] = [];
  #batchBytes = 0;
  /** What was found, by its place. */
  readonly #told = new Map<string, Finding>();

  constructor(client: Client, suite: string | undefined) {
    this.#client = client;
    this.#suite = suite;
  }

  /** Throws CommandError. What cannot be read is in the report. */
  async look(paths: string[], all: boolean): Promise<LeakReport> {
    // Tells what is looked for, and that it can be, also where there is no file at all.
    await this.#ask(new Uint8Array([10]));
    for await (const entry of filesBelow(paths, { all })) {
      if (entry.kind === 'skipped') this.#report.skipped.push(entry.path);
      if (entry.kind === 'unread') this.#report.unread.push({ path: entry.path, why: entry.why });
      if (entry.kind === 'file') await this.#lookAt(entry.path);
    }
    await this.#lookThroughBatch();
    const findings = [...this.#told.values()].sort(
      (a, b) => compare(a.path, b.path) || a.line - b.line || compare(a.suite, b.suite),
    );
    return { ...this.#report, findings };
  }

  async #lookAt(path: string): Promise<void> {
    try {
      for await (const piece of piecesOf(path, textBytesMax, overlapBytes)) {
        if (this.#batchBytes + 1 + piece.bytes.length > textBytesMax) await this.#lookThroughBatch();
        this.#batch.push({ ...piece, path });
        this.#batchBytes += 1 + piece.bytes.length;
      }
      this.#report.files++;
    } catch (error) {
      if (error instanceof CommandError) throw error;
      this.#report.unread.push({ path, why: whyOf(error) });
    }
  }

  async #lookThroughBatch(): Promise<void> {
    const batch = this.#batch;
    [this.#batch, this.#batchBytes] = [[], 0];
    await this.#lookThrough(batch);
  }

  /** Asks about all texts at once; if there is something in them, about each half, until it is known in which. */
  async #lookThrough(texts: Text[]): Promise<void> {
    const [text] = texts;
    if (text === undefined) return;
    const findings = await this.#ask(joined(texts));
    if (findings.length === 0) return;
    if (texts.length === 1) {
      for (const finding of findings)
        this.#tell({ ...finding, path: text.path, line: finding.line + text.linesBefore });
      return;
    }
    const half = Math.ceil(texts.length / 2);
    await this.#lookThrough(texts.slice(0, half));
    await this.#lookThrough(texts.slice(half));
  }

  /** What two pieces of a file have in common is told once. */
  #tell(here: Finding): void {
    const place = JSON.stringify([here.path, here.line, here.suite, here.revision]);
    const told = this.#told.get(place);
    this.#told.set(place, { ...here, cases: Math.max(told?.cases ?? 0, here.cases) });
  }

  async #ask(content: Uint8Array<ArrayBuffer>): Promise<Leaks['findings']> {
    for (let waits = 0; ; waits++) {
      try {
        const { findings, looked } = await this.#client.ask(
          {
            method: 'POST',
            path: ['leaks'],
            query: this.#suite === undefined ? {} : { suite: this.#suite },
            body: { type: 'application/octet-stream', content },
          },
          leaksSchema,
        );
        for (const { found: _found, ...one } of looked) {
          if (!this.#report.looked.some((each) => isSame(each, one))) this.#report.looked.push(one);
        }
        return findings;
      } catch (error) {
        const isLimited = error instanceof CommandError && error.code === 'rate_limited';
        if (!isLimited || waits === waitsMax) throw error;
        await sleep(waitMs);
      }
    }
  }
}

/** The texts one after the other, each on lines of its own. */
function joined(texts: Text[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeOf(texts)).fill(10);
  let at = 0;
  for (const text of texts) {
    bytes.set(text.bytes, at);
    at += text.bytes.length + 1;
  }
  return bytes;
}

function sizeOf(texts: Text[]): number {
  return texts.reduce((size, { bytes }) => size + bytes.length, texts.length - 1);
}

type Named = { suite: string; revision: number };
function isSame(a: Named, b: Named): boolean {
  return a.suite === b.suite && a.revision === b.revision;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
