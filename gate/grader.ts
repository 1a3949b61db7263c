/**
 * The grader, seen from the service: a pool of processes that compare observations with expectations and read authors'
 * modules. No candidate ever runs in one, so a grader that ended well is used again.
 */
import type { z } from 'zod';
import { RunnerError } from '../runners/errors.ts';
import type { HostPool } from '../runners/pool.ts';
import type { ObservedCase } from '../runners/protocol.ts';
import { type JobEnd, supervise } from '../runners/supervise.ts';
import type { Transformer } from '../runners/transformer.ts';
import type { PlacedCall, SuiteReader } from '../suites/authoring/read-suite.ts';
import { type CaseStep, isScenario, type SealedCase, stepsOf } from '../suites/case.ts';
import { SuiteError } from '../suites/errors.ts';
import {
  type GradedCall,
  type GradeItem,
  type GraderJob,
  gradeSchema,
  type Listing,
  listingSchema,
  predicateTextsSchema,
} from '../suites/grader/protocol.ts';
import type { SuiteContents } from '../suites/suite.ts';
import { isTripwire } from '../suites/tripwire.ts';
import type { CaseResult } from './decide.ts';

/** An expectation has this long to answer for one case, in milliseconds of its own time. */
const expectationMsMax = 2_000;
const graderMbMax = 768;
/** A module's cases may come back as this much text, in bytes. */
const listingBytesMax = 64 << 20;
const gradeBytesMax = 1 << 20;
/** Fewer items than this are not worth a grader of their own. */
const itemsPerGraderMin = 200;
/** Items are sent in batches of about this many characters, so that neither side holds a whole large score twice. */
const batchCharsMax = 8 << 20;
/** Expectations that hang or crash are worked around this often in one score. */
const mishapsMax = 5;

const acceptsAll = 'its predicate accepts whatever is returned';

type Mishap = 'timed_out' | 'ended' | 'not_asked';
/** What became of one item: its answer, or that it took too long, or that the grader's process ended at it. */
type Answer = { text: string } | { mishap: Mishap };

export class Grader implements SuiteReader {
  readonly #pool: HostPool;
  readonly #transformer: Transformer;

  constructor(pool: HostPool, transformer: Transformer) {
    this.#pool = pool;
    this.#transformer = transformer;
  }

  /** One result for each case of the suite, in its order; one of which nothing was observed did not pass. Throws RunnerErrors. */
  grade(contents: SuiteContents, observed: (ObservedCase | undefined)[]): Promise<CaseResult[]> {
    return this.gradeEach(
      contents,
      contents.cases.map((_, position) => ({ position, observed: observed[position] })),
    );
  }

  /** One result for each observation, whichever case it is of. Throws RunnerErrors. */
  async gradeEach(
    contents: SuiteContents,
    observations: { position: number; observed: ObservedCase | undefined }[],
  ): Promise<CaseResult[]> {
    const results = observations.map(({ position, observed }) => {
      const testCase = contents.cases[position];
      if (testCase === undefined) throw new RangeError(`the suite has no case at ${position}`);
      return ungraded(testCase, observed, position);
    });
    const gradable = observations.flatMap(({ position, observed }, index) => {
      const item = gradeItem(contents.cases[position], observed, position);
      return item === undefined ? [] : [{ index, item }];
    });
    const script = contents.script ?? null;
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
  async #askSeveral<Item>(items: Item[], job: (items: Item[]) => GraderJob): Promise<Answer[]> {
    const parts = Math.max(1, Math.min(this.#pool.size, Math.floor(items.length / itemsPerGraderMin)));
    const length = Math.ceil(items.length / parts);
    const asked = Array.from({ length: parts }, (_, part) =>
      this.#ask(items.slice(part * length, (part + 1) * length), job),
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
function ungraded(testCase: SealedCase, observed: ObservedCase | undefined, position: number): CaseResult {
  const observation = observed?.observation ?? { outcome: 'not_run' as const };
  const asksNothing = isTripwire(testCase) && !isScenario(testCase);
  const ended = observation.outcome === 'returned' || observation.outcome === 'threw';
  const detail = 'detail' in observation && observation.detail !== undefined ? `: ${observation.detail}` : '';
  return {
    name: testCase.name,
    position,
    outcome: observation.outcome,
    passed: asksNothing && ended,
    message: asksNothing && ended ? '' : `it ended as ${observation.outcome}${detail}`,
    durationMs: observed?.durationMs ?? 0,
  };
}

/** What the grader is asked about a case, or undefined where only a failure is possible. */
function gradeItem(
  testCase: SealedCase | undefined,
  observed: ObservedCase | undefined,
  position: number,
): GradeItem | undefined {
  if (testCase === undefined || observed === undefined) return undefined;
  const { observation } = observed;
  if (isScenario(testCase)) return scenarioItem(testCase, observation, position);
  const [only] = stepsOf(testCase);
  if (only?.expect === undefined || 'tripwire' in only.expect) return undefined;
  const calls = [gradedCall(only, '')];
  if ('predicate' in only.expect) {
    if (observation.outcome !== 'returned') return undefined;
    return { position, calls, exchanges: null, observation: observation.value };
  }
  if (observation.outcome !== 'returned' && observation.outcome !== 'threw') return undefined;
  return { position, calls, exchanges: null, observation: JSON.stringify(observation) };
}

/** A scenario returns the observation of its steps, whatever became of them; any other outcome ended it. */
function scenarioItem(
  testCase: SealedCase,
  observation: ObservedCase['observation'],
  position: number,
): GradeItem | undefined {
  if (observation.outcome !== 'returned') return undefined;
  const steps = stepsOf(testCase);
  const calls = steps.map((step) => gradedCall(step, labelOf(step, steps.length)));
  const exchanges = (testCase.http ?? []).map(({ request: { method = 'GET', url }, times }) => ({
    label: `${method.toUpperCase()} ${url}`,
    times: times ?? null,
  }));
  return { position, calls, exchanges, observation: observation.value };
}

function gradedCall({ step: number, expect, input }: CaseStep, label: string): GradedCall {
  const step = number ?? null;
  if (expect === undefined) return { step, label, expect: null, input: '' };
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
