/**
 * The grader, seen from the service: it compares observations with expectations, reads authors' modules, and makes the inputs of
 * generated cases, each in processes of its own (`graders.ts`).
 */
import type { z } from 'zod';
import { inSpan } from '../../runners/in-span.ts';
import { madeOnce } from '../../runners/made-once.ts';
import type { HostPool } from '../../runners/pool.ts';
import type { Transformer } from '../../runners/transformer.ts';
import type { InputSources, PlacedCall, SuiteReader } from '../../suites/authoring/read-suite.ts';
import type { DrawInputs } from '../../suites/authoring/try-inputs.ts';
import { SuiteError } from '../../suites/errors.ts';
import {
  type Drawn,
  drawnSchema,
  inputsCharsMax,
  type Smaller,
  smallerSchema,
} from '../../suites/generation.ts';
import { drawnCharsMax } from '../../suites/grader/inputs.ts';
import {
  type DrawItem,
  type GraderJob,
  gradeSchema,
  type Listing,
  listingSchema,
  predicateTextsSchema,
  type SmallerItem,
} from '../../suites/grader/protocol.ts';
import { happened } from '../happened.ts';
import { gradeItem, ungraded } from './grade-item.ts';
import { type Answer, expectationMsMax, Graders, type Mishap } from './graders.ts';
import type { ObservedTrial, Trial, TrialResult } from './trials.ts';

/** A module's cases may come back as this much text, in bytes. */
const listingBytesMax = 64 << 20;
/** Making the inputs of fewer cases than this is not worth another grader. */
const casesPerDrawerMin = 10;
/** The inputs of so many cases are asked for at once. */
const casesPerDrawMax = 64;
/** The inputs of one case may come back as this much text, in bytes. */
const drawnBytesMax = drawnCharsMax * 4;

const acceptsAll = 'its predicate accepts whatever is returned';
const acceptsNone = 'its predicate answers with a promise, and so accepts nothing';
const relatesAll = 'its relation holds whatever is returned';

export class Grader implements SuiteReader {
  readonly #graders: Graders;
  readonly #transformer: Transformer;
  readonly generator: () => Promise<string>;

  /** `bundleGenerator` gives the script that makes inputs, as an expression; it is asked when it is first needed. */
  constructor(pool: HostPool, transformer: Transformer, bundleGenerator: () => Promise<string>) {
    this.#graders = new Graders(pool);
    this.#transformer = transformer;
    this.generator = madeOnce(bundleGenerator);
  }

  /** One result for each trial, in their order. Throws RunnerErrors. */
  grade(
    module: { script?: string | null },
    trials: Trial[],
    observed: ObservedTrial[],
  ): Promise<TrialResult[]> {
    const traced = { 'holdback.trials': trials.length };
    return inSpan('grader', traced, () => this.#grade(module, trials, observed));
  }

  async #grade(
    { script = null }: { script?: string | null },
    trials: Trial[],
    observed: ObservedTrial[],
  ): Promise<TrialResult[]> {
    const startedMs = performance.now();
    const results = trials.map(({ testCase }, index) => ungraded(testCase, observed[index]));
    const failedAt = new Map<TrialResult, number>();
    const gradable = trials.flatMap((trial, index) => {
      const item = gradeItem(trial, observed[index]);
      return item === undefined ? [] : [{ index, item }];
    });
    const answers = await this.#graders.askSeveral(
      gradable.map(({ item }) => item),
      (items) => ({ task: 'grade', script, items }),
    );
    for (const [at, { index }] of gradable.entries()) {
      const result = results[index];
      const answer = answers[at];
      if (result === undefined || answer === undefined) continue;
      const {
        passed,
        message,
        at: call,
      } = 'text' in answer ? readGrade(answer.text) : mishapGrade(answer.mishap);
      Object.assign(result, { passed, message });
      if (call !== undefined) failedAt.set(result, call);
    }
    for (const [index, result] of results.entries()) {
      const trial = trials[index];
      if (result.passed || trial === undefined) continue;
      result.compared = { trial, tried: observed[index], at: failedAt.get(result) };
    }
    happened.emit('graded', { trials: gradable.length, durationMs: performance.now() - startedMs });
    return results;
  }

  async check(calls: PlacedCall[], script: string | undefined): Promise<string[]> {
    const declared = calls.map(({ expect = {}, input }) => ({ expect: JSON.stringify(expect), input }));
    const answers = await this.#graders.ask(declared, (items) => ({ task: 'check', items }));
    const problems = answers.map((answer) =>
      'text' in answer ? answer.text : 'it takes too long or too much to read',
    );
    if (script === undefined) return problems;
    const probed = calls.flatMap(({ position, step = null, expect = {}, input }, index) =>
      'predicate' in expect && problems[index] === '' ? [{ index, item: { position, step, input } }] : [],
    );
    const probes = await this.#graders.askSeveral(
      probed.map(({ item }) => item),
      (items) => ({ task: 'probe', script, items }),
    );
    for (const [at, { index }] of probed.entries()) {
      // One that hangs or crashes does not accept everything; a score tells its author what it does.
      const answer = probes[at];
      if (answer === undefined || !('text' in answer)) continue;
      if (answer.text === 'all') problems[index] = acceptsAll;
      if (answer.text === 'none') problems[index] = acceptsNone;
    }
    return problems;
  }

  async checkRelations(positions: number[], script: string): Promise<string[]> {
    const items = positions.map((position) => ({ position }));
    const answers = await this.#graders.askSeveral(items, (some) => ({
      task: 'probeRelations',
      script,
      items: some,
    }));
    return answers.map((answer) => ('text' in answer && answer.text === 'all' ? relatesAll : ''));
  }

  draw({ script = '', generator }: InputSources): DrawInputs {
    const job = (items: DrawItem[]): GraderJob => ({
      task: 'draw',
      script,
      generator: generator ?? null,
      items,
    });
    return async (items) => {
      const drawn: Drawn[] = [];
      let characters = 0;
      // So many at once, so that what is too much in all is never held at once.
      while (drawn.length < items.length && characters <= inputsCharsMax) {
        const some = items.slice(drawn.length, drawn.length + casesPerDrawMax);
        const answers = await this.#graders.askSeveral(some, job, drawnBytesMax, casesPerDrawerMin);
        for (const answer of answers) {
          characters += 'text' in answer ? answer.text.length : 0;
          drawn.push(drawnOf(answer, characters));
        }
      }
      return items.map((_, index) => drawn[index] ?? { problem: tooLongTogether });
    };
  }

  /** The smaller inputs next to one of the case at the item's position. */
  async shrink({ script = '', generator }: InputSources, item: SmallerItem): Promise<Smaller> {
    const job = (items: SmallerItem[]): GraderJob => ({
      task: 'shrink',
      script,
      generator: generator ?? null,
      items,
    });
    const [answer] = await this.#graders.ask([item], job, drawnBytesMax);
    if (answer === undefined || !('text' in answer)) {
      return { problem: drawMishaps[answer?.mishap ?? 'not_asked'] };
    }
    return smallerSchema.parse(JSON.parse(answer.text));
  }

  async list(module: string): Promise<Listing & { script: string }> {
    const transformed = await this.#transformer.transform(module);
    if (!transformed.ok)
      throw new SuiteError('suite_invalid', `the module does not compile: ${transformed.detail}`);
    const { script } = transformed;
    const [answer] = await this.#graders.ask(
      [script],
      ([only = '']) => ({ task: 'list', script: only }),
      listingBytesMax,
    );
    if (answer === undefined || !('text' in answer)) {
      throw new SuiteError('suite_invalid', 'the module does not finish loading, or needs too much memory');
    }
    const listing = listingSchema.parse(JSON.parse(answer.text));
    if ('problem' in listing) throw new SuiteError('suite_invalid', listing.problem);
    return { ...listing, script };
  }

  async predicates(script: string): Promise<(string | null)[] | undefined> {
    const [answer] = await this.#graders.ask(
      [script],
      ([only = '']) => ({ task: 'predicates', script: only }),
      listingBytesMax,
    );
    if (answer === undefined || !('text' in answer)) return undefined;
    return predicateTextsSchema.parse(JSON.parse(answer.text));
  }
}

function readGrade(text: string): z.infer<typeof gradeSchema> {
  return gradeSchema.parse(JSON.parse(text));
}

const mishapMessages: Record<Mishap, string> = {
  timed_out: `its expectation did not answer within ${expectationMsMax} ms`,
  ended: 'its expectation ended the grader: it takes too much memory, or crashes',
  not_asked: 'it was not graded: too many expectations before it hung or crashed',
};

const tooLongTogether = `the inputs of all cases are longer than ${inputsCharsMax} characters together`;

/** The inputs of a case, if those of all cases until then are not too long. */
function drawnOf(answer: Answer, characters: number): Drawn {
  if ('mishap' in answer) return { problem: drawMishaps[answer.mishap] };
  return characters > inputsCharsMax
    ? { problem: tooLongTogether }
    : drawnSchema.parse(JSON.parse(answer.text));
}

const drawMishaps: Record<Mishap, string> = {
  timed_out: `its inputs were not made within ${expectationMsMax} ms`,
  ended: 'making its inputs ended the grader: it takes too much memory, or crashes',
  not_asked: 'its inputs were not made: those of too many cases before it hung or crashed',
};

function mishapGrade(mishap: Mishap): z.infer<typeof gradeSchema> {
  return { passed: false, message: mishapMessages[mishap] };
}
