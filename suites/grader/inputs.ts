/**
 * Makes the inputs of a case by its author's functions, in the realm of the suite's module: those that it generates, those that its
 * relation makes from them, and the smaller ones next to an input that failed. Whatever its author's code does wrong is answered
 * as a problem, in words for the author.
 */
import { decode, encode } from '../../runners/realm/value.ts';
import type { Drawn, DrawnInput, Smaller } from '../generation.ts';
import type { Generator, Made } from './generator-realm.ts';
import type { Chance, DrawRequest, SmallerRequest } from './protocol.ts';

const { apply } = Reflect;

/** The inputs of one case may be this long together, in characters of carried JSON. Here, because a realm loads nothing but this. */
export const drawnCharsMax = 8 << 20;

/** A value of a suite may be this long, in characters of carried JSON. */
export const valueCharsMax = 1 << 20;

/** The sealed script that makes inputs, as a suite's realm is given it. */
export type InputMaker = typeof import('./generator-realm.ts');

/** What is wrong with an author's function, in the author's words. */
class InputProblem extends Error {}

/** The inputs of a case: of its generator where it has one, else the one that it was written with. */
export function drawInputs(
  testCase: unknown,
  maker: () => InputMaker,
  { input, chances }: DrawRequest,
): Drawn {
  return orProblem(() => {
    const texts = input === null ? generateAll(testCase, maker(), chances) : [input];
    let characters = 0;
    const inputs = texts.map((text) => {
      const drawn = withRelated(testCase, text);
      characters += text.length + (drawn.related?.length ?? 0);
      if (characters > drawnCharsMax) {
        throw new InputProblem(
          `its inputs are longer than ${drawnCharsMax} characters together: make them smaller, or fewer with runs`,
        );
      }
      return drawn;
    });
    return { inputs };
  });
}

/** The smaller inputs next to the one that a path of choices leads to, from a run's own input. */
export function shrinkInput(
  testCase: unknown,
  maker: () => InputMaker,
  { chance, path, expected, from, count }: SmallerRequest,
): Smaller {
  return orProblem(() => {
    const { makeInput, smallerInputs } = maker();
    const generator = generatorOf(testCase, maker());
    let made: Made | undefined = makeInput(generator, chance.state, chance.run);
    for (const choice of path) made = made && smallerInputs(generator, made, choice, 1)[0];
    if (made === undefined || carriedText(made, 'generate') !== expected) {
      throw new InputProblem(
        'its generator makes other inputs from the same seed, so that none can be shrunk',
      );
    }
    return {
      inputs: smallerInputs(generator, made, from, count).map((smaller) => {
        // What cannot be carried or related is passed over: there are others.
        try {
          return withRelated(testCase, carriedText(smaller, 'generate'));
        } catch {
          return null;
        }
      }),
    };
  });
}

function generateAll(testCase: unknown, maker: InputMaker, chances: Chance[]): string[] {
  const generator = generatorOf(testCase, maker);
  return chances.map(({ state, run }) => {
    let made: Made;
    try {
      made = maker.makeInput(generator, state, run);
    } catch (error) {
      throw new InputProblem(`its generator threw ${wordsOf(error)}`);
    }
    return carriedText(made, 'generate');
  });
}

function generatorOf(testCase: unknown, { fc }: InputMaker): Generator {
  const generate = memberOf(testCase, 'generate');
  if (typeof generate !== 'function') throw new InputProblem('the case has no generate');
  let generator: unknown;
  try {
    generator = apply(generate, testCase, [fc]);
  } catch (error) {
    throw new InputProblem(`generate threw ${wordsOf(error)}`);
  }
  if (isGenerator(generator)) return generator;
  throw new InputProblem('generate must return what makes inputs, as fc.integer() or fc.record({ … })');
}

function isGenerator(value: unknown): value is Generator {
  const methods = ['generate', 'shrink', 'canShrinkWithoutContext'];
  return methods.every((method) => typeof memberOf(value, method) === 'function');
}

function withRelated(testCase: unknown, input: string): DrawnInput {
  const relate = memberOf(testCase, 'relate');
  if (relate === undefined) return { input };
  const from = memberOf(relate, 'from');
  if (typeof from !== 'function') throw new InputProblem('relate has no from');
  let value: unknown;
  try {
    // Read anew, so that a function that changes its argument does not change the case's input.
    value = apply(from, relate, [decode(input)]);
  } catch (error) {
    throw new InputProblem(`from of relate threw ${wordsOf(error)}`);
  }
  return { input, related: carriedText({ value }, 'from of relate') };
}

function carriedText({ value }: { value: unknown }, what: string): string {
  const encoded = encode(value, valueCharsMax);
  if (encoded.ok) return encoded.text;
  throw new InputProblem(`${what} made an input that cannot be carried: ${encoded.reason}`);
}

function orProblem<Answer>(make: () => Answer): Answer | { problem: string } {
  try {
    return make();
  } catch (error) {
    return {
      problem: error instanceof InputProblem ? error.message : `its inputs cannot be made: ${wordsOf(error)}`,
    };
  }
}

/** A line about what an author's code threw. */
export function wordsOf(error: unknown): string {
  const words = error instanceof Error ? `${error.name}: ${error.message}` : 'something that is no error';
  return words.slice(0, 500);
}

export function memberOf(holder: unknown, key: string): unknown {
  return typeof holder === 'object' && holder !== null ? Reflect.get(holder, key) : undefined;
}
