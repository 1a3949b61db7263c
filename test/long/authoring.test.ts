/** What authors write is sealed as they wrote it, or refused with words that say which case to mend and how. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, type Reply, scoreRequest, startWorld, type World } from '../world.ts';

const identity = 'export function run(x) { return x }';
const one = { name: 'one', input: 1, expect: { equals: 1 } };

let world: World;
let author: Client;
let ci: Client;
let suites = 0;

beforeAll(async () => {
  world = await startWorld();
  [author, ci] = await Promise.all([world.as('author'), world.as('ci')]);
});
afterAll(() => world.close());

/** Pushes a revision of a suite of its own. */
async function push(source: unknown): Promise<Reply & { suite: string }> {
  const suite = `suite-${suites++}`;
  return { ...(await author('POST', `/suites/${suite}/revisions?activate=true`, source)), suite };
}

/** Pushes a suite that must be accepted, puts a gate in front of it, and tells its name. */
async function sealed(source: unknown): Promise<string> {
  const { suite, ...pushed } = await push(source);
  expect(pushed.status, pushed.text).toBe(201);
  await world.admin('PUT', `/gates/${suite}`, { suites: [suite] });
  return suite;
}

async function read(suite: string): Promise<{ contents: unknown[]; limits: unknown }> {
  const { json } = await author('GET', `/suites/${suite}/revisions/1`);
  const contents: unknown = Reflect.get(Object(json), 'contents');
  return { contents: Array.isArray(contents) ? contents : [], limits: Reflect.get(Object(json), 'limits') };
}

/** Scores a candidate as an author, who sees the failures: case and message. */
async function score(gate: string, source: string) {
  const { json, text } = await author('POST', '/score', scoreRequest(gate, source));
  const { verdict, reason, passed, total, failures } = Object(json);
  const told = new Map<string, string>();
  for (const failure of Array.isArray(failures) ? failures : []) {
    told.set(`${Reflect.get(Object(failure), 'case')}`, `${Reflect.get(Object(failure), 'message')}`);
  }
  return { verdict, reason, passed, total, failures: told, text };
}

describe('a suite as JSON', () => {
  test('is sealed with its cases, tags and limits, and is read back by an author alone', async () => {
    const cases = [
      { ...one, tags: ['smoke', 'money'] },
      { name: 'no input', expect: { equals: { $undefined: true } } },
    ];
    const suite = await sealed({ cases, limits: { caseMs: 3_000 } });
    const path = `/suites/${suite}/revisions/1`;
    expect((await author('GET', path)).json).toMatchObject({
      suite,
      revision: 1,
      cases: 2,
      state: 'active',
      digest: expect.stringMatching(/^hmac-sha256:[0-9a-f]{64}$/),
      limits: { caseMs: 3_000, outputBytes: 65_536 },
      contents: [
        { ...one, tags: ['smoke', 'money'] },
        { name: 'no input', input: { $undefined: true }, expect: { equals: { $undefined: true } }, tags: [] },
      ],
    });
    const lead = await (await world.as('lead'))('GET', path);
    expect(lead.status).toBe(200);
    expect(Object.keys(Object(lead.json)).sort()).toEqual(
      ['cases', 'createdAt', 'digest', 'revision', 'state', 'suite'].sort(),
    );
    for (const role of ['ci', 'harness'] as const) {
      expect((await (await world.as(role))('GET', path)).status).toBe(403);
    }
  });

  test('is a draft until it is activated, and gets the next number each time', async () => {
    const path = '/suites/numbered/revisions';
    const pushed = await Promise.all([1, 2, 3].map(() => author('POST', path, { cases: [one] })));
    expect(pushed.map(({ json }) => Reflect.get(Object(json), 'revision')).sort()).toEqual([1, 2, 3]);
    expect(pushed[0]?.headers.get('location')).toMatch(/^\/suites\/numbered\/revisions\/[123]$/);
    expect((await author('GET', '/suites/numbered')).json).toMatchObject({ activeRevision: null });
    expect((await author('POST', `${path}/2/activate`)).json).toMatchObject({ revision: 2, state: 'active' });
    await author('POST', `${path}/3/activate`);
    const { json } = await author('GET', '/suites/numbered');
    expect(json).toMatchObject({
      activeRevision: 3,
      revisions: [{ state: 'active' }, { state: 'superseded' }, { state: 'draft' }],
    });
  });

  test('may hold 2,000 cases', async () => {
    const cases = Array.from({ length: 2_000 }, (_, index) => ({
      name: `case ${index}`,
      input: { index },
      expect: { equals: { index } },
    }));
    const suite = await sealed({ cases });
    expect((await read(suite)).contents).toHaveLength(2_000);
    expect(await score(suite, identity)).toMatchObject({ verdict: 'merge', passed: 2_000, total: 2_000 });
    const wrongOnce = 'export const run = (x) => x.index === 1999 ? {} : x';
    const { verdict, passed, failures } = await score(suite, wrongOnce);
    expect({ verdict, passed, failed: [...failures.keys()] }).toEqual({
      verdict: 'block',
      passed: 1_999,
      failed: ['case 1999'],
    });
  });

  const expectations: [string, unknown, string][] = [
    ['has none', {}, 'an expectation has exactly one of equals, strictEquals, matches'],
    ['has two kinds', { equals: 1, matches: {} }, 'an expectation has exactly one of'],
    ['has an unknown kind', { equal: 1 }, 'equal: is not a known field'],
    ['is no object', 5, 'an object'],
    ['throws something odd', { throws: 'Error' }, 'is true or {name?'],
    ['throws with an unknown field', { throws: { mesage: 'x' } }, 'mesage: is not a known field'],
    ['has a pattern that is none', { throws: { message: '(' } }, 'Invalid regular expression'],
    ['has a JSON Schema that is none', { schema: { type: 'nothing' } }, 'schema is invalid'],
    ['has an unknown keyword in its JSON Schema', { schema: { typ: 'string' } }, 'unknown keyword: "typ"'],
    ['has a JSON Schema of the wrong kind', { schema: 'string' }, 'is a JSON Schema'],
    ['is close to no number', { closeTo: { value: 'one', tolerance: 1 } }, 'closeTo wants a number'],
    [
      'has a negative tolerance',
      { closeTo: { value: 1, tolerance: -1 } },
      'closeTo/tolerance: must be at least 0',
    ],
    ['is one of none', { oneOf: [] }, 'oneOf: must have at least 1 element'],
    ['matches no object', { matches: 1 }, 'matches wants an object'],
    ['has a wrong number tag', { equals: { $number: 'x' } }, '$number wants "NaN"'],
    ['has a wrong date tag', { equals: { $date: 'yesterday' } }, '$date wants an ISO 8601 time'],
    ['has a wrong bigint tag', { strictEquals: [{ $bigint: 1 }] }, '$bigint wants the digits'],
    ['has a hole outside of an array', { equals: { $hole: true } }, '$hole wants to be an element'],
    ['has a wrong tag in a choice', { oneOf: [1, { $typed: ['Nothing', []] }] }, '$typed wants the name'],
  ];
  test.each(expectations)(
    'whose expectation %s is refused by the name of its case',
    async (_what, expectation, told) => {
      const refused = await push({ cases: [one, { name: 'the odd one', expect: expectation }] });
      expect([400, 422], refused.text).toContain(refused.status);
      expect(Reflect.get(Object(refused.json), 'detail')).toContain(told);
      expect(Reflect.get(Object(refused.json), 'detail')).toContain('"the odd one"');
      expect(refused.headers.get('content-type')).toContain('application/problem+json');
      expect((await author('GET', `/suites/${refused.suite}`)).status).toBe(404);
    },
  );

  test.each([
    ['has neither cases nor a module', {}, 'either cases or a module'],
    ['has both', { cases: [one], module: 'export default []' }, 'either cases or a module'],
    ['has no cases', { cases: [] }, 'at least one case'],
    ['has an empty module', { module: '' }, 'must have at least 1 character'],
    ['has two cases of one name', { cases: [one, { ...one, input: 2 }] }, 'two cases are called "one"'],
    ['has a case without a name', { cases: [{ expect: { equals: 1 } }] }, 'cases/0/name: is missing'],
    [
      'has a case with an empty name',
      { cases: [{ ...one, name: '' }] },
      'cases/0/name: must have at least 1',
    ],
    ['has a case without an expectation', { cases: [{ name: 'bare' }] }, 'expect: is missing (in "bare")'],
    [
      'has a case with an unknown field',
      { cases: [{ ...one, skip: true }] },
      'skip: is not a known field (in "one")',
    ],
    ['has an unknown field', { cases: [one], timeout: 5 }, 'body/timeout: is not a known field'],
    [
      'has a wrong tag in an input',
      { cases: [{ ...one, input: { a: [{ $map: 5 }] } }] },
      'case "one": its input',
    ],
    ['has odd limits', { cases: [one], limits: { caseMs: 1 } }, 'limits/caseMs: must be at least 50'],
    ['has unknown limits', { cases: [one], limits: { seconds: 1 } }, 'limits/seconds: is not a known field'],
    ['has tags that are no text', { cases: [{ ...one, tags: [1] }] }, 'tags/0: must be a string (in "one")'],
  ])('that %s is refused', async (_what, source, told) => {
    const refused = await push(source);
    expect([400, 422], refused.text).toContain(refused.status);
    expect(Reflect.get(Object(refused.json), 'detail')).toContain(told);
  });
});

describe('a suite as a module', () => {
  const predicate = `{ name: 'one', input: 1, expect: (output, input) => output === input }`;
  test.each([
    ['a default export with cases', `export default { cases: [${predicate}] }`],
    ['a default export that is an array', `export default [${predicate}]`],
    ['cases by name', `export const cases = [${predicate}]`],
    ['a suite by name', `export const suite = { cases: [${predicate}] }`],
    ['a suite by name that is an array', `export const suite = [${predicate}]`],
    ['CommonJS', `module.exports = { cases: [${predicate}] }`],
    [
      'TypeScript',
      `type Case = { name: string; input: number; expect(output: unknown, input: number): boolean };
       const cases: Case[] = [${predicate}];
       export default { cases } satisfies { cases: Case[] };`,
    ],
    [
      'generated cases',
      `export const cases = Array.from({ length: 50 }, (_, n) => ({ name: \`n = \${n}\`, input: n, expect: (out) => out === n }))`,
    ],
  ])('may be written as %s', async (_what, module) => {
    const suite = await sealed({ module });
    expect(await score(suite, identity)).toMatchObject({ verdict: 'merge', reason: 'green' });
    expect(await score(suite, 'export const run = () => -1')).toMatchObject({
      verdict: 'block',
      reason: 'red',
      passed: 0,
    });
    expect((await read(suite)).contents[0]).toMatchObject({ expect: { predicate: true } });
  });

  test('has limits of its own, and the request has the last word', async () => {
    const module = `export default { cases: [${predicate}], limits: { caseMs: 300, hostMb: 256 } }`;
    expect((await read(await sealed({ module }))).limits).toMatchObject({ caseMs: 300, hostMb: 256 });
    const suite = await sealed({ module, limits: { caseMs: 400 } });
    expect((await read(suite)).limits).toMatchObject({ caseMs: 400, hostMb: 256 });
  });

  test('may declare expectations with the values that JSON cannot say, and patterns as regular expressions', async () => {
    const suite = await sealed({
      module: `export default [
        { name: 'not a number', input: NaN, expect: { equals: NaN } },
        { name: 'minus zero', input: -0, expect: { strictEquals: -0 } },
        { name: 'a date', input: new Date(0), expect: { equals: new Date(0) } },
        { name: 'a map', input: new Map([[1, { a: undefined }]]), expect: { equals: new Map([[1, { a: undefined }]]) } },
        { name: 'a big one', input: 10n ** 30n, expect: { oneOf: [1n, 10n ** 30n] } },
        { name: 'close', input: 0.1 + 0.2, expect: { closeTo: { value: 0.3, tolerance: 1e-9 } } },
        { name: 'an error', input: 'throw', expect: { throws: { name: 'RangeError', message: /^too (large|small)$/ } } },
      ]`,
    });
    const candidate = `export function run(x) { if (x === 'throw') throw new RangeError('too small'); return x }`;
    expect(await score(suite, candidate)).toMatchObject({ verdict: 'merge', total: 7 });
    const other = await score(
      suite,
      `export function run(x) { if (x === 'throw') throw new RangeError('too'); return x }`,
    );
    expect([...other.failures.keys()]).toEqual(['an error']);
    expect((await read(suite)).contents[6]).toMatchObject({
      expect: { throws: { message: '^too (large|small)$' } },
    });
  });

  test.each([
    ['does not compile', 'export default [', 'does not compile'],
    ['throws while it loads', `throw new TypeError('a typing error')`, 'a typing error'],
    ['loops for ever', 'while (true);', 'does not finish loading'],
    ['exports nothing', 'const cases = []', 'exports no cases'],
    ['exports something else', 'export default 42', 'exports no cases'],
    ['imports something', `import fs from 'node:fs'; export default [${predicate}]`, 'cannot import node:fs'],
    ['has no cases', 'export default { cases: [] }', 'at least one case'],
    ['has a case that is no object', 'export default [5]', 'case 1: the case must be an object'],
    ['has a hole for a case', 'export default [,]', 'case 1'],
    [
      'has a case without a name',
      `export default [{ input: 1, expect: { equals: 1 } }]`,
      'case 1: name: is missing',
    ],
    [
      'has a case without an expectation',
      `export default [{ name: 'bare' }]`,
      'case "bare": expect: is missing',
    ],
    [
      'has a case with an unknown field',
      `export default [{ name: 'a', skip: 1, expect: () => true }]`,
      'case "a": skip: is not a known field',
    ],
    [
      'has two kinds of expectation',
      `export default [{ name: 'a', expect: { equals: 1, matches: {} } }]`,
      'case "a": expect: an expectation has exactly one of',
    ],
    [
      'has an unknown kind of expectation',
      `export default [{ name: 'a', expect: { equal: 1 } }]`,
      'case "a": expect.equal: is not a known field',
    ],
    [
      'has a function in an input',
      `export default [{ name: 'a', input: { f() {} }, expect: () => true }]`,
      'case "a": input: a function cannot be carried',
    ],
    [
      'has a promise in an expectation',
      `export default [{ name: 'a', expect: { equals: Promise.resolve(1) } }]`,
      'case "a": expect.equals: a promise cannot be carried',
    ],
    [
      'has a cycle in an input',
      `const a = {}; a.a = a; export default [{ name: 'a', input: a, expect: () => true }]`,
      'cannot be carried',
    ],
    [
      'has two cases of one name',
      `export default [${predicate}, ${predicate}]`,
      'two cases are called "one"',
    ],
    [
      'has odd limits',
      `export default { cases: [${predicate}], limits: { caseMs: 'long' } }`,
      'limits.caseMs: must be a number',
    ],
    [
      'has limits that are none',
      `export default { cases: [${predicate}], limits: 'none' }`,
      'limits: must be an object',
    ],
    [
      'has unknown limits',
      `export default { cases: [${predicate}], limits: { ms: 1 } }`,
      'limits.ms: is not a known field',
    ],
    [
      'has more cases than a suite may have',
      `export default Array.from({ length: 20_001 }, (_, n) => ({ name: 'n' + n, expect: () => true }))`,
      'at most 20000 cases',
    ],
  ])('that %s is refused', async (_what, module, told) => {
    const refused = await push({ module });
    expect(refused.json, refused.text).toMatchObject({ status: 422, code: 'suite_invalid' });
    expect(Reflect.get(Object(refused.json), 'detail')).toContain(told);
    expect((await author('GET', `/suites/${refused.suite}`)).status).toBe(404);
  });
});

describe('a predicate', () => {
  const odd = `
    const rightly = (output, input) => output === input;
    export default [
      { name: 'right before', input: 1, expect: rightly },
      { name: 'throws', input: 2, expect: () => { throw new TypeError('of the predicate') } },
      { name: 'throws no error', input: 3, expect: () => { throw 'a string' } },
      { name: 'throws nothing', input: 4, expect: () => { throw undefined } },
      { name: 'promises', input: 5, expect: (output) => output === 5 && Promise.resolve(true) },
      { name: 'answers 1', input: 6, expect: () => 1 },
      { name: 'answers nothing', input: 7, expect: () => {} },
      { name: 'answers null', input: 8, expect: () => null },
      { name: 'answers a Boolean object', input: 9, expect: () => new Boolean(true) },
      { name: 'answers the word', input: 10, expect: () => 'true' },
      { name: 'hangs', input: 11, expect: () => { for (;;); } },
      { name: 'changes what it is given', input: 12, expect: (output, input) => { Object.prototype.polluted = true; return output === input } },
      { name: 'is not told of it', input: 13, expect: (output, input) => ({}).polluted === undefined && output === input },
      { name: 'right after', input: 14, expect: rightly },
    ]`;

  test('that does anything but answer true or false fails its case, says why to the author, and harms no other', async () => {
    const suite = await sealed({ module: odd });
    const { verdict, reason, passed, total, failures } = await score(suite, identity);
    expect({ verdict, reason, passed, total }).toEqual({
      verdict: 'block',
      reason: 'red',
      passed: 4,
      total: 14,
    });
    expect(Object.fromEntries(failures)).toEqual({
      throws: 'its predicate threw TypeError: of the predicate',
      'throws no error': expect.stringContaining('its predicate threw'),
      'throws nothing': expect.stringContaining('its predicate threw'),
      promises: 'its predicate answered with a promise, not with true or false',
      'answers 1': 'its predicate answered with number, not with true or false',
      'answers nothing': 'its predicate answered with undefined, not with true or false',
      'answers null': expect.stringContaining('null'),
      'answers a Boolean object': expect.stringContaining('object'),
      'answers the word': 'its predicate answered with string, not with true or false',
      hangs: expect.stringContaining('did not answer within'),
    });
    const told = await ci('POST', '/score', scoreRequest(suite, identity));
    expect(told.text).not.toMatch(/predicate|throws|promises|hangs/);
  });

  test('is asked only about what was returned', async () => {
    const suite = await sealed({
      module: `export default [{ name: 'almost always', input: 1, expect: (output) => output !== undefined }]`,
      limits: { caseMs: 500 },
    });
    expect(await score(suite, identity)).toMatchObject({ verdict: 'merge' });
    for (const source of [
      'export const run = () => { throw new Error("true") }',
      'export const run = () => { for (;;); }',
      'x',
    ]) {
      expect(await score(suite, source)).toMatchObject({ verdict: 'block', reason: 'red', passed: 0 });
    }
  });
});

describe('any text survives', () => {
  const texts: Record<string, string> = {
    'a lone high surrogate': 'a\ud800b',
    'a lone low surrogate': '\udfff',
    'U+0000': 'a\u0000b\u0000',
    'line separators': '\u2028 \u2029 \n \r \u0085',
    'a byte order mark': '\ufeffa\ufeff',
    'not normalised': 'e\u0301 \u00e9 \ufb01',
    'beyond the plane': '\u{1f469}\u200d\u{1f680}\u{10ffff}',
    noncharacters: '\uffff\ufffe\ufdd0',
    'looks like code': '</script>`\\u0000\\"\'; --',
    'looks like a tag': '{"$undefined":true}',
    prototypes: '__proto__',
  };
  const keys = [
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
    'valueOf',
    'toJSON',
    'length',
    'then',
    '$ref',
    '',
  ];

  /** An object whose own keys are those that trip programs up. */
  function tricky(value: unknown): object {
    return Object.fromEntries(keys.map((key) => [key, value]));
  }

  const cases = [
    ...Object.entries(texts).map(([name, text]) => ({
      name: `${name}: ${text}`,
      value: { text, [text]: [text] },
    })),
    ...keys.map((key) => ({ name: key || 'empty key', value: { [key]: { [key]: key } } })),
    { name: 'all keys', value: tricky(tricky('deep')) },
    { name: 'own __proto__ alone', value: JSON.parse('{"__proto__":{"polluted":true}}') },
    { name: 'own __proto__ null', value: JSON.parse('[{"__proto__":null},{"a":1,"__proto__":[]}]') },
    { name: 'escaped tag', value: { $object: { $undefined: true } } },
    { name: 'unknown tag', value: { $whatever: 1 } },
    {
      name: 'numbers',
      value: [0, 1e21, 1.5e-300, 9_007_199_254_740_992, -1, { $number: '-0' }, { $number: 'NaN' }],
    },
    { name: 'deep', value: JSON.parse(`${'['.repeat(200)}1${']'.repeat(200)}`) },
  ].map(({ name, value }) => ({ name, input: value, expect: { equals: value }, tags: [name.slice(0, 50)] }));

  test('authoring, sealing, storage and reading back, and a candidate that returns its input passes', async () => {
    const suite = await sealed({ cases });
    const { contents } = await read(suite);
    expect(contents.map(canonical)).toEqual(cases.map(canonical));
    const { verdict, failures } = await score(suite, identity);
    expect(Object.fromEntries(failures)).toEqual({});
    expect(verdict).toBe('merge');
  });

  test('a candidate that changes a character of it is found out', async () => {
    const suite = await sealed({ cases });
    const { verdict, failures } = await score(
      suite,
      'export const run = (x) => JSON.parse(JSON.stringify(x).replace(/a|_|o|[0-9]/, "!").replace("!", "7"))',
    );
    expect(verdict).toBe('block');
    expect(failures.size).toBeGreaterThan(0);
  });

  test('a failing case is named to the author as it was written', async () => {
    const suite = await sealed({
      cases: cases.map((testCase) => ({ ...testCase, expect: { equals: 'another' } })),
    });
    const { failures } = await score(suite, identity);
    expect([...failures.keys()]).toEqual(cases.map(({ name }) => name));
  });

  test('through a module too', async () => {
    const wellFormed = cases.filter(({ name }) => name.isWellFormed());
    const module = `export const cases = JSON.parse(${JSON.stringify(JSON.stringify(wellFormed.map(({ name, input }) => ({ name, input }))))})
      .map(({ name, input }) => ({ name, input, expect: (output, given) => JSON.stringify(output) === JSON.stringify(input) && JSON.stringify(given) === JSON.stringify(input) }))`;
    const suite = await sealed({ module });
    const { verdict, failures } = await score(suite, identity);
    expect(Object.fromEntries(failures)).toEqual({});
    expect(verdict).toBe('merge');
  });

  test('numbers that only the text of JSON can say are kept as they were said', async () => {
    const suite = await sealed(
      '{"cases":[{"name":"zero","input":[-0,1e999,-1e999],"expect":{"equals":[-0,1e999,-1e999]}}]}',
    );
    const kept = [{ $number: '-0' }, { $number: 'Infinity' }, { $number: '-Infinity' }];
    expect((await read(suite)).contents).toMatchObject([{ input: kept, expect: { equals: kept } }]);
    expect(await score(suite, identity)).toMatchObject({ verdict: 'merge' });
    expect(await score(suite, 'export const run = () => [0, null, null]')).toMatchObject({
      verdict: 'block',
    });
  });
});

/** JSON text of a case with its fields in one order; everything inside stays in the order it has. */
function canonical(testCase: unknown): string {
  const { name, input, expect: expectation, tags } = Object(testCase);
  return JSON.stringify({ name, input, expect: expectation, tags });
}
