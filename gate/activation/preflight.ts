/**
 * A suite is tried on the builds that it holds before it judges anybody else's: in several rounds, each with another order and other
 * chance, so that a case which goes now one way, now the other is found before it makes a right build red. That a revision passed
 * holds for one version of what runs and grades; with the next it is tried again before it scores.
 */

import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import type { Transformed, Transformer } from '../../runners/transformer.ts';
import { type InForce, inForce } from '../../suites/expiry.ts';
import type { OpenedSuites } from '../../suites/opened-suites.ts';
import type { Reference } from '../../suites/reference.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import type { SuiteScore } from '../decide.ts';
import { GateError } from '../errors.ts';
import { inputsSeedOf, seedOf } from '../scoring/observe.ts';
import { type BuildScore, type BuildScoring, scoreBuild } from '../scoring/score-build.ts';
import { observedOf } from '../scoring/trials.ts';
import type { Condition } from './condition.ts';
import { judgeRounds, unsteady } from './judge-rounds.ts';
import { appendPreflight, findPreflight, type RecordedPreflight } from './preflight-history.ts';
import {
  type Preflight,
  type PreflightFinding,
  preflightFindingsMax,
  tellPreflightFinding,
} from './preflight-report.ts';

/** So many may wait for their turn: each may take minutes. */
const waitingMax = 20;

/** A revision that failed is not tried again for every score, but after this long, in milliseconds. */
const againMs = 60_000;

/** So many findings are in the words of a refusal. */
const toldMax = 5;

export type PreflightParts = BuildScoring & {
  database: Database;
  suites: OpenedSuites;
  transformer: Transformer;
  /** The version of what runs and grades. */
  runner: string;
  /** How many rounds an activation needs. */
  rounds: number;
};

/** By whom what a score needs is run. */
const service = 'service';

export class Preflights {
  readonly #parts: PreflightParts;
  /** One after the other, because each may take every core. */
  readonly #turns = pLimit(1);
  readonly #running = new Map<string, Promise<Preflight>>();

  constructor(parts: PreflightParts) {
    this.#parts = parts;
  }

  /** How many rounds an activation needs. */
  get rounds(): number {
    return this.#parts.rounds;
  }

  /**
   * Runs the references of a revision and records how it went; whoever asks for the same meanwhile is answered by the same run. Throws
   * `revision_not_found`, `queue_full` and RunnerErrors; then nothing is recorded.
   */
  async run(name: RevisionName, by: string, rounds = this.#parts.rounds): Promise<Preflight> {
    const what = `${name.suite}@${name.revision} ${rounds}`;
    const running = this.#running.get(what);
    if (running !== undefined) {
      const preflight = await running;
      // The run is recorded for who began it; its findings name cases to this one too.
      if (by !== service) {
        await appendAudit(this.#parts.database, { by, action: 'revision.read', about: name });
      }
      return preflight;
    }
    if (this.#running.size >= waitingMax) {
      throw new GateError('queue_full', 'too many preflights are waiting: try again later');
    }
    const started = this.#turns(() => runPreflight(this.#parts, name, { by, rounds })).finally(() =>
      this.#running.delete(what),
    );
    this.#running.set(what, started);
    return started;
  }

  /** How the references of a revision behaved when they were run last, on this version of the runners. */
  async last(name: RevisionName): Promise<RecordedPreflight | undefined> {
    return findPreflight(this.#parts.database, name, this.#parts.runner);
  }

  /** Whether a revision passed, in as many rounds as an activation needs. Runs what has not been run. Throws as `run` does. */
  async pass(name: RevisionName, by: string): Promise<Preflight | undefined> {
    const { database, runner, rounds } = this.#parts;
    const known = await findPreflight(database, name, runner);
    if (known?.passed === true && known.rounds >= rounds) return undefined;
    const preflight = await this.run(name, by);
    return preflight.passed ? undefined : preflight;
  }

  /**
   * Whether a revision may score: it holds no references, or they behaved on this version of the runners. Runs them first if that is
   * not known. Throws as `run` does.
   */
  async mayScore(name: RevisionName, { references }: SuiteContents): Promise<boolean> {
    if (references.length === 0) return true;
    const { database, runner } = this.#parts;
    const known = await findPreflight(database, name, runner);
    if (known?.passed === true) return true;
    if (known !== undefined && Date.now() - known.at.getTime() < againMs) return false;
    return (await this.run(name, service)).passed;
  }
}

/** That a revision's references behave, if it holds any. */
export const referencesBehave: Condition = async ({ suites, preflights }, name, by) => {
  const { references } = await suites.open(name);
  if (references.length === 0) return undefined;
  const failed = await preflights.pass(name, by);
  if (failed === undefined) return undefined;
  const { findings, more, rounds } = failed;
  const told = findings.slice(0, toldMax).map(tellPreflightFinding);
  const untold = findings.length - told.length + more;
  return {
    code: 'preflight_failed',
    message: 'its references do not behave',
    details: [...told, ...(untold > 0 ? [`and ${untold} more`] : [])],
    advice: `mend the case or the reference; \`holdback suite preflight ${name.suite} ${name.revision}\` runs ${rounds === 1 ? 'them' : `the ${rounds} rounds`} again and tells all`,
  };
};

async function runPreflight(
  parts: PreflightParts,
  name: RevisionName,
  { by, rounds }: { by: string; rounds: number },
): Promise<Preflight> {
  const contents = await parts.suites.open(name);
  const asked = inForce(contents, new Date());
  // Each run has one host, so that as many runs go on at once as one score may take hosts.
  const turns = pLimit(parts.hostsPerScore);
  const tries = contents.references.map(async (reference) => {
    const build = await parts.transformer.transform(reference.build);
    const scores = Array.from({ length: rounds }, (_, round) =>
      turns(() => scoreRound(parts, name, contents, asked, { reference, build, round })),
    );
    const rounded = await Promise.all(scores);
    const found = judgeRounds(
      reference,
      rounded.map(({ score }) => score),
      (position) => contents.cases[position]?.generate !== undefined,
    );
    return found.length > 0 ? found : findUnsteady(reference, contents, rounded);
  });
  const findings = (await Promise.all(tries)).flat();
  const preflight = { runner: parts.runner, rounds, passed: findings.length === 0, at: new Date() };
  if (contents.references.length > 0) await appendPreflight(parts.database, name, { ...preflight, by });
  return {
    ...name,
    ...preflight,
    references: contents.references.length,
    findings: findings.slice(0, preflightFindingsMax),
    more: Math.max(0, findings.length - preflightFindingsMax),
    at: preflight.at.toISOString(),
  };
}

/** One round of one reference: how it went, and digests of what it made of the cases that are compared with it, by their positions. */
type Rounded = { score: SuiteScore; seen: Map<number, string> };

async function scoreRound(
  parts: PreflightParts,
  name: RevisionName,
  contents: SuiteContents,
  asked: InForce,
  { reference, build, round }: { reference: Reference; build: Transformed; round: number },
): Promise<Rounded> {
  const scoring = { ...parts, hostsPerScore: 1 };
  const seeds = { realms: seedOf(name, round), inputs: inputsSeedOf(name, round) };
  const scored = await scoreBuild(scoring, build, contents, asked, seeds);
  // Of a round nothing else is kept: all inputs and outputs of fifty are more than this process can hold.
  return { score: { ...name, ...asked, results: scored.results }, seen: seenOf(reference, scored) };
}

/** A case that generates its inputs has others in each round, and nothing to compare. */
function seenOf({ name }: Reference, { trials, observed }: BuildScore): Map<number, string> {
  const tried = observedOf(trials, observed);
  return new Map(
    trials.flatMap(({ position, testCase: { sameAs, generate } }, index): [number, string][] => {
      if (sameAs !== name || generate !== undefined) return [];
      const text = JSON.stringify(tried[index]?.observed.observation);
      return [[position, createHash('sha256').update(text).digest('hex')]];
    }),
  );
}

/** Others are compared with what a reference makes of a case, so that must be the same whatever chance there is. */
function findUnsteady(
  { name: reference }: Reference,
  { cases }: SuiteContents,
  rounds: Rounded[],
): PreflightFinding[] {
  return cases.flatMap(({ name }, position) => {
    const differ = new Set(rounds.map(({ seen }) => seen.get(position))).size > 1;
    return differ ? [{ reference, case: name, kind: 'flaky', detail: unsteady }] : [];
  });
}
