/**
 * Revisions that were opened lately, in clear text, in this process's memory and nowhere else: a revision never changes, so
 * opening it again would give the same. Bounded by number and, roughly, by size.
 */

import { type Opening, openContents } from './authoring/make-revision.ts';
import { type Fingerprints, fingerprintInSteps } from './leaks/fingerprints.ts';
import { endInTurns } from './leaks/in-steps.ts';
import { findPublishedPositions } from './life/events.ts';
import type { RevisionName } from './revisions.ts';
import type { SuiteContents } from './suite.ts';

const openedMax = 64;
/** All opened revisions together may have this many cases. */
const casesMax = 100_000;
/** And the builds that they hold so many characters. */
const buildCharsMax = 64 << 20;

export class OpenedSuites {
  readonly #parts: Opening;
  /** Oldest use first, as a Map keeps its order. */
  readonly #opened = new Map<string, SuiteContents>();
  /** Of opened revisions, those that were asked for; a revision that is forgotten takes its own along. */
  readonly #fingerprints = new WeakMap<SuiteContents, Promise<Fingerprints>>();

  constructor(parts: Opening) {
    this.#parts = parts;
  }

  /** The contents of a revision. Throws `revision_not_found` and `seal_broken`. */
  async open(name: RevisionName): Promise<SuiteContents> {
    const key = `${name.suite}@${name.revision}`;
    const contents = this.#opened.get(key) ?? (await openContents(this.#parts, name));
    this.#opened.delete(key);
    this.#opened.set(key, contents);
    this.#forgetOldest();
    return contents;
  }

  /** Forgets a revision, so that whoever opens it next reads what is stored then. */
  forget({ suite, revision }: RevisionName): void {
    this.#opened.delete(`${suite}@${revision}`);
  }

  /** The fingerprints of a revision, made when they are first asked for. Throws `revision_not_found` and `seal_broken`. */
  async fingerprints(name: RevisionName): Promise<Fingerprints> {
    const contents = await this.open(name);
    const fingerprints = this.#fingerprints.get(contents) ?? endInTurns(fingerprintInSteps(contents));
    this.#fingerprints.set(contents, fingerprints);
    return fingerprints;
  }

  /** The positions of a revision's cases that were published, as of now. */
  published(name: RevisionName): Promise<Set<number>> {
    return findPublishedPositions(this.#parts.database, name);
  }

  #forgetOldest(): void {
    let [cases, buildChars] = [0, 0];
    for (const contents of this.#opened.values()) {
      cases += contents.cases.length;
      buildChars += buildCharsOf(contents);
    }
    for (const [key, contents] of this.#opened) {
      if (this.#opened.size <= openedMax && cases <= casesMax && buildChars <= buildCharsMax) return;
      if (this.#opened.size === 1) return;
      this.#opened.delete(key);
      cases -= contents.cases.length;
      buildChars -= buildCharsOf(contents);
    }
  }
}

function buildCharsOf({ references }: SuiteContents): number {
  return references.reduce((sum, { build }) => sum + build.length, 0);
}
