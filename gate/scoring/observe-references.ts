/**
 * What references make of the cases that are compared with one, in the same score and under the same limits as the candidate: each build
 * has hosts of its own. Realms are deterministic, so an output that was observed once is not observed again; a time is.
 */
import type { ObservedCase } from '../../runners/protocol.ts';
import type { Transformer } from '../../runners/transformer.ts';
import type { SealedCase } from '../../suites/case.ts';
import type { SuiteContents } from '../../suites/suite.ts';
import { type Observing, observe } from './observe.ts';
import { comparedWith, isComparable } from './same-as.ts';

export type ReferenceObserving = Observing & { transformer: Transformer };

/** What was observed of a reference, and which it was. */
export type ObservedReference = ObservedCase & { name: string };

/** An observation is kept if it has at most so many characters: a suite may have 20,000 cases. */
const keptCharsMax = 1_024;

/**
 * What was observed lately, by the case as it is in memory: it is forgotten with the suite that the case is of. A case whose input was
 * made for one score is an object of that score.
 */
const kept = new WeakMap<SealedCase, { seed: number; observed: ObservedReference }>();

/** For each of the cases what its reference made of it; undefined for one that is compared with none. Throws RunnerErrors. */
export async function observeReferences(
  parts: ReferenceObserving,
  { references, limits }: Pick<SuiteContents, 'references' | 'limits'>,
  cases: SealedCase[],
  seed: number,
): Promise<(ObservedReference | undefined)[]> {
  const observed: (ObservedReference | undefined)[] = cases.map(() => undefined);
  const indices = Map.groupBy(cases.keys(), (index) => {
    const testCase = cases[index];
    if (testCase === undefined) return undefined;
    const known = kept.get(testCase);
    if (known?.seed !== seed) return comparedWith(testCase, references);
    observed[index] = known.observed;
    return undefined;
  });
  for (const [name, ofOne] of indices) {
    if (name === undefined) continue;
    const reference = references.find((each) => each.name === name);
    if (reference === undefined) throw new Error(`a sealed case names a reference that is not there`);
    const build = await parts.transformer.transform(reference.build);
    const asked = ofOne.flatMap((index) => cases[index] ?? []);
    const ofCases = await observe(parts, build, { cases: asked, limits }, seed);
    for (const [at, index] of ofOne.entries()) {
      const one = ofCases[at];
      const testCase = cases[index];
      if (one === undefined || testCase === undefined) continue;
      const ofReference = { ...one, name };
      observed[index] = ofReference;
      if (isKept(testCase, ofReference)) kept.set(testCase, { seed, observed: ofReference });
    }
  }
  return observed;
}

function isKept({ within }: SealedCase, observed: ObservedReference): boolean {
  if (within !== undefined || !isComparable(observed)) return false;
  return JSON.stringify(observed.observation).length <= keptCharsMax;
}
