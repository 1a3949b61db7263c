/** Checks a case while its author writes it: all that a revision with it would be refused for, and nothing is stored. */
import { appendAudit } from '../../migrations/append-audit.ts';
import { activeOf } from '../life/change-revisions.ts';
import type { OpenedSuites } from '../opened-suites.ts';
import type { CaseAmong, CaseFindings } from './case-text.ts';
import type { Authoring } from './make-revision.ts';
import { readCaseText } from './read-case.ts';

/** Who writes a case has it checked at every pause: that they read of the revision is recorded once in this time, in milliseconds. */
const recordedMs = 600_000;
/** Of so many readings it is remembered that they were recorded. */
const rememberedMax = 10_000;

/** Building the references is for whoever makes a revision: they were built when this one was made. */
const untried = async () => '';

export class CaseChecks {
  readonly #authoring: Authoring;
  readonly #suites: OpenedSuites;
  readonly #recordedAtMs = new Map<string, number>();

  constructor(authoring: Authoring, suites: OpenedSuites) {
    this.#authoring = authoring;
    this.#suites = suites;
  }

  /** All that is wrong with a case among those of a revision; empty findings if nothing is. Throws `revision_not_found`. */
  async check(suite: string, request: CaseAmong, by: string): Promise<CaseFindings> {
    const name = { suite, revision: request.revision ?? (await activeOf(this.#authoring, suite)) };
    const before = await this.#suites.open(name);
    const replaces = before.cases.findIndex(({ name: called }) => called === request.replaces);
    const reading = { ...this.#authoring, tryBuild: untried };
    const read = await readCaseText(reading, before, request, replaces === -1 ? undefined : replaces);
    await this.#record(`${by} ${suite}@${name.revision}`, () =>
      appendAudit(this.#authoring.database, { by, action: 'revision.read', about: name }),
    );
    return 'testCase' in read ? { findings: [], more: 0 } : read;
  }

  async #record(what: string, append: () => Promise<void>): Promise<void> {
    const now = Date.now();
    if (now - (this.#recordedAtMs.get(what) ?? Number.NEGATIVE_INFINITY) < recordedMs) return;
    await append();
    if (this.#recordedAtMs.size >= rememberedMax) this.#recordedAtMs.clear();
    this.#recordedAtMs.set(what, now);
  }
}
