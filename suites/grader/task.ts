/**
 * The task of the grader's process. It never runs a candidate: declared expectations are compared in a realm of
 * our own code, and an author's predicates run in realms of theirs, in another isolate.
 */
import ivm from 'isolated-vm';
import type { Outbox } from '../../runners/host/outbox.ts';
import type { Grade } from './expectations.ts';
import { gradeCase } from './grade-case.ts';
import type { GradedCall, GradeItem, GraderJob, ProbeItem } from './protocol.ts';
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
  else if (job.task === 'probe') probeAll(job.script, job.items, outbox);
  else if (job.task === 'grade') gradeAll(job.script, job.items, outbox);
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
    });
    outbox.put(`${index} 0 ${JSON.stringify(grade)}`);
  }
  if (suite?.isolate.isDisposed === false) suite.isolate.dispose();
}

/** Whatever goes wrong with a predicate here, it did not accept everything. */
function probeAll(script: string, items: ProbeItem[], outbox: Outbox): void {
  let suite: SuiteScript | undefined;
  for (const [index, { position, step, input }] of items.entries()) {
    let answer = 'some';
    try {
      if (suite?.isolate.isDisposed !== false) suite = compileSuite(script);
      const context = openSuite(suite);
      answer = textOf(
        context.evalSync(`${entry}.probePredicate(${position}, ${step}, ${JSON.stringify(input)})`),
      );
      context.release();
    } catch {
      answer = 'some';
    }
    outbox.put(`${index} 0 ${answer}`);
  }
  if (suite?.isolate.isDisposed === false) suite.isolate.dispose();
}

function callOwn(name: 'gradeText' | 'checkText', first: string, second: string): string {
  own ??= makeOwnRealm();
  return textOf(own[name].applySync(undefined, [first, second]));
}

type SuiteScript = { isolate: ivm.Isolate; prelude: ivm.Script; module: ivm.Script };

function compileSuite(script: string): SuiteScript {
  const isolate = new ivm.Isolate({ memoryLimit: isolateMb });
  return {
    isolate,
    prelude: isolate.compileScriptSync(`const ${entry} = ${SUITE_REALM}; undefined`),
    module: isolate.compileScriptSync(`${entry}.load((function (exports, module, require) {${script}\n}))`),
  };
}

function openSuite({ isolate, prelude, module }: SuiteScript): ivm.Context {
  const context = isolate.createContextSync();
  prelude.runSync(context);
  module.runSync(context);
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

function askPredicate(
  suite: SuiteScript | undefined,
  position: number,
  { step, input }: GradedCall,
  output: string,
): Grade {
  try {
    if (suite === undefined) return failed('the suite has no module to find its predicate in');
    const context = openSuite(suite);
    const call = `${entry}.askPredicate(${position}, ${step}, ${JSON.stringify(output)}, ${JSON.stringify(input)})`;
    const grade: Grade = JSON.parse(textOf(context.evalSync(call)));
    context.release();
    return grade;
  } catch {
    return failed('its predicate ended the realm it ran in');
  }
}

function failed(message: string): Grade {
  return { passed: false, message };
}

function textOf(answer: unknown): string {
  if (typeof answer !== 'string') throw new Error('a realm answered with no text');
  return answer;
}
