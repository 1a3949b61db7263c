/**
 * Tries the functions that make a suite's inputs before it is sealed, so that no score meets one that throws, hangs or makes what cannot
 * be carried. And finds out which case a generated one is: by the first inputs that it makes from a fixed seed, so that another wording
 * of the same generator is still the same case.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type ChanceState, type Drawn, type DrawnInput, readState } from '../generation.ts';
import type { Chance, DrawItem } from '../grader/protocol.ts';

/** So many inputs of each generator are tried, from as many seeds; the first few tell which case it is. */
const triedCount = 32;
const samplesCount = 8;

/** A case of which inputs are made: by its generator if `input` is null, and else by its relation alone. */
export type Making = { position: number; input: string | null };

/** What came of it: the first input and what the first few are by, or what is wrong. */
export type Tried = { input: string; sample: string } | { problem: string };

/** Who makes inputs where that can do no harm; one answer for each item. */
export type DrawInputs = (items: DrawItem[]) => Promise<Drawn[]>;

/** Tries the functions of the given cases, and answers by their positions. */
export async function tryInputs(draw: DrawInputs, cases: Making[]): Promise<Map<number, Tried>> {
  const items = cases.map((each) => ({ ...each, chances: each.input === null ? chances : [] }));
  const drawn = new Map((await draw(items)).map((each, index) => [items[index]?.position, each]));
  // The other way round, a generator that remembers what it made before makes other inputs.
  const reversed = items
    .filter(({ position }) => 'inputs' in (drawn.get(position) ?? {}))
    .map((item) => ({ ...item, chances: item.chances.toReversed() }));
  const again = new Map((await draw(reversed)).map((each, index) => [reversed[index]?.position, each]));
  return new Map(
    cases.map(({ position }): [number, Tried] => {
      return [position, triedOf(drawn.get(position), again.get(position))];
    }),
  );
}

const chances: Chance[] = Array.from({ length: triedCount }, (_, run) => ({ run, state: fixedState(run) }));

function fixedState(index: number): ChanceState {
  return readState(createHash('sha256').update(`an input that is tried: ${index}`).digest());
}

function triedOf(drawn: Drawn | undefined, again: Drawn | undefined): Tried {
  if (drawn !== undefined && 'problem' in drawn) return drawn;
  if (drawn === undefined || again === undefined) return { problem: 'its inputs were not made' };
  if ('problem' in again) return again;
  if (!isDeepStrictEqual(drawn.inputs, again.inputs.toReversed())) {
    return { problem: 'it makes other inputs from the same seed: it may not remember what it made before' };
  }
  const [first] = drawn.inputs;
  if (first === undefined) return { problem: 'it made no input' };
  return { input: first.input, sample: sampleOf(drawn.inputs) };
}

function sampleOf(inputs: DrawnInput[]): string {
  const texts = inputs.slice(0, samplesCount).map(({ input }) => input);
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex');
}
