/** Published cases as a test file for Vitest: what was hidden before is a test like any other from now on. */
import type { Publication, PublishedCase } from '../suites/life/life.ts';
import { literal } from './literal.ts';

/** The text of a test file that calls what the module exports. */
export function visibleTest({ suite, cases }: Publication, module: string): string {
  return [
    `/** Cases that were once held back, in the suite ${suite}. They are published, and prove nothing of who can read them. */`,
    "import { expect, test } from 'vitest';",
    `import * as candidate from ${JSON.stringify(module)};`,
    ...cases.flatMap((testCase) => ['', ...linesOf(testCase)]),
    '',
  ].join('\n');
}

const known = ['name', 'input', 'expect', 'tags', 'owner', 'expires', 'call'];

function linesOf(testCase: PublishedCase): string[] {
  const name = JSON.stringify(testCase.name);
  const asks = testCase.expect === undefined ? undefined : wants(testCase.expect);
  // What stands for more than one call has no short form, and is left to whoever knows the candidate.
  if (asks === undefined || Object.keys(testCase).some((key) => !known.includes(key))) {
    const data = JSON.stringify(testCase, null, 2).split('\n');
    return [`test.todo(${name});`, ...data.map((line) => `// ${line}`)];
  }
  const call = typeof testCase.call === 'string' ? testCase.call : 'run';
  return [
    `test(${name}, async () => {`,
    `  const input = ${literal(testCase.input)};`,
    `  const call = async () => candidate${/^[\w$]+$/.test(call) ? `.${call}` : `[${JSON.stringify(call)}]`}(input);`,
    ...asks.map((line) => `  ${line}`),
    '});',
  ];
}

/** What is asked of the call, in statements; undefined where there is no matcher for it. */
function wants(expectation: Record<string, unknown>): string[] | undefined {
  const [[kind, wanted] = [], ...more] = Object.entries(expectation);
  if (kind === undefined || more.length > 0) return undefined;
  const matcher = matchers[kind];
  if (matcher !== undefined) return [`expect(await call()).${matcher}(${literal(wanted)});`];
  switch (kind) {
    case 'predicate':
      if (typeof wanted !== 'string') return undefined;
      return [`const holds = ${asExpression(wanted)};`, 'expect(holds(await call(), input)).toBe(true);'];
    case 'closeTo': {
      const { value, tolerance } = Object(wanted);
      return [
        `expect(Math.abs((await call()) - ${literal(value)})).toBeLessThanOrEqual(${literal(tolerance)});`,
      ];
    }
    case 'oneOf':
      return [`expect(${literal(wanted)}).toContainEqual(await call());`];
    case 'throws': {
      const { name, message } = Object(wanted);
      const error = [
        ...(name === undefined ? [] : [`name: ${JSON.stringify(name)}`]),
        ...(message === undefined ? [] : [`message: expect.stringMatching(${JSON.stringify(message)})`]),
      ];
      const rejects = 'await expect(call()).rejects';
      return [
        error.length === 0
          ? `${rejects}.toBeDefined();`
          : `${rejects}.toMatchObject({ ${error.join(', ')} });`,
      ];
    }
    default:
      return undefined;
  }
}

const matchers: Record<string, string | undefined> = {
  equals: 'toEqual',
  strictEquals: 'toStrictEqual',
  matches: 'toMatchObject',
};

/** The text of a function as an expression: that of a method, `expect(output) { … }`, is none. */
function asExpression(text: string): string {
  return /^(?:async\s+)?expect\s*\(/.test(text) ? `({ ${text} }).expect` : text;
}
