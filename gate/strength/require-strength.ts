/**
 * A gate may demand that a suite kills so large a share of a good build's mutants before one of its revisions is activated. What counts
 * is what was measured last on a good reference that the revision itself holds: a build that somebody sends along could be as simple
 * as it takes.
 */
import type { Condition } from '../activation/condition.ts';
import { listGates } from '../policies.ts';
import { minimumText, strengthText } from './strength.ts';
import { findStrength } from './strengths.ts';

/** Speaks against a revision whose recorded strength is not what some gate of its suite demands. */
export const requireStrength: Condition = async ({ database }, name) => {
  const gates = await listGates(database);
  const demanding = gates.flatMap(({ gate, suites, minimumStrength }) =>
    minimumStrength !== undefined && suites.includes(name.suite) ? [{ gate, minimumStrength }] : [],
  );
  const [strictest] = demanding.sort((one, other) => other.minimumStrength - one.minimumStrength);
  if (strictest === undefined) return undefined;
  const { gate, minimumStrength } = strictest;
  const strength = await findStrength(database, name);
  if (strength !== undefined && strength >= minimumStrength) return undefined;
  const measure = `holdback suite strength ${name.suite} --revision ${name.revision}`;
  const demand = `gate ${gate} demands a strength of at least ${minimumText(minimumStrength)}`;
  return {
    code: 'strength_too_low',
    message:
      strength === undefined
        ? `${demand}, and that of the revision was not measured`
        : `${demand}, and that of the revision is ${strengthText(strength)}`,
    advice:
      strength === undefined
        ? `measure it on a good reference that the revision holds: ${measure}`
        : `${measure} shows which mutants survive: push a revision with cases that kill them, and measure that`,
  };
};
