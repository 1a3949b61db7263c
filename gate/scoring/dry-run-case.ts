/**
 * A dry run: one case as its author writes it, run on a build whose verdict is known, or on any other, as a score would run it. So it
 * shows before it is sealed whether right builds pass and wrong ones do not. Nothing is stored but that it was asked for.
 */
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Authoring } from '../../suites/authoring/make-revision.ts';
import { readCaseText } from '../../suites/authoring/read-case.ts';
import { activeOf } from '../../suites/life/change-revisions.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import { digestOf } from '../../suites/sealing/sealing.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import { GateError } from '../errors.ts';
import type { Scoring } from '../score.ts';
import type { DryRun, DryRunRequest, DryRunResult } from './dry-run.ts';
import { seedOf } from './observe.ts';
import type { InTurn } from './replay.ts';
import { scoreBuild } from './score-build.ts';

/** What is run: a reference, or the build of the request. */
type DryBuild = Pick<DryRunResult, 'reference' | 'verdict'> & { build: string };

/** A dry run is of what somebody writes at this moment: no build of the suite is tried on it before it is run. */
const untried = async () => '';

/**
 * Runs a case on each build that is asked for, in turns. What is wrong with the case is in the answer, and then nothing is run. Throws
 * `revision_not_found`, `reference_not_found`, and RunnerErrors.
 */
export async function dryRunCase(
  { scoring, authoring }: { scoring: Scoring; authoring: Authoring },
  suite: string,
  request: DryRunRequest,
  by: string,
  inTurn: InTurn,
): Promise<DryRun> {
  const name = { suite, revision: request.revision ?? (await activeOf(authoring, suite)) };
  const before = await scoring.suites.open(name);
  const builds = buildsOf(name, before, request);
  const replaces = before.cases.findIndex(({ name: called }) => called === request.replaces);
  const reading = { ...authoring, tryBuild: untried };
  const read = await readCaseText(reading, before, request, replaces === -1 ? undefined : replaces);
  const isSound = 'testCase' in read;
  // What comes of it tells of the revision's builds, and of its other cases.
  const about = { ...name, builds: isSound ? builds.length : 0, ...givenOf(request) };
  await appendAudit(scoring.database, { by, action: 'case.dry_run', about });
  if (!isSound) return { ...name, ...read, runs: [] };
  const { limits, references } = before;
  const contents = { suite, cases: [read.testCase], limits, references };
  const runs: DryRunResult[] = [];
  for (const one of builds) runs.push(await inTurn(() => runOn(scoring, name, contents, one)));
  return { ...name, findings: [], more: 0, runs };
}

/** A build that is in no suite is told by its digest. */
function givenOf({ build }: DryRunRequest): { build?: string } {
  return build === undefined ? {} : { build: digestOf(build) };
}

function buildsOf(
  { suite, revision }: RevisionName,
  { references }: SuiteContents,
  { build, reference: asked }: DryRunRequest,
): DryBuild[] {
  if (build !== undefined) return [{ reference: null, verdict: null, build }];
  const found = references.filter(({ name }) => asked === undefined || name === asked);
  if (found.length === 0) {
    const which = asked === undefined ? 'no reference' : `no reference ${JSON.stringify(asked)}`;
    throw new GateError(
      'reference_not_found',
      `revision ${revision} of suite ${suite} holds ${which}: give the text of a build`,
    );
  }
  return found.map(({ name, verdict, build: text }) => ({ reference: name, verdict, build: text }));
}

async function runOn(
  scoring: Scoring,
  name: RevisionName,
  contents: SuiteContents,
  { reference, verdict, build }: DryBuild,
): Promise<DryRunResult> {
  const transformed = await scoring.transformer.transform(build);
  // Nothing that could be written here generates its inputs, so no case needs a seed for them.
  const seeds = { realms: seedOf(name), inputs: '' };
  const alone = { ...scoring, hostsPerScore: 1 };
  const { results } = await scoreBuild(alone, transformed, contents, { positions: [0] }, seeds);
  const [result] = results;
  if (result === undefined) throw new Error('a case that was run has no result');
  const { outcome, passed, message, durationMs, expected, observed } = result;
  const told = {
    ...(expected === undefined ? {} : { expected }),
    ...(observed === undefined ? {} : { observed }),
  };
  return { reference, verdict, outcome, passed: passed === true, message, durationMs, ...told };
}
