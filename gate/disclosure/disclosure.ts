/**
 * The only function that turns a score into something a reader sees. What CI prints the agent reads, so `ci` and `harness`
 * learn the verdict and a coarse reason, on the boundaries of time slots, and two suites that give the same verdict look the
 * same to them. A gate may have them told more, and its suites are charged for it.
 */
import { appendAudit } from '../../migrations/append-audit.ts';
import type { Database } from '../../migrations/open-database.ts';
import type { OpenedSuites } from '../../suites/opened-suites.ts';
import type { RevisionName } from '../../suites/revisions.ts';
import type { Seals } from '../../suites/sealing/sealing.ts';
import { findAlarms } from '../alarms.ts';
import { findCaseResults } from '../case-results.ts';
import { block, overrule } from '../decide.ts';
import { openFailures } from '../failures.ts';
import type { Disclosure } from '../gate.ts';
import { type AttemptRecord, type DecidedVerdict, isInForce, type ScoreRecord } from '../history.ts';
import { isWithinLimits } from '../limits.ts';
import { type ApprovedOverride, findOverrides } from '../overrides.ts';
import { findDisclosure, findGateIfAny } from '../policies.ts';
import { deltaDefault as delta, failureRateAtMost } from './assurance.ts';
import {
  type Alarm,
  type DisclosedCases,
  type DisclosedScore,
  type FinishedScore,
  type Role,
  reasonSchema,
} from './disclosed.ts';
import { findGrounds } from './exposure.ts';
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
export function knownFrom(score: AttemptRecord, reader: Hearer, slotMs: number): Date | undefined {
  const { requestedAt, verdict } = score;
  if (verdict === undefined) return undefined;
  return hearsInSlots(reader) ? publishedAt(requestedAt, verdict.decidedAt, slotMs) : requestedAt;
}

/** Whether a reader may know of the verdict now. */
export function isKnown(score: AttemptRecord, reader: Hearer, slotMs: number): boolean {
  const from = knownFrom(score, reader, slotMs);
  return from !== undefined && (from <= new Date() || !hearsInSlots(reader));
}

/** A verdict as everybody may know it: overridden where enough people have agreed, else as it was decided. */
export function decisionOf(
  { verdict }: AttemptRecord,
  override: ApprovedOverride | undefined,
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
  disclosing: Disclosing,
  score: ScoreRecord,
  reader: ScoreReader,
): Promise<DisclosedScore> {
  const { database, seals, slotMs } = disclosing;
  const { id, gate, verdict } = score;
  const listed = await discloseAttempt(disclosing, score, reader);
  if (listed.state === 'running' || verdict === undefined || !isKnown(score, reader, slotMs)) return listed;
  if (!seesCounts.includes(reader.role)) {
    const { policyVersion } = score;
    const now = listed.reason === 'green' ? await findGateIfAny(database, gate) : undefined;
    // What pipelines act on holds now; those who read history see it as it was.
    const holds =
      listed.reason !== 'green' || (now !== undefined && isInForce(now, policyVersion, verdict.revisions));
    const disclosure =
      now?.version === policyVersion ? now.disclosure : await findDisclosure(database, gate, policyVersion);
    return { ...listed, ...(holds ? {} : block('stale')), ...(await told(score, disclosure, seals)) };
  }
  const isTheirs = ({ suite }: { suite: string }) => isWithinLimits(reader.suites, suite);
  const counted = { ...listed, ...(await assured(database, score, verdict.revisions.filter(isTheirs))) };
  if (!seesFailures.includes(reader.role)) return counted;
  const failures = await openFailures(score.id, verdict.sealedFailures, seals);
  const theirs = failures.filter(isTheirs);
  if (theirs.length > 0) {
    const about = { score: id, gate, cases: theirs.length };
    await appendAudit(database, { by: reader.tokenId, action: 'score.failures_read', about });
  }
  return { ...counted, failures: theirs, seed: verdict.seed };
}

/**
 * Attempts as a reader may see them in a list: without what each of them alone tells, its failures and what its green proves. However
 * many there are, the database is asked the same few questions.
 */
export async function discloseAttempts(
  { database, slotMs }: Pick<Disclosing, 'database' | 'slotMs'>,
  attempts: AttemptRecord[],
  reader: ScoreReader,
): Promise<DisclosedScore[]> {
  const known = attempts.filter((score) => isKnown(score, reader, slotMs));
  const overrides = await findOverrides(database, known);
  const seesAlarms = seesCounts.includes(reader.role) ? known.map(({ id }) => id) : [];
  const alarms = await findAlarms(database, seesAlarms);
  return attempts.map((score) => {
    const own = alarms.filter((one) => one.score === score.id).map(({ alarm }) => alarm);
    const { verdict } = score;
    const attempt = attemptFor(reader, score);
    if (verdict === undefined && score.deadlineAt <= new Date()) {
      // Whoever was to decide is gone: there will be no verdict, and without one nothing merges.
      return { ...attempt, ...block('indeterminate'), state: 'finished', revisions: [] };
    }
    if (verdict === undefined || !known.includes(score)) return { ...attempt, state: 'running' };
    return {
      ...attempt,
      ...decidedFor(reader, score, verdict, { override: overrides.get(score.id), alarms: own }),
    };
  });
}

async function discloseAttempt(
  disclosing: Disclosing,
  score: AttemptRecord,
  reader: ScoreReader,
): Promise<DisclosedScore> {
  const [disclosed] = await discloseAttempts(disclosing, [score], reader);
  if (disclosed === undefined) throw new Error('an attempt was not disclosed');
  return disclosed;
}

/** What was asked, and when, for those who read history. */
function attemptFor({ role }: ScoreReader, score: AttemptRecord) {
  const { id, gate, change, candidate, attempt, requestedAt, visibleTests } = score;
  return {
    ...{ id, gate, change, candidate: { digest: candidate } },
    ...(seesCounts.includes(role)
      ? {
          ...{ attempt, requestedAt: requestedAt.toISOString() },
          ...(visibleTests === undefined ? {} : { visibleTests }),
        }
      : {}),
  };
}

/** What was decided, and for those who read history how. */
function decidedFor(
  { role, suites }: ScoreReader,
  score: AttemptRecord,
  verdict: DecidedVerdict,
  { override, alarms }: { override: ApprovedOverride | undefined; alarms: Alarm[] },
): Omit<FinishedScore, keyof ReturnType<typeof attemptFor>> {
  const { revisions } = verdict;
  const coarse = { ...decisionOf(score, override), state: 'finished' as const, revisions };
  if (!seesCounts.includes(role)) return coarse;
  const isTheirs = ({ suite }: { suite: string }) => isWithinLimits(suites, suite);
  return {
    ...coarse,
    // These are of all suites together, so they are for those who may know of each.
    ...(revisions.every(isTheirs)
      ? {
          ...{ passed: verdict.passed, total: verdict.total, durationMs: verdict.durationMs },
          ...{ decidedAt: verdict.decidedAt.toISOString(), exposureBits: verdict.bits },
        }
      : {}),
    repeats: verdict.repeats,
    alarms: alarms.filter(isTheirs),
    ...(override === undefined
      ? {}
      : { override: { ...override, scored: blockReason.parse(verdict.reason) } }),
  };
}

/**
 * How the cases of a score ended, as far as the reader may see: their names are for authors, and recorded in the audit first. Throws
 * `results_not_kept` where they were dropped since.
 */
export async function discloseCases(
  { database, suites, slotMs }: Pick<Disclosing, 'database' | 'slotMs'> & { suites: OpenedSuites },
  score: AttemptRecord,
  reader: ScoreReader,
  page: { suite: string | undefined; after: number; limit: number },
): Promise<DisclosedCases> {
  const { id, gate } = score;
  if (!seesCounts.includes(reader.role) || !isKnown(score, reader, slotMs)) {
    const state = score.verdict === undefined && score.deadlineAt <= new Date() ? 'finished' : 'running';
    return { score: id, state, ranIn: null, cases: [], next: null };
  }
  const theirs = (score.verdict?.revisions ?? [])
    .map(({ suite }) => suite)
    .filter((suite) => isWithinLimits(reader.suites, suite) && (page.suite ?? suite) === suite);
  const { ranIn, results } = await findCaseResults(database, score, {
    suites: theirs,
    after: page.after,
    limit: page.limit + 1,
  });
  const shown = results.slice(0, page.limit);
  const next = results.length > page.limit ? page.after + page.limit : null;
  if (!seesFailures.includes(reader.role)) return { score: id, state: 'finished', ranIn, cases: shown, next };
  const cases: DisclosedCases['cases'] = [];
  for (const result of shown) {
    const contents = await suites.open(result);
    cases.push({ ...result, name: contents.cases[result.position]?.name ?? '' });
  }
  if (cases.length > 0) {
    const about = { score: id, gate, cases: cases.length };
    await appendAudit(database, { by: reader.tokenId, action: 'score.cases_read', about });
  }
  return { score: id, state: 'finished', ranIn, cases, next };
}

/** What the gate has `ci` and `harness` told besides, as its policy was when the score was charged for it. */
async function told(
  score: ScoreRecord,
  disclosure: Disclosure,
  seals: Seals,
): Promise<Partial<Pick<FinishedScore, 'passed' | 'total' | 'failing'>>> {
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
  const grounds = await findGrounds(database, revisions, score);
  return {
    assurance: grounds.flatMap(({ suite, cases, bits }) => {
      // Of cases of which it is not sure that they were asked, nothing is claimed.
      if (cases === 0) return [];
      const failureRate = failureRateAtMost({ cases, bits, delta });
      return [{ suite, cases, bits, confidence: 1 - delta, failureRateAtMost: failureRate }];
    }),
  };
}
