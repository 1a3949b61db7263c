/** What is wrong with the way in which cases are compared with references: a name that none has, or no build that is right. Pure. */
import type { SealedCase } from '../case.ts';
import type { Reference } from '../reference.ts';
import { quoted } from './faults.ts';
import { caseFinding, type Finding } from './finding.ts';
import { nearest } from './nearest.ts';

/** One finding for each case that is compared with what is not there, or is not known to be right. */
export function findUncompared(
  cases: { position: number; testCase: Pick<SealedCase, 'name' | 'sameAs' | 'within'> }[],
  references: Pick<Reference, 'name' | 'verdict'>[],
): Finding[] {
  const right = references.filter(({ verdict }) => verdict === 'merge').map(({ name }) => name);
  const hold = "hold a build that is right, as references: [{ name: 'right', build: …, verdict: 'merge' }]";
  return cases.flatMap(({ position, testCase: { name, sameAs, within } }) => {
    const about = { name, position };
    if (sameAs !== undefined && !right.includes(sameAs)) {
      const isWrong = references.some((reference) => reference.name === sameAs);
      const detail = isWrong
        ? `reference ${quoted(sameAs)} is not known to be right`
        : `there is no reference ${quoted(sameAs)}`;
      const meant = nearest(sameAs, right);
      const others = right.length === 0 ? hold : `known to be right are ${right.join(', ')}`;
      return [
        caseFinding(about, ['sameAs'], detail, meant === undefined ? others : `did you mean ${meant}?`),
      ];
    }
    if (within === undefined || right.length > 0) return [];
    return [
      caseFinding(about, ['within'], 'there is no reference whose time it could be compared with', hold),
    ];
  });
}
