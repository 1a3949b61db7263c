/**
 * The grader, seen from the service: a pool of processes that compare observations with expectations and read authors'
 * modules. No candidate ever runs in one, so a grader that ended well is used again.
 */
import type { z } from 'zod';
import { RunnerError } from '../runners/errors.ts';
import type { HostPool } from '../runners/pool.ts';
import type { Observation } from '../runners/protocol.ts';
import { type JobEnd, supervise } from '../runners/supervise.ts';
import type { Transformer } from '../runners/transformer.ts';
import type { InputSources, PlacedCall, SuiteReader } from '../suites/authoring/read-suite.ts';
import type { DrawInputs } from '../suites/authoring/try-inputs.ts';
import { type CaseStep, isScenario, type SealedCase, stepsOf } from '../suites/case.ts';
import { SuiteError } from '../suites/errors.ts';
import {
  type Drawn,
  drawnSchema,
  inputsCharsMax,
  type Smaller,
  smallerSchema,
} from '../suites/generation.ts';
import { drawnCharsMax } from '../suites/grader/inputs.ts';
import {
  type DrawItem,
  type GradedCall,
  type GradeItem,
  type GraderJob,
  gradeSchema,
  type Listing,
  listingSchema,
  predicateTextsSchema,
  type SmallerItem,
} from '../suites/grader/protocol.ts';
import { isTripwire } from '../suites/tripwire.ts';
import type { ObservedTrial, Trial, TrialResult } from './trials.ts';

/** An expectation has this long to answer for one case, in milliseconds of its own time. */
const expectationMsMax = 2_000;
const graderMbMax = 768;
/** A module's cases may come back as this much text, in bytes. */
const listingBytesMax = 64 << 20;
const gradeBytesMax = 1 << 20;
/** Fewer items than this are not worth a grader of their own. */
const itemsPerGraderMin = 200;
/** Making the inputs of fewer cases than this is not worth another grader. */
const casesPerDrawerMin = 10;
/** The inputs of so many cases are asked for at once. */
const casesPerDrawMax = 64;
/** The inputs of one case may come back as this much text, in bytes. */
const drawnBytesMax = drawnCharsMax * 4;
/** Items are sent in batches of about this many characters, so that neither side holds a whole large score twice. */
const batchCharsMax = 8 << 20;
/** Expectations that hang or crash are worked around this often in one score. */
const mishapsMax = 5;

/** So many characters are told of what a candidate threw. */
const toldCharsMax = 600;

const acceptsAll = 'its predicate accepts whatever is returned';
const relatesAll = 'its relation holds whatever is returned';

type Mishap = 'timed_out' | 'ended' | 'not_asked';
/** What became of one item: its answer, or that it took too long, or that the grader's process ended at it. */
type Answer = { text: string } | { mishap: Mishap };

export class Grader implements SuiteReader {
  readonly #pool: HostPool;
  readonly #transformer: Transformer;
  readonly #bundleGenerator: () => Promise<string>;
  #generator: Promise<string> | undefined;

  /** `bundleGenerator` gives the script that makes inputs, as an expression; it is asked when it is first needed. */
  constructor(pool: HostPool, transformer: Transformer, bundleGenerator: () => Promise<string>) {
    this.#pool = pool;
    this.#transformer = transformer;
    this.#bundleGenerator = bundleGenerator;
  }

  /** One result for each trial, in their order. Throws RunnerErrors. */
  async grade(
    { script = null }: { script?: string | null },
    trials: Trial[],
    observed: ObservedTrial[],
  ): Promise<TrialResult[]> {
    const results = trials.map(({ testCase }, index) => ungraded(testCase, observed[index]));
    const gradable = trials.flatMap((trial, index) => {
      const item = gradeItem(trial, observed[index]);
      return item === undefined ? [] : [{ index, item }];
    });
    const answers = await this.#askSeveral(
      gradable.map(({ item }) => item),
      (items) => ({ task: 'grade', script, items }),
    );
    for (const [at, { index }] of gradable.entries()) {
      const result = results[index];
      const answer = answers[at];
      if (result === undefined || answer === undefined) continue;
      Object.assign(result, 'text' in answer ? readGrade(answer.text) : mishapGrade(answer.mishap));
    }
    return results;
  }

  async check(calls: PlacedCall[], script: string | undefined): Promise<string[]> {
    const declared = calls.map(({ expect = {}, input }) => ({ expect: JSON.stringify(expect), input }));
    const answers = await this.#ask(declared, (items) => ({ task: 'check', items }));
    const problems = answers.map((answer) =>
      'text' in answer ? answer.text : 'it takes too long or too much to read',
    );
    if (script === undefined) return problems;
    const probed = calls.flatMap(({ position, step = null, expect = {}, input }, index) =>
      'predicate' in expect && problems[index] === '' ? [{ index, item: { position, step, input } }] : [],
    );
    const probes = await this.#askSeveral(
      probed.map(({ item }) => item),
      (items) => ({ task: 'probe', script, items }),
    );
    for (const [at, { index }] of probed.entries()) {
      // One that hangs or crashes does not accept everything; a score tells its author what it does.
      const answer = probes[at];
      if (answer !== undefined && 'text' in answer && answer.text === 'all') problems[index] = acceptsAll;
    }
    return problems;
  }

  async checkRelations(positions: number[], script: string): Promise<string[]> {
    const items = positions.map((position) => ({ position }));
    const answers = await this.#askSeveral(items, (some) => ({
      task: 'probeRelations',
      script,
      items: some,
    }));
    return answers.map((answer) => ('text' in answer && answer.text === 'all' ? relatesAll : ''));
  }

  generator(): Promise<string> {
    this.#generator ??= this.#bundleGenerator();
    return this.#generator;
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
        const answers = await this.#askSeveral(some, job, drawnBytesMax, casesPerDrawerMin);
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
    const [answer] = await this.#ask([item], job, drawnBytesMax);
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
    const [answer] = await this.#ask(
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
    const [answer] = await this.#ask(
      [script],
      ([only = '']) => ({ task: 'predicates', script: only }),
      listingBytesMax,
    );
    if (answer === undefined || !('text' in answer)) return undefined;
    return predicateTextsSchema.parse(JSON.parse(answer.text));
  }

  /** Asks several graders at once, each about a part of the items. */
  async #askSeveral<Item>(
    items: Item[],
    job: (items: Item[]) => GraderJob,
    answerBytesMax = gradeBytesMax,
    itemsMin = itemsPerGraderMin,
  ): Promise<Answer[]> {
    if (items.length === 0) return [];
    const parts = Math.max(1, Math.min(this.#pool.size, Math.floor(items.length / itemsMin)));
    const length = Math.ceil(items.length / parts);
    const asked = Array.from({ length: parts }, (_, part) =>
      this.#ask(items.slice(part * length, (part + 1) * length), job, answerBytesMax),
    );
    return (await Promise.all(asked)).flat();
  }

  /**
   * Asks about items until each has its answer. A grader runs none but our own and the authors' code, so one that dies is
   * asked again once at the same item; what ends two of them, or takes too long, is to blame itself. That may be what a
   * candidate wanted of its output, so after a few of these the rest is not asked, which is no pass.
   */
  async #ask<Item>(
    items: Item[],
    job: (items: Item[]) => GraderJob,
    answerBytesMax = gradeBytesMax,
  ): Promise<Answer[]> {
    const answers: Answer[] = [];
    let mishaps = 0;
    let diedAt = -1;
    while (answers.length < items.length) {
      if (mishaps > mishapsMax) {
        answers.push({ mishap: 'not_asked' });
        continue;
      }
      const batch = firstBatch(items.slice(answers.length));
      const end = await this.#askOnce(batch.length, job(batch), answerBytesMax, (text) =>
        answers.push({ text }),
      );
      if (end.end === 'done') continue;
      const at = answers.length;
      if (end.why === 'died' && diedAt !== at) {
        diedAt = at;
        continue;
      }
      mishaps++;
      answers.push({ mishap: end.why === 'case_time' ? 'timed_out' : 'ended' });
    }
    return answers;
  }

  async #askOnce(
    count: number,
    job: GraderJob,
    answerBytesMax: number,
    onAnswer: (text: string) => void,
  ): Promise<JobEnd> {
    const host = await this.#pool.lease();
    let end: JobEnd | undefined;
    try {
      end = await supervise(host, {
        line: JSON.stringify(job),
        count,
        answerBytesMax,
        limits: {
          caseMs: expectationMsMax,
          scoreMs: expectationMsMax * Math.max(count, 60),
          hostMb: graderMbMax,
        },
        onAnswer: (_index, _durationMs, text) => onAnswer(text),
      });
    } finally {
      if (end?.end === 'done') this.#pool.giveBack(host);
      else this.#pool.end(host);
    }
    if (this.#pool.closed) throw new RunnerError('runners_closed', 'the service is shutting down');
    return end;
  }
}

/** A failing result, until the grader says otherwise. A tripwire passes unless its answer turns up somewhere. */
function ungraded(testCase: SealedCase, tried: ObservedTrial | undefined): TrialResult {
  const observation = tried?.observed.observation ?? { outcome: 'not_run' as const };
  const asksNothing = isTripwire(testCase) && !isScenario(testCase);
  const ended = observation.outcome === 'returned' || observation.outcome === 'threw';
  const durationMs = (tried?.observed.durationMs ?? 0) + (tried?.related?.durationMs ?? 0);
  const isPassed = asksNothing && ended && testCase.relate === undefined;
  const message = isPassed ? '' : `it ${wordsOf(observation)}`;
  const related = tried?.related?.observation;
  // Where the case itself returned, what is to blame is the input that was made from its own.
  if (observation.outcome === 'returned' && related !== undefined && related.outcome !== 'returned') {
    const { outcome } = related;
    return { outcome, passed: false, message: `for the related input it ${wordsOf(related)}`, durationMs };
  }
  return { outcome: observation.outcome, passed: isPassed, message, durationMs };
}

function wordsOf(observation: Observation): string {
  if (observation.outcome === 'threw') {
    const { name, message } = observation.error;
    return `threw ${name}: ${message}`.slice(0, toldCharsMax);
  }
  const detail = 'detail' in observation && observation.detail !== undefined ? `: ${observation.detail}` : '';
  return `ended as ${observation.outcome}${detail}`;
}

/** What the grader is asked about a trial, or undefined where only a failure is possible. */
function gradeItem(
  { position, testCase, related }: Trial,
  tried: ObservedTrial | undefined,
): GradeItem | undefined {
  if (tried === undefined) return undefined;
  const { observation } = tried.observed;
  const relation = relationOf(tried);
  if (related !== undefined && relation === null) return undefined;
  if (isScenario(testCase)) return scenarioItem(testCase, observation, position, relation);
  const [only] = stepsOf(testCase);
  if (only === undefined || (only.expect === undefined && relation === null)) return undefined;
  const expect = only.expect ?? { any: true };
  if ('tripwire' in expect) return undefined;
  const calls = [gradedCall(only, '', relation !== null)];
  if ('predicate' in expect) {
    if (observation.outcome !== 'returned') return undefined;
    return { position, calls, exchanges: null, observation: observation.value, relation };
  }
  if (observation.outcome !== 'returned' && observation.outcome !== 'threw') return undefined;
  return { position, calls, exchanges: null, observation: JSON.stringify(observation), relation };
}

/** The outputs that a relation is asked about: only what returned has one. */
function relationOf({ observed, related }: ObservedTrial): GradeItem['relation'] {
  const [first, other] = [observed.observation, related?.observation];
  if (first.outcome !== 'returned' || other?.outcome !== 'returned') return null;
  return { output: first.value, other: other.value };
}

/** A scenario returns the observation of its steps, whatever became of them; any other outcome ended it. */
function scenarioItem(
  testCase: SealedCase,
  observation: Observation,
  position: number,
  relation: GradeItem['relation'],
): GradeItem | undefined {
  if (observation.outcome !== 'returned') return undefined;
  const steps = stepsOf(testCase);
  const calls = steps.map((step) => gradedCall(step, labelOf(step, steps.length), relation !== null));
  const exchanges = (testCase.http ?? []).map(({ request: { method = 'GET', url }, times }) => ({
    label: `${method.toUpperCase()} ${url}`,
    times: times ?? null,
  }));
  return { position, calls, exchanges, observation: observation.value, relation };
}

/** Where outputs are related, that may be all that is required. */
function gradedCall(
  { step: number, expect, input }: CaseStep,
  label: string,
  isRelated: boolean,
): GradedCall {
  const step = number ?? null;
  if (expect === undefined) return { step, label, expect: isRelated ? 'any' : null, input: '' };
  if ('predicate' in expect) return { step, label, expect: 'predicate', input };
  if ('tripwire' in expect) return { step, label, expect: 'any', input: '' };
  return { step, label, expect: { declared: JSON.stringify(expect) }, input: '' };
}

/** What the messages about a step begin with. */
function labelOf({ step, name, call }: CaseStep, count: number): string {
  return step === undefined ? '' : `step ${step + 1} of ${count} (${name ?? call}): `;
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

/** As many of the first items as are sent at once; one at least. */
function firstBatch<Item>(items: Item[]): Item[] {
  let characters = 0;
  const end = items.findIndex((item, index) => {
    characters += JSON.stringify(item).length;
    return index > 0 && characters > batchCharsMax;
  });
  return end === -1 ? items : items.slice(0, end);
}
