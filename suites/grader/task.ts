/**
 * The task of the grader's process. It never runs a candidate: declared expectations are compared in a realm of
 * our own code, and an author's predicates run in realms of theirs, in another isolate.
 */
import { writeSync } from 'node:fs';
import ivm from 'isolated-vm';
import type { GradeItem, GraderJob } from './protocol.ts';

/** The scripts of both kinds of realm as JavaScript expressions, put in when hosts are bundled. */
declare const EXPECTATION_REALM: string;
declare const SUITE_REALM: string;

const channelFd = 3;
const entry = 'holdback';

type OwnRealm = { isolate: ivm.Isolate; context: ivm.Context };

let own: OwnRealm | undefined;
let isolateMb = 128;

function makeOwnRealm(): OwnRealm {
  const isolate = new ivm.Isolate({ memoryLimit: isolateMb });
  const context = isolate.createContextSync();
  isolate.compileScriptSync(`const ${entry} = ${EXPECTATION_REALM}; undefined`).runSync(context);
  return { isolate, context };
}

/** Makes the grader's own realm ahead of the first job. */
export function warm(mb: number): void {
  isolateMb = mb;
  own = makeOwnRealm();
}

export function run(job: GraderJob): void {
  writeSync(channelFd, 'loading\n');
  if (job.task === 'list') answer(0, listModule(job.script));
  else if (job.task === 'check') {
    for (const [index, item] of job.items.entries())
      answer(index, callOwn('checkText', item.expect, item.input));
  } else gradeAll(job.script, job.items);
}

function gradeAll(script: string | null, items: GradeItem[]): void {
  const suite = script === null ? undefined : compileSuite(script);
  for (const [index, item] of items.entries()) {
    const grade =
      item.expect !== null ? callOwn('gradeText', item.expect, item.observation) : askPredicate(suite, item);
    answer(index, grade);
  }
  suite?.isolate.dispose();
}

function answer(index: number, text: string): void {
  writeSync(channelFd, `${index} 0 ${text}\n`);
}

function callOwn(name: 'gradeText' | 'checkText', first: string, second: string): string {
  own ??= makeOwnRealm();
  return textOf(
    own.context.evalSync(`${entry}.${name}(${JSON.stringify(first)}, ${JSON.stringify(second)})`),
  );
}

type SuiteScript = { isolate: ivm.Isolate; prelude: ivm.Script; module: ivm.Script };

function compileSuite(script: string): SuiteScript {
  const isolate = new ivm.Isolate({ memoryLimit: isolateMb });
  return {
    isolate,
    prelude: isolate.compileScriptSync(`const ${entry} = ${SUITE_REALM}; undefined`),
    module: isolate.compileScriptSync(`${entry}.load(function (exports, module, require) {${script}\n})`),
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

function askPredicate(suite: SuiteScript | undefined, item: GradeItem): string {
  try {
    if (suite === undefined) return failed('the suite has no module to find its predicate in');
    const context = openSuite(suite);
    const call = `${entry}.askPredicate(${item.position}, ${JSON.stringify(item.observation)}, ${JSON.stringify(item.input)})`;
    const grade = textOf(context.evalSync(call));
    context.release();
    return grade;
  } catch {
    return failed('its predicate ended the realm it ran in');
  }
}

function failed(message: string): string {
  return JSON.stringify({ passed: false, message });
}

function textOf(answer: unknown): string {
  if (typeof answer !== 'string') throw new Error('a realm answered with no text');
  return answer;
}
