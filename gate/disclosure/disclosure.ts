/**
 * The only function that turns a score into something a reader sees. What CI prints the agent reads, so `ci` and `harness`
 * learn the verdict and a coarse reason, on the boundaries of time slots, and two suites that give the same verdict look the
 * same to them. A gate may have them told more, and its suites are charged for it.
 */
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import type { Seals } from '../../suites/sealing/sealing.ts';
import { findAlarms } from '../alarms.ts';
import { block, overrule } from '../decide.ts';
import { openFailures } from '../failures.ts';
import { countCases, isCurrent, type ScoreRecord } from '../history.ts';
import { isWithinLimits } from '../limits.ts';
import { findOverride } from '../overrides.ts';
import { findDisclosure } from '../policies.ts';
import { deltaDefault as delta, failureRateAtMost } from './assurance.ts';
import { type DisclosedScore, type FinishedScore, type Role, reasonSchema } from './disclosed.ts';
import { findExposures } from './exposure.ts';
import { publishedAt } from './publication.ts';

/** Who is asking: what they may see follows from the role, within the suites that they are limited to. */
export type ScoreReader = { tokenId: string; role: Role; suites: string[] | null };

export type Disclosing = { database: Database; seals: Seals; slotMs: number };

/** Those whom agents hear from; who reads counts and durations; and who reads failures with the names of cases. */
const agentsRead: readonly Role[] = ['ci', 'harness'];
const seesCounts: readonly Role[] = ['author', 'lead', 'admin'];
const seesFailures: readonly Role[] = ['author', 'admin'];

/** Who hears of verdicts, and when, follows from the role and the limits. */
export type Hearer = Pick<ScoreReader, 'role' | 'suites'>;

/** Agents hear at the ends of time slots; so do those limited to suites, because a duration tells of the others' cases as well. */
export function hearsInSlots({ role, suites }: Hearer): boolean {
  return agentsRead.includes(role) || suites !== null;
}

/** From when on a reader may know of the verdict, which is at once for whoever need not wait for slots; undefined while there is none. */
export function knownFrom(score: ScoreRecord, reader: Hearer, slotMs: number): Date | undefined {
  const { requestedAt, verdict } = score;
  if (verdict === undefined) return undefined;
  return hearsInSlots(reader) ? publishedAt(requestedAt, verdict.decidedAt, slotMs) : requestedAt;
}

/** Whether a reader may know of the verdict now. */
export function isKnown(score: ScoreRecord, reader: Hearer, slotMs: number): boolean {
  const from = knownFrom(score, reader, slotMs);
  return from !== undefined && (from <= new Date() || !hearsInSlots(reader));
}

/** A verdict as everybody may know it: overridden where enough people have agreed, else as it was decided. */
export function decisionOf(
  { verdict }: ScoreRecord,
  override: Awaited<ReturnType<typeof findOverride>>,
): Pick<FinishedScore, 'verdict' | 'canMerge' | 'reason'> {
  if (verdict?.verdict === 'merge' && verdict.reason === 'green') {
    return { verdict: 'merge', canMerge: true, reason: 'green' };
  }
  const blocked = block(blockReason.parse(verdict?.reason ?? 'indeterminate'));
  const { verdict: answer, canMerge, reason } = overrule(blocked, override);
  return { verdict: answer, canMerge, reason };
}

const blockReason = reasonSchema.exclude(['green', 'overridden']);

/** A score as its reader may see it. Who is shown how cases ended is recorded in the audit first. */
export async function disclose(
  { database, seals, slotMs }: Disclosing,
  score: ScoreRecord,
  reader: ScoreReader,
): Promise<DisclosedScore> {
  const { id, gate, change, verdict } = score;
  const { role } = reader;
  const attempt = { id, gate, change, candidate: { digest: score.candidate } };
  if (verdict === undefined && score.deadlineAt <= new Date()) {
    // Whoever was to decide is gone: there will be no verdict, and without one nothing merges.
    return { ...attempt, ...block('indeterminate'), state: 'finished', revisions: [] };
  }
  if (verdict === undefined || !isKnown(score, reader, slotMs)) return { ...attempt, state: 'running' };
  const override = await findOverride(database, score);
  const coarse: FinishedScore = {
    ...attempt,
    ...decisionOf(score, override),
    state: 'finished',
    revisions: verdict.revisions,
  };
  if (!seesCounts.includes(role)) {
    // What pipelines act on holds now; those who read history see it as it was.
    const holds =
      coarse.reason !== 'green' || (await isCurrent(database, gate, score.policyVersion, verdict.revisions));
    return { ...coarse, ...(holds ? {} : block('stale')), ...(await told(database, score, seals)) };
  }
  const isTheirs = ({ suite }: { suite: string }) => isWithinLimits(reader.suites, suite);
  const counted: FinishedScore = {
    ...coarse,
    // These are of all suites together, so they are for those who may know of each.
    ...(verdict.revisions.every(isTheirs)
      ? { passed: verdict.passed, total: verdict.total, durationMs: verdict.durationMs }
      : {}),
    repeats: verdict.repeats,
    alarms: (await findAlarms(database, id)).filter(isTheirs),
    ...(await assured(database, score, verdict.revisions.filter(isTheirs))),
    ...(override === undefined
      ? {}
      : { override: { ...override, scored: blockReason.parse(verdict.reason) } }),
  };
  if (!seesFailures.includes(role)) return counted;
  const failures = await openFailures(score.id, verdict.sealedFailures, seals);
  const theirs = failures.filter(isTheirs);
  if (theirs.length > 0) {
    const about = { score: id, gate, cases: theirs.length };
    await appendAudit(database, { by: reader.tokenId, action: 'score.failures_read', about });
  }
  return { ...counted, failures: theirs, seed: verdict.seed };
}

/** What the gate has `ci` and `harness` told besides, as its policy was when the score was charged for it. */
async function told(
  database: Database,
  score: ScoreRecord,
  seals: Seals,
): Promise<Partial<Pick<FinishedScore, 'passed' | 'total' | 'failing'>>> {
  const disclosure = await findDisclosure(database, score.gate, score.policyVersion);
  const { verdict } = score;
  const wasScored = verdict?.reason === 'green' || verdict?.reason === 'red';
  if (disclosure === 'verdict' || verdict === undefined || !wasScored) return {};
  if (disclosure === 'counts') return { passed: verdict.passed, total: verdict.total };
  const failures = await openFailures(score.id, verdict.sealedFailures, seals);
  return {
    passed: verdict.passed,
    total: verdict.total,
    failing: failures.map(({ suite, case: name }) => `${suite}: ${name}`),
  };
}

/** What a green proves of the inputs that each suite's cases stand for. */
async function assured(
  database: Database,
  score: ScoreRecord,
  revisions: RevisionName[],
): Promise<Pick<FinishedScore, 'assurance'>> {
  if (score.verdict?.reason !== 'green') return {};
  const exposures = await findExposures(database, revisions, score);
  const counts = await countCases(database, revisions, score.requestedAt);
  return {
    assurance: exposures.flatMap(({ suite, revision, bits }) => {
      const cases = counts.find((one) => one.suite === suite && one.revision === revision)?.cases ?? 0;
      // Of cases of which it is not sure that they were asked, nothing is claimed.
      if (cases === 0) return [];
      const failureRate = failureRateAtMost({ cases, bits, delta });
      return [{ suite, cases, bits, confidence: 1 - delta, failureRateAtMost: failureRate }];
    }),
  };
}
