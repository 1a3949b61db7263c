/**
 * Candidates as scripts that runners can load, read once: while an attempt is being written down its module is read already, and
 * the same candidate at the next gate is not read again. Bounded by number and size.
 */
import { isUtf8 } from 'node:buffer';
import type { Database } from '../../migrations/open-database.ts';
import type { Transformed, Transformer } from '../../runners/transformer.ts';
import { findCandidate } from '../candidates.ts';

const scriptsMax = 32;
/** All scripts that are kept, in characters. */
const scriptCharsMax = 64 << 20;

/** A candidate: its text, and the script that it becomes or why it is none. */
export type ReadCandidate = { text: string; script: Transformed };

export class CandidateScripts {
  readonly #database: Database;
  readonly #transformer: Transformer;
  /** Oldest use first, as a Map keeps its order. */
  readonly #scripts = new Map<string, { text: string; reading: Promise<ReadCandidate>; chars: number }>();

  constructor(database: Database, transformer: Transformer) {
    this.#database = database;
    this.#transformer = transformer;
  }

  /** Begins to read a candidate whose bytes are at hand. */
  begin(digest: string, bytes: Uint8Array): void {
    if (this.#scripts.has(digest)) return;
    const text = new TextDecoder().decode(bytes);
    const reading = this.#read(bytes, text);
    // Whoever asks for it hears of a failure; and it is read again next time.
    reading.then(
      ({ script }) => !script.ok && this.#scripts.delete(digest),
      () => this.#scripts.delete(digest),
    );
    this.#scripts.set(digest, { text, reading, chars: bytes.length });
    this.#forgetOldest();
  }

  /** The candidate's text, which is there before it is read. Throws `candidate_not_found` and RunnerErrors. */
  async text(digest: string): Promise<string> {
    return this.#scripts.get(digest)?.text ?? (await this.get(digest)).text;
  }

  /** The candidate as text and script. Throws `candidate_not_found` and RunnerErrors. */
  async get(digest: string): Promise<ReadCandidate> {
    const known = this.#scripts.get(digest);
    if (known === undefined) {
      const bytes = await findCandidate(this.#database, digest);
      this.begin(digest, bytes);
      return this.#scripts.get(digest)?.reading ?? this.#read(bytes, new TextDecoder().decode(bytes));
    }
    this.#scripts.delete(digest);
    this.#scripts.set(digest, known);
    return known.reading;
  }

  async #read(bytes: Uint8Array, text: string): Promise<ReadCandidate> {
    if (!isUtf8(bytes)) return { text, script: { ok: false, detail: 'its bytes are not UTF-8 text' } };
    return { text, script: await this.#transformer.transform(text) };
  }

  #forgetOldest(): void {
    let chars = 0;
    for (const script of this.#scripts.values()) chars += script.chars;
    for (const [digest, script] of this.#scripts) {
      if (this.#scripts.size <= scriptsMax && chars <= scriptCharsMax) return;
      this.#scripts.delete(digest);
      chars -= script.chars;
    }
  }
}
