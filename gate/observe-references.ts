/**
 * What references make of the cases that are compared with one, in the same score and under the same limits as the candidate: each build
 * has hosts of its own. It is run for every score, because times are compared too, and inputs may be new.
 */
import type { ObservedCase } from '../runners/protocol.ts';
import type { Transformer } from '../runners/transformer.ts';
import type { SealedCase } from '../suites/case.ts';
import type { SuiteContents } from '../suites/suite.ts';
import { type Observing, observe } from './observe.ts';
import { comparedWith } from './same-as.ts';

export type ReferenceObserving = Observing & { transformer: Transformer };

/** What was observed of a reference, and which it was. */
export type ObservedReference = ObservedCase & { name: string };

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
    return testCase === undefined ? undefined : comparedWith(testCase, references);
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
      if (one !== undefined) observed[index] = { ...one, name };
    }
  }
  return observed;
}
