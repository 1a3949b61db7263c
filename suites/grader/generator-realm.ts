/**
 * The script that makes inputs, with fast-check in it. It is sealed with each revision that generates, so that an old score can be
 * replayed exactly after fast-check, or the way in which it is asked here, has changed.
 */
import * as fc from 'fast-check';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import type { ChanceState } from '../generation.ts';

export { fc };

/** An input before it is carried: fast-check's value with what it needs to make smaller ones. */
export type Made = fc.Value<unknown>;

/** What makes inputs. An author's module may bring a fast-check of its own, so that no class tells. */
export type Generator = Pick<fc.Arbitrary<unknown>, 'generate' | 'shrink' | 'canShrinkWithoutContext'>;

/** The input of a run, counted from 0. As in fast-check, the first runs lean towards small and extreme values. */
export function makeInput(generator: Generator, state: ChanceState, run: number): Made {
  const bias = 2 + Math.floor(Math.log10(run + 1));
  return generator.generate(new fc.Random(xoroshiro128plusFromState(state)), bias);
}

/** So many of the smaller inputs next to one, from the `from`-th. */
export function smallerInputs(generator: Generator, of: Made, from: number, count: number): Made[] {
  // As fast-check does: a value without a context was made by something else, which must say that it can be shrunk all the same.
  if (of.context === undefined && !generator.canShrinkWithoutContext(of.value_)) return [];
  const smaller: Made[] = [];
  let index = 0;
  for (const each of generator.shrink(of.value_, of.context)) {
    if (index >= from + count) break;
    if (index >= from) smaller.push(each);
    index++;
  }
  return smaller;
}
