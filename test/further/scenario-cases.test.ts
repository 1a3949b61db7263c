/** Scenarios and fixtures as cases: how they are checked, sealed, read back, known again, graded, and what their author is told. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import { finishedScoreSchema } from '../../gate/disclosure/disclosed.ts';
import { runOfCase } from '../../gate/scoring/run-of-case.ts';
import { type Case, defineSuite, outputOf, type Step } from '../../suites/authoring/define-suite.ts';
import { suiteCheckSchema } from '../../suites/authoring/suite-check.ts';
import { type SealedCase, sealedCaseSchema } from '../../suites/case.ts';
import { caseDigest } from '../../suites/case-digest.ts';
import { exchangeSchema } from '../../suites/fixtures.ts';
import { gradeCase } from '../../suites/grader/grade-case.ts';
import { fingerprintSuite } from '../../suites/leaks/fingerprints.ts';
import { scanText } from '../../suites/leaks/scan-text.ts';
import { findWrongReferences } from '../../suites/scenario.ts';
import { suiteContentsSchema } from '../../suites/suite.ts';
import { type Client, scoreRequest, sealSuite, startWorld, type World } from '../world.ts';

let world: World;
let author: Client;
let suites = 0;

beforeAll(async () => {
  world = await startWorld({ HOLDBACK_POOL: '1' });
  author = await world.as('author');
});
afterAll(() => world.close());

/** Seals the cases, scores the candidate, and tells what failed: the messages by case. */
async function failuresOf(source: object, candidate: string): Promise<Record<string, string>> {
  const suite = `scenarios-${suites++}`;
  await sealSuite(world, suite, source);
  const { json } = await author('POST', '/score', scoreRequest(suite, candidate));
  const { failures = [], verdict } = finishedScoreSchema.parse(json);
  expect(verdict).toBe(failures.length === 0 ? 'merge' : 'block');
  return Object.fromEntries(failures.map((failure) => [failure.case, failure.message]));
}

const counter = `
  let state = 0;
  export const add = (n) => { if (n < 0) throw new RangeError('negative'); state += n; return state; };
  export const make = () => ({ list: [1, 2], f: () => 1 });
  export const size = (list) => list.length;
  export const leak = () => globalThis.answer;
  export async function rate(code) {
    try { return (await (await fetch('https://rates.test/' + code)).json()).rate; } catch { return 1; }
  }
  export const run = () => new Date().toString();`;

describe('a scenario', () => {
  test('is graded step by step, and its author is told which step failed', async () => {
    const ok = { call: 'add', input: 2, expect: { equals: 2 } };
    const cases = [
      {
        name: 'right',
        steps: [
          ok,
          { call: 'add', input: -1, expect: { throws: { name: 'RangeError' } } },
          { call: 'add', input: 1, expect: { equals: 3 } },
        ],
      },
      { name: 'wrong', steps: [ok, { name: 'adds again', call: 'add', input: 1, expect: { equals: 4 } }] },
      { name: 'did not throw', steps: [ok, { call: 'add', input: 1, expect: { throws: true } }] },
      { name: 'set-up threw', steps: [{ call: 'add', input: -1 }, ok] },
      {
        name: 'set-up is not looked at',
        steps: [
          { call: 'make' },
          {
            call: 'size',
            input: { $output: 0, at: '/list' },
            expect: { closeTo: { value: 2.1, tolerance: 0.2 } },
          },
        ],
      },
      {
        name: 'took nothing',
        steps: [
          { call: 'add', input: -1, expect: { throws: true } },
          { call: 'size', input: { $output: 0 }, expect: { throws: true } },
        ],
      },
      {
        name: 'took what is not there',
        steps: [
          { call: 'make' },
          { call: 'size', input: { $output: 0, at: '/items' }, expect: { throws: true } },
        ],
      },
      { name: 'missing', steps: [{ call: 'absent', expect: { throws: true } }] },
      { name: 'each in a realm of its own', call: 'add', input: 2, expect: { equals: 2 } },
    ];
    expect(await failuresOf({ cases }, counter)).toEqual({
      wrong: 'step 2 of 2 (adds again): it should equal 4, but is 3',
      'did not throw': 'step 2 of 2 (add): it should have thrown, but ended as returned',
      'set-up threw': 'step 1 of 2 (add): it threw RangeError: negative',
      'took nothing':
        'step 2 of 2 (size): it could not be called: it takes the output of step 1, which gave none',
      'took what is not there':
        'step 2 of 2 (size): it could not be called: the output that it takes has nothing at that place',
      missing: 'it ended as crashed: the module exports no function named absent',
    });
  });

  test('of a module has a predicate for each step, which sees that output and the input as it was written', async () => {
    const module = `
      const outputOf = (step, at) => at === undefined ? { $output: step } : { $output: step, at };
      export default { cases: [
        { name: 'right', steps: [
          { call: 'add', input: 1, expect: (output, input) => output === 1 && input === 1 },
          { call: 'size', input: [outputOf(0)], expect: (output, input) => output === 1 && input[0].$output === 0 },
          { call: 'make' },
          { call: 'size', input: outputOf(2, '/list'), expect: (output) => output === 2 },
        ] },
        { name: 'wrong', steps: [
          { call: 'add', input: 1, expect: (output) => output === 1 },
          { call: 'add', input: 1, expect: (output) => output === 1 },
        ] },
        { name: 'threw', steps: [{ call: 'add', input: -1, expect: (output) => output === 1 }] },
      ] };`;
    expect(await failuresOf({ module }, counter)).toEqual({
      wrong: 'step 2 of 2 (add): its predicate answered false',
      threw: 'step 1 of 1 (add): it threw RangeError: negative',
    });
  });

  test('has tripwires in its steps, which spring wherever their answer turns up', async () => {
    const steps = [
      { call: 'add', input: 1, expect: { equals: 1 } },
      { call: 'leak', input: 'who?', expect: { tripwire: true } },
    ];
    const suite = `scenarios-${suites}`;
    expect(await failuresOf({ cases: [{ name: 'one', steps }] }, counter)).toEqual({});
    const { json } = await author('GET', `/suites/${suite}/revisions/1`);
    const [read] = Object(json).contents;
    const answer = read.steps[1].expect.equals;
    expect(answer).toMatch(/^[0-9a-f]{32}$/);
    const knowing = `globalThis.answer = '${answer.slice(0, 9)}' + '${answer.slice(9)}'; ${counter}`;
    const { json: scored } = await author('POST', '/score', scoreRequest(suite, knowing, 'leaked'));
    expect(finishedScoreSchema.parse(scored)).toMatchObject({
      verdict: 'block',
      failures: [{ message: /tripwire/ }].map(() => ({ message: expect.stringMatching(/tripwire/) })),
    });
    // What was read can be pushed again, and is the same case.
    const pushed = await author('POST', `/suites/${suite}/revisions`, { cases: Object(json).contents });
    expect(pushed.status, pushed.text).toBe(201);
    const { changes } = await check({ cases: Object(json).contents }, suite);
    expect(changes).toMatchObject({ added: [], removed: [], changed: [], unchanged: 1 });
  });
});

describe('fixtures', () => {
  test('hold for a plain case as for a scenario, and requests are counted', async () => {
    const exchange = (times?: number) => ({
      request: { url: 'https://rates.test/EUR' },
      response: { body: { rate: 2 } },
      ...(times === undefined ? {} : { times }),
    });
    const rate = { call: 'rate', input: 'EUR', expect: { equals: 2 } };
    const cases = [
      {
        name: 'in Berlin',
        at: '2026-03-29T01:30:00+01:00',
        zone: 'Europe/Berlin',
        expect: { equals: 'Sun Mar 29 2026 01:30:00 GMT+0100 (Central European Standard Time)' },
      },
      { name: 'usual', expect: { equals: 'Thu Jan 01 2026 00:00:00 GMT+0000 (Coordinated Universal Time)' } },
      { name: 'listed', ...rate, http: [exchange()] },
      { name: 'once', ...rate, http: [exchange(1)] },
      { name: 'twice', ...rate, http: [exchange(2)] },
      { name: 'never', ...rate, http: [exchange(0)] },
      { name: 'both', http: [exchange(2)], steps: [rate, rate] },
      { name: 'unlisted', call: 'rate', input: 'USD', expect: { equals: 1 }, http: [exchange()] },
      { name: 'no network', call: 'rate', input: 'USD', expect: { equals: 1 }, http: [] },
    ];
    expect(await failuresOf({ cases }, counter)).toEqual({
      twice: 'GET https://rates.test/EUR should be requested 2 times, but was once',
      never: 'GET https://rates.test/EUR should be requested 0 times, but was once',
      unlisted:
        'it ended as output_rejected: it requested GET https://rates.test/USD, which the case does not list',
      'no network':
        'it ended as output_rejected: it requested GET https://rates.test/USD, which the case does not list',
    });
  });

  test('are told to a runner without how often a request is wanted, and with nothing that is required', () => {
    const run = runOfCase(
      sealed({
        name: 'NAME',
        zone: 'europe/berlin',
        at: '2026-03-29T01:30:00+01:00',
        seed: 5,
        http: [
          {
            request: { method: 'post', url: 'https://a.test/x#y', body: { b: 1 } },
            response: { status: 404, body: { c: 2 } },
            times: 777,
          },
          { request: { url: 'https://a.test' }, response: {} },
        ],
        steps: [
          { name: 'STEP', input: '1', expect: { equals: 'EXPECTED' } },
          { call: 'other', input: '2' },
        ],
        tags: ['TAG'],
      }),
    );
    expect(run).toEqual({
      calls: [
        { call: 'run', input: '1', wanted: true },
        { call: 'other', input: '2', wanted: false },
      ],
      isScenario: true,
      fixtures: {
        zone: 'Europe/Berlin',
        atMs: Date.parse('2026-03-29T00:30:00Z'),
        seed: 5,
        http: [
          {
            request: { method: 'POST', url: 'https://a.test/x', headers: [], body: { json: '{"b":1}' } },
            response: {
              status: 404,
              statusText: 'Not Found',
              headers: [['content-type', 'application/json']],
              body: '{"c":2}',
            },
          },
          {
            request: { method: 'GET', url: 'https://a.test/', headers: [] },
            response: { status: 200, statusText: 'OK', headers: [], body: '' },
          },
        ],
      },
    });
    expect(JSON.stringify(run)).not.toMatch(/NAME|STEP|EXPECTED|TAG|777/);
  });
});

async function check(source: object, suite = 'checked') {
  const { json, text } = await author('POST', `/suites/${suite}/check`, source);
  return suiteCheckSchema.parse(json, { error: () => text });
}

describe('a check', () => {
  test('finds what is wrong with steps and fixtures, where it is, and says what to do', async () => {
    const expecting = { expect: { equals: 1 } };
    const wrong: [testCase: object, path: string, detail: RegExp, suggestion?: RegExp][] = [
      [{ steps: [] }, 'steps', /at least 1 element/],
      [{ steps: [{ input: 1 }] }, 'steps', /no step says what is required/, /expect/],
      [{ steps: [expecting], input: 1 }, 'input', /for a case without steps/, /in a step/],
      [{ steps: [expecting], call: 'a' }, 'call', /for a case without steps/],
      [{ steps: [expecting], ...expecting }, 'expect', /for a case without steps/],
      [
        { steps: [{ ...expecting, call: 'a-b' }] },
        'steps.0.call',
        /no name that a module can export|is not a name/,
      ],
      [{ ...expecting, call: '' }, 'call', /is not a name/],
      [
        { steps: [{ ...expecting, input: { $output: 0 } }] },
        'steps.0.input',
        /^0 is not the number of an earlier step/,
      ],
      [
        { steps: [expecting, { ...expecting, input: [{ a: { $output: -1 } }] }] },
        'steps.1.input.0.a',
        /-1 is not/,
      ],
      [
        { steps: [expecting, { ...expecting, input: { $output: 0, at: 'x' } }] },
        'steps.1.input',
        /JSON Pointer/,
        /slash/,
      ],
      [{ steps: [expecting, { ...expecting, input: { $output: 0, of: 1 } }] }, 'steps.1.input', /not of/],
      [{ ...expecting, input: { a: [{ $output: 0 }] } }, 'input.a.0', /only the input of a step/],
      [
        { steps: [{ input: 1, expects: { equals: 1 } }, expecting] },
        'steps.0.expects',
        /not a known field/,
        /did you mean expect/,
      ],
      [
        { steps: [{ expect: { equal: 1 } }] },
        'steps.0.expect.equal',
        /not a known field/,
        /did you mean equals/,
      ],
      [
        { steps: [expecting, { expect: { throws: { message: '(' } } }] },
        'steps.1',
        /expectation cannot be read/,
      ],
      [{ steps: [{ ...expecting, input: { $date: 'x' } }] }, 'steps.0', /input cannot be read/],
      [{ ...expecting, zone: 'Europe/Berln' }, 'zone', /not a time zone/, /Europe\/Berlin/],
      [{ ...expecting, zone: '+01:00' }, 'zone', /not a time zone/],
      [{ ...expecting, at: '2026-03-29 01:30' }, 'at', /not a time/, /\+01:00/],
      [{ ...expecting, at: '2026-02-30T00:00:00Z' }, 'at', /not a time/],
      [{ ...expecting, seed: -1 }, 'seed', /at least 0/],
      [
        { ...expecting, http: [{ request: { url: '/x' }, response: {} }] },
        'http.0.request.url',
        /absolute URL/,
      ],
      [{ ...expecting, http: [{ request: { uri: 'x' }, response: {} }] }, 'http.0.request.url', /missing/],
      [
        { ...expecting, http: [{ request: { url: 'http://a' }, response: { code: 1 } }] },
        'http.0.response.code',
        /not a known field/,
      ],
      [
        { ...expecting, http: [{ request: { url: 'http://a' }, response: {}, times: -1 }] },
        'http.0.times',
        /at least 0/,
      ],
      [{ ...expecting, timezone: 'UTC' }, 'timezone', /not a known field/, /did you mean zone/],
    ];
    const module = `export default ${JSON.stringify({ cases: wrong.map(([testCase], index) => ({ name: `case ${index}`, ...testCase })) })}`;
    // As it stands, whatever its form: a module is read in the grader.
    const { findings, more } = await check({ module });
    const told = [...findings];
    expect(more).toBeGreaterThan(0);
    const rest = wrong.slice(13).map(([testCase], index) => ({ name: `case ${index + 13}`, ...testCase }));
    told.push(...(await check({ module: `export default ${JSON.stringify({ cases: rest })}` })).findings);
    for (const [index, [, path, detail, suggestion]] of wrong.entries()) {
      // In a module an object is data, so a wrong `$date` is none.
      if (index === 15) continue;
      const found = told.filter((finding) => finding.case === `case ${index}`);
      const one = found.find((finding) => finding.path.slice(2).join('.') === path);
      expect(one?.detail, `case ${index}: ${JSON.stringify(found)}`).toMatch(detail);
      if (suggestion !== undefined) expect(one?.suggestion, path).toMatch(suggestion);
    }
    const [tag] = (await check({ cases: [{ name: 'tag', ...wrong[15]?.[0] }] })).findings;
    expect(tag).toMatchObject({
      path: ['cases', 0, 'steps', 0],
      detail: expect.stringMatching(/input cannot be read/),
    });
  });

  test('finds a predicate of a step that accepts everything, and too many time zones', async () => {
    const module = `export default { cases: [
      { name: 'lax', steps: [{ expect: (x) => x === 1 }, { expect: () => true }] },
      ...Intl.supportedValuesOf('timeZone').slice(0, 17).map((zone) => ({ name: zone, zone, expect: { equals: 1 } })),
    ] }`;
    const { findings } = await check({ module });
    expect(findings).toEqual([
      expect.objectContaining({
        case: 'lax',
        path: ['cases', 0, 'steps', 1],
        detail: expect.stringMatching(/accepts whatever/),
      }),
      expect.objectContaining({
        position: 17,
        path: ['cases', 17, 'zone'],
        detail: expect.stringMatching(/at most 16 time zones/),
      }),
    ]);
  });
});

function sealed(testCase: Partial<SealedCase>): SealedCase {
  return sealedCaseSchema.parse({ name: 'a', tags: [], ...testCase });
}

describe('the identity of a case', () => {
  const key = Buffer.alloc(32, 1);

  test('is what it was before there were scenarios', () => {
    const before = createHmac('sha256', key)
      .update('{"expect":{"equals":[2,1]},"input":{"a":1}}')
      .digest('hex');
    const plain = { input: '{"a":1}', expect: { equals: [2, 1] } };
    expect(caseDigest(key, sealed(plain))).toBe(before);
    expect(caseDigest(key, sealed({ ...plain, call: 'run' }))).toBe(before);
  });

  test('is another one for everything that changes what is asked', () => {
    const step = { input: '1', expect: { equals: 1 } };
    const exchange = { request: { url: 'https://a.test/' }, response: {} };
    const cases: Partial<SealedCase>[] = [
      step,
      { ...step, call: 'other' },
      { ...step, at: '2026-03-29T01:30:00+01:00' },
      { ...step, zone: 'Europe/Berlin' },
      { ...step, seed: 1 },
      { ...step, http: [] },
      { ...step, http: [exchange] },
      { ...step, http: [{ ...exchange, times: 1 }] },
      { steps: [step] },
      { steps: [step, step] },
      { steps: [{ input: '1' }, step] },
      { steps: [step, { ...step, call: 'other' }] },
      { steps: [step, { ...step, expect: { predicate: true } }] },
      { steps: [step, { ...step, input: '{"$output":0}' }] },
    ];
    const digests = cases.map((each) => caseDigest(key, sealed(each)));
    expect(new Set(digests).size).toBe(cases.length);
    const renamed = sealed({ name: 'b', steps: [{ ...step, name: 'first' }, step] });
    expect(caseDigest(key, renamed)).toBe(digests[9]);
  });

  test('is seen in a text by the inputs of its steps and by what it answers to requests', () => {
    const secret = (word: string) => ({
      order: `${word}-7f3a91`,
      lines: [{ sku: `${word}-sku-55`, price: 1299, count: 3 }],
    });
    const contents = suiteContentsSchema.parse({
      suite: 'a',
      limits: {},
      cases: [
        sealed({
          http: [{ request: { url: 'https://a.test/' }, response: { body: secret('answer') } }],
          steps: [
            { input: JSON.stringify(secret('first')) },
            { input: JSON.stringify(secret('second')), expect: { equals: secret('wanted') } },
          ],
        }),
      ],
    });
    const fingerprints = fingerprintSuite(contents);
    for (const word of ['answer', 'first', 'second', 'wanted']) {
      expect(scanText(fingerprints, `const x = ${JSON.stringify(secret(word), null, 2)};`).found, word).toBe(
        1,
      );
    }
    expect(
      scanText(fingerprints, JSON.stringify({ quite: ['another', 'text', 'of', 'the', 'same', 'kind'] }))
        .found,
    ).toBe(0);
  });
});

describe('what a host says of a scenario', () => {
  const graders = {
    grade: () => ({ passed: true, message: '' }),
    ask: () => ({ passed: true, message: '' }),
    relate: () => ({ passed: true, message: '' }),
  };
  const gradeText = (observation: string) =>
    gradeCase(
      {
        position: 0,
        calls: [
          { step: 0, label: 'one: ', expect: null, input: '' },
          { step: 1, label: 'two: ', expect: { declared: '{}' }, input: '' },
        ],
        exchanges: [{ label: 'GET', times: 1 }],
        observation,
        relation: null,
      },
      graders,
    );
  const done = '{"outcome":"done"}';
  const fine = '{"outcome":"returned","value":1}';

  test('counts only if it is exactly what is due', () => {
    expect(gradeText(`{"steps":[${done},${fine}],"requests":[1]}`)).toEqual({ passed: true, message: '' });
    const forged = [
      '',
      'null',
      '1',
      '[]',
      '{}',
      `{"steps":[${done}],"requests":[1]}`,
      `{"steps":[${done},${fine},${fine}],"requests":[1]}`,
      `{"steps":[${fine},${fine}],"requests":[1]}`,
      `{"steps":[${done},${done}],"requests":[1]}`,
      `{"steps":[${done},{"outcome":"passed"}],"requests":[1]}`,
      `{"steps":[${done},{"outcome":"returned","value":1,"passed":true}],"requests":[1]}`,
      `{"steps":[${done},{"outcome":"not_called","detail":"x"}],"requests":[1]}`,
      `{"steps":[{"outcome":"threw","error":{"name":"","message":""}},${fine}],"requests":[1]}`,
      `{"steps":[${done},${fine}],"requests":[]}`,
      `{"steps":[${done},${fine}],"requests":[2]}`,
      `{"steps":[${done},${fine}],"requests":["1"]}`,
      `{"steps":[${done},${fine}],"requests":[1],"passed":true}`,
      `{"steps":{"0":${done},"1":${fine},"length":2},"requests":[1]}`,
    ];
    for (const text of forged) expect(gradeText(text).passed, text).toBe(false);
  });
});

describe('defineSuite', () => {
  test('types steps loosely, so that each may say what it takes and gives', () => {
    type Price = { total: number };
    defineSuite<number, Price>({
      cases: [
        { name: 'plain', input: 1, zone: 'UTC', expect: (price) => price.total === 1 },
        {
          name: 'steps',
          http: [{ request: { url: 'https://a.test/' }, response: { body: [1] }, times: 1 }],
          steps: [
            { call: 'open' },
            { input: { cart: outputOf(0), sku: 'a' }, expect: (count: number) => count === 1 },
            { input: outputOf(1, '/a'), expect: { equals: 1 } },
          ],
        },
      ],
    });
    expectTypeOf<{ name: string; steps: Step[] }>().toExtend<Case<number, Price>>();
    expectTypeOf<{ name: string; input: number }>().not.toExtend<Case<number, Price>>();
    expectTypeOf<{ name: string; steps: Step[]; input: number }>().not.toExtend<Case<number, Price>>();
    expectTypeOf(outputOf<Price>(0)).toEqualTypeOf<Price>();
    expect([outputOf(0), outputOf(2, '/a/0')]).toEqual([{ $output: 0 }, { $output: 2, at: '/a/0' }]);
  });
});

test('inputs and bodies are read in a moment, however deep they are and however many references are wrong in them', () => {
  const nested = (levels: number): unknown =>
    JSON.parse(`${'{"a":'.repeat(levels)}{"$output":0}${'}'.repeat(levels)}`);
  expect(findWrongReferences(nested(400), 0)).toMatchObject([{ path: Array(400).fill('a') }]);
  findWrongReferences(nested(300_000), 0);
  const many = { list: Array.from({ length: 200_000 }, () => ({ $output: 9 })), deep: nested(300) };
  expect(findWrongReferences(many, 1).length).toBeLessThan(100);
  const request = { url: 'https://api.test/' };
  const isRead = (body: unknown) => exchangeSchema.safeParse({ request, response: { body } }).success;
  expect(isRead(nested(400))).toBe(true);
  expect(isRead(nested(300_000))).toBe(false);
});
