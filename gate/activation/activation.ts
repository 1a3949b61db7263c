/**
 * How a revision becomes the active one. Every activation goes through `activate`: each condition is asked whether something speaks
 * against it, all that do are told at once with what to do, and the revision stays the draft that it is.
 */
import {
  appendActivation,
  findActive,
  findSealed,
  type RevisionName,
  requireNotRolledBack,
} from '../../suites/revisions.ts';
import { GateError } from '../errors.ts';
import { requireStrength } from '../strength/require-strength.ts';
import type { ActivationParts, Condition, Refusal } from './condition.ts';
import {
  refuseExpired,
  refuseOvertaken,
  refusePublished,
  refuseUnproven,
  refuseUnreviewed,
} from './life-conditions.ts';
import { referencesBehave } from './preflight.ts';
import { unproven } from './preflight-report.ts';

/** Each is asked, in this order. */
const conditions: Condition[] = [
  refuseUnreviewed,
  refuseExpired,
  refusePublished,
  refuseUnproven,
  referencesBehave,
  requireStrength,
];

/** That a revision may not be activated as things are: every reason, and the draft that it stays. */
export class ActivationRefused extends GateError {
  readonly revision: RevisionName;
  readonly refusals: Refusal[];

  constructor(revision: RevisionName, refusals: Refusal[]) {
    const reasons = refusals.map(
      ({ message, details = [], advice }) =>
        `${[message, ...(details.length > 0 ? [details.join('; ')] : [])].join(': ')} (${advice})`,
    );
    super(
      'activation_refused',
      `revision ${revision.revision} of ${revision.suite} stays a draft: ${reasons.join('; ')}`,
    );
    this.revision = revision;
    this.refusals = refusals;
  }
}

/**
 * Makes a revision the active one, if no condition speaks against it. As part of a push (`isPush`) one that is active already is left
 * as it is, and none that its author sealed goes back behind what was sealed later; who activates one by its number may go back.
 * Answers what its author should know all the same. Throws `revision_not_found`, `seal_rolled_back`, and ActivationRefused with all that
 * speaks against it.
 */
export async function activate(
  parts: ActivationParts,
  name: RevisionName,
  { by, isPush }: { by: string; isPush: boolean },
): Promise<string[]> {
  const { database, suites } = parts;
  const { sealedAt } = await findSealed(database, name);
  const notBefore = isPush ? sealedAt : null;
  if (notBefore !== null) await requireNotRolledBack(database, name.suite, notBefore);
  if (isPush) {
    const [active] = await findActive(database, [name.suite]);
    if (active?.revision === name.revision) return [];
  }
  await requireFit(parts, name, by);
  // References may have run for minutes, in which somebody rejected it. Asked again, what was found out by running them is known.
  await requireFit(parts, name, by);
  await appendActivation(database, name, {
    by,
    notBefore,
    requireFit: (transaction) => requireStillFit({ ...parts, database: transaction }, name, by),
  });
  const { references } = await suites.open(name);
  // What activation looked at vouches for nothing: the first score reads what is stored, and finds out if that was tampered with.
  suites.forget(name);
  return references.length === 0 ? [unproven] : [];
}

/** Throws ActivationRefused with all that speaks against it. */
async function requireFit(parts: ActivationParts, name: RevisionName, by: string): Promise<void> {
  const refusals: Refusal[] = [];
  for (const condition of conditions) {
    const refusal = await condition(parts, name, by);
    if (refusal !== undefined) refusals.push(refusal);
  }
  if (refusals.length > 0) throw new ActivationRefused(name, refusals);
}

/**
 * Throws ActivationRefused if something speaks against it by now that the database knows. It is asked in the transaction that activates,
 * under the suite's lock, which reviews and publications take as well; so it opens nothing, which would need another connection.
 */
async function requireStillFit(parts: ActivationParts, name: RevisionName, by: string): Promise<void> {
  const found = [
    await refuseUnreviewed(parts, name, by),
    await requireStrength(parts, name, by),
    await refuseOvertaken(parts, name, by),
  ];
  const refusals = found.filter((refusal) => refusal !== undefined);
  if (refusals.length > 0) throw new ActivationRefused(name, refusals);
}
