/**
 * The task of the grader's process. It never runs a candidate: declared expectations are compared in a realm of
 * our own code, and an author's predicates run in realms of theirs, in another isolate.
 */
import ivm from 'isolated-vm';
import type { Outbox } from '../../runners/host/outbox.ts';
import type { Grade } from './expectations.ts';
import { gradeCase } from './grade-case.ts';
import type { GradedCall, GradeItem, GraderJob } from './protocol.ts';
import { isSameText } from './same-text.ts';

/** The scripts of both kinds of realm as JavaScript expressions, put in when hosts are bundled. */
declare const EXPECTATION_REALM: string;
declare const SUITE_REALM: string;

const entry = 'holdback';

/** A realm of our own code alone, so that holding references into it is safe. */
type OwnRealm = Record<'gradeText' | 'checkText', ivm.Reference>;

let own: OwnRealm | undefined;
let isolateMb = 128;

function makeOwnRealm(): OwnRealm {
  const isolate = new ivm.Isolate({ memoryLimit: isolateMb });
  const context = isolate.createContextSync();
  isolate.compileScriptSync(`const ${entry} = ${EXPECTATION_REALM}; undefined`).runSync(context);
  return {
    gradeText: context.evalSync(`${entry}.gradeText`, { reference: true }),
    checkText: context.evalSync(`${entry}.checkText`, { reference: true }),
  };
}

/** Makes the grader's own realm ahead of the first job. */
export function warm(mb: number): void {
  isolateMb = mb;
  own = makeOwnRealm();
  // So that what most cases need is compiled.
  own.gradeText.applySync(undefined, [
    '{"equals":{"a":[1]}}',
    '{"outcome":"returned","value":"{\\"a\\":[2]}"}',
  ]);
}

export function run(job: GraderJob, outbox: Outbox): void {
  outbox.put('loading');
  outbox.send();
  if (job.task === 'list') outbox.put(`0 0 ${listModule(job.script)}`);
  else if (job.task === 'predicates') outbox.put(`0 0 ${predicateTexts(job.script)}`);
  else if (job.task === 'grade') gradeAll(job.script, job.items, outbox);
  else if (job.task !== 'check') askAll(job, outbox);
  else {
    for (const [index, { expect, input }] of job.items.entries()) {
      outbox.put(`${index} 0 ${callOwn('checkText', expect, input)}`);
    }
  }
}

function gradeAll(script: string | null, items: GradeItem[], outbox: Outbox): void {
  let suite: SuiteScript | undefined;
  for (const [index, item] of items.entries()) {
    // One predicate may use up the memory of its isolate; the next gets a new one.
    const grade = gradeCase(item, {
      grade: (expectation, observation) =>
        isSameText(expectation, observation)
          ? { passed: true, message: '' }
          : JSON.parse(callOwn('gradeText', expectation, observation)),
      ask: (call, output) => {
        if (suite?.isolate.isDisposed !== false && script !== null) suite = compileSuite(script);
        return askPredicate(suite, item.position, call, output);
      },
      relate: (output, other) => {
        if (suite?.isolate.isDisposed !== false && script !== null) suite = compileSuite(script);
        return askRelation(suite, item.position, output, other);
      },
    });
    outbox.put(`${index} 0 ${JSON.stringify(grade)}`);
  }
  if (suite?.isolate.isDisposed === false) suite.isolate.dispose();
}

type Asking = Exclude<GraderJob, { task: 'list' | 'predicates' | 'grade' | 'check' }>;

/** Asks a realm of the suite's module about each item, in a realm of its own; what is answered where that ends it is a text too. */
function askAll(job: Asking, outbox: Outbox): void {
  const generator = 'generator' in job ? job.generator : null;
  const { calls, onFailure } = callsOf(job);
  let suite: SuiteScript | undefined;
  for (const [index, call] of calls.entries()) {
    let answer = onFailure;
    try {
      if (suite?.isolate.isDisposed !== false) suite = compileSuite(job.script, generator);
      const context = openSuite(suite);
      answer = textOf(context.evalSync(call));
      context.release();
    } catch {
      answer = onFailure;
    }
    outbox.put(`${index} 0 ${answer}`);
  }
  if (suite?.isolate.isDisposed === false) suite.isolate.dispose();
}

function callsOf(job: Asking): { calls: string[]; onFailure: string } {
  switch (job.task) {
    case 'probe': {
      const calls = job.items.map(({ position, step, input }) =>
        callOf('probePredicate', position, step, input),
      );
      // Whatever goes wrong with a predicate here, it did not accept everything.
      return { calls, onFailure: 'some' };
    }
    case 'probeRelations':
      return { calls: job.items.map(({ position }) => callOf('probeRelation', position)), onFailure: 'some' };
    case 'draw':
    case 'shrink': {
      const { task, items } = job;
      const calls = items.map(({ position, ...request }) => callOf(task, position, JSON.stringify(request)));
      const problem = 'making its inputs takes too much memory';
      return { calls, onFailure: JSON.stringify({ problem }) };
    }
  }
}

function callOf(name: string, ...given: (number | string | null)[]): string {
  return `${entry}.${name}(${given.map((each) => JSON.stringify(each)).join(', ')})`;
}

function callOwn(name: 'gradeText' | 'checkText', first: string, second: string): string {
  own ??= makeOwnRealm();
  return textOf(own[name].applySync(undefined, [first, second]));
}

type SuiteScript = { isolate: ivm.Isolate; scripts: ivm.Script[] };

/** `generator` is the sealed script that makes inputs, an expression, where it is needed. */
function compileSuite(script: string, generator: string | null = null): SuiteScript {
  const isolate = new ivm.Isolate({ memoryLimit: isolateMb });
  const texts = [
    `const ${entry} = ${SUITE_REALM}; undefined`,
    `${entry}.load((function (exports, module, require) {${script}\n}))`,
    ...(generator === null ? [] : [`${entry}.equip(() => ${generator})`]),
  ];
  return { isolate, scripts: texts.map((text) => isolate.compileScriptSync(text)) };
}

function openSuite({ isolate, scripts }: SuiteScript): ivm.Context {
  const context = isolate.createContextSync();
  for (const script of scripts) script.runSync(context);
  return context;
}

function listModule(script: string): string {
  try {
    const suite = compileSuite(script);
    const listing = textOf(openSuite(suite).evalSync(`${entry}.listCases()`));
    suite.isolate.dispose();
    return listing;
  } catch (error) {
    // A suite's module is its author's own, so its error may be told.
    return JSON.stringify({
      problem: `the module did not load: ${error instanceof Error ? error.message : ''}`,
    });
  }
}

function predicateTexts(script: string): string {
  try {
    const suite = compileSuite(script);
    const texts = textOf(openSuite(suite).evalSync(`${entry}.predicateTexts()`));
    suite.isolate.dispose();
    return texts;
  } catch {
    return '[]';
  }
}

function askRelation(suite: SuiteScript | undefined, position: number, output: string, other: string): Grade {
  return gradeIn(suite, 'relation', callOf('askRelation', position, output, other));
}

function askPredicate(
  suite: SuiteScript | undefined,
  position: number,
  { step, input }: GradedCall,
  output: string,
): Grade {
  return gradeIn(suite, 'predicate', callOf('askPredicate', position, step, output, input));
}

function gradeIn(suite: SuiteScript | undefined, what: 'predicate' | 'relation', call: string): Grade {
  try {
    if (suite === undefined) return failed(`the suite has no module to find its ${what} in`);
    const context = openSuite(suite);
    const grade: Grade = JSON.parse(textOf(context.evalSync(call)));
    context.release();
    return grade;
  } catch {
    return failed(`its ${what} ended the realm it ran in`);
  }
}

function failed(message: string): Grade {
  return { passed: false, message };
}

/** An author's realm answers with what it likes; a second line would be taken for an answer of ours, in this job or in another suite's. */
function textOf(answer: unknown): string {
  if (typeof answer !== 'string') throw new Error('a realm answered with no text');
  if (answer.includes('\n')) throw new Error('a realm answered with more than a line');
  return answer;
}
