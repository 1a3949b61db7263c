/** Suites as code and as data: typed for editors, checked as a whole and by line, and pushed only after what changes was shown. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import type { z } from 'zod';
import { confirm, isAttended } from '../../cli/confirm.ts';
import type { limitsSchema } from '../../runners/protocol.ts';
import { compareContents } from '../../suites/authoring/compare-contents.ts';
import {
  type Case,
  defineSuite,
  type Expectation,
  type Limits,
  type Part,
} from '../../suites/authoring/define-suite.ts';
import { nearest } from '../../suites/authoring/nearest.ts';
import { suiteCheckSchema } from '../../suites/authoring/suite-check.ts';
import { readSuiteText } from '../../suites/authoring/suite-text.ts';
import { caseDigest } from '../../suites/case-digest.ts';
import type { ExpectationKind } from '../../suites/expectation.ts';
import { authoredSuiteSchema } from '../../suites/suite.ts';
import { type Ended, runCommand } from '../command.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { adminToken, type Client, scoreRequest, startWorld, type World } from '../world.ts';

const docs = await readFile(new URL('../../docs/writing-cases.md', import.meta.url), 'utf8');

let world: World;
let folder: string;
let author: Client;
let suites = 0;

beforeAll(async () => {
  [world, folder] = await Promise.all([startWorld({ HOLDBACK_POOL: '1' }), temporaryFolder()]);
  author = await world.as('author');
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

function fresh(): string {
  return `suite-${suites++}`;
}

async function check(suite: string, source: unknown, query = '') {
  const reply = await author('POST', `/suites/${suite}/check${query}`, source);
  expect(reply.status, reply.text).toBe(200);
  return suiteCheckSchema.parse(reply.json);
}

/** Runs the command in the test's folder, as admin unless the environment says otherwise. */
function holdback(flags: string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const asAdmin = { HOLDBACK_URL: world.service.address, HOLDBACK_TOKEN: adminToken };
  return runCommand(flags, { ...asAdmin, ...environment }, { cwd: folder });
}

function write(name: string, text: string): Promise<void> {
  return writeFile(join(folder, name), text);
}

type Line = { cents: number; at: Date; tags: string[] };
type Price = { total: number; parts: { sku: string; cents: number }[] };

describe('defineSuite', () => {
  test('returns its argument, whose cases are typed by input and output', () => {
    const given = {
      cases: [
        { name: 'a', input: { cents: 1, at: new Date(0), tags: [] }, expect: { matches: { total: 1 } } },
      ],
    };
    expect(defineSuite<Line, Price>(given)).toBe(given);
    defineSuite<Line, Price>({
      cases: [
        {
          name: 'b',
          input: { cents: 1, at: new Date(0), tags: [] },
          expect: (result, input) => {
            expectTypeOf(result).toEqualTypeOf<Price>();
            expectTypeOf(input).toEqualTypeOf<Line>();
            return result.total === input.cents;
          },
        },
      ],
    });
    // Without types, cases of any kind stand side by side.
    defineSuite({
      cases: [
        { name: 'c', input: 1, expect: { equals: 'one' } },
        { name: 'd', expect: (result) => result === 1 },
      ],
    });
  });

  test('takes an expectation of a kind that is known, with values of the right type', () => {
    type Expect = Expectation<Line, Price>;
    expectTypeOf<{ equals: Price }>().toExtend<Expect>();
    expectTypeOf<{ matches: { parts: { sku: string }[] } }>().toExtend<Expect>();
    expectTypeOf<{ throws: { message: RegExp } }>().toExtend<Expect>();
    expectTypeOf<{ oneOf: Price[] }>().toExtend<Expect>();
    expectTypeOf<{ tripwire: true }>().toExtend<Expect>();
    expectTypeOf<{ equals: string }>().not.toExtend<Expect>();
    expectTypeOf<{ matches: { total: string } }>().not.toExtend<Expect>();
    expectTypeOf<{ equal: Price }>().not.toExtend<Expect>();
    expectTypeOf<{ tripwire: false }>().not.toExtend<Expect>();
    expectTypeOf<{ throws: false }>().not.toExtend<Expect>();
    expectTypeOf<Record<never, never>>().not.toExtend<Expect>();
    expectTypeOf<Part<Line>>().toEqualTypeOf<{ cents?: number; at?: Date; tags?: readonly string[] }>();
  });

  test('wants an input unless it may be undefined', () => {
    expectTypeOf<{ name: string; expect: { equals: number } }>().not.toExtend<Case<Line, number>>();
    expectTypeOf<{ name: string; expect: { equals: number } }>().toExtend<Case<undefined, number>>();
  });

  test('knows the kinds of expectation and the limits that the service knows', () => {
    type Keys<Union> = Union extends unknown ? keyof Union : never;
    expectTypeOf<Keys<Expectation>>().toEqualTypeOf<ExpectationKind>();
    expectTypeOf<Limits>().toEqualTypeOf<Partial<z.infer<typeof limitsSchema>>>();
  });
});

describe('suite.schema.json', () => {
  test('is in the package where docs/writing-cases.md says that it is', async () => {
    const root = new URL('../../', import.meta.url);
    const docs = await readFile(new URL('docs/writing-cases.md', root), 'utf8');
    const paths = [...docs.matchAll(/node_modules\/holdback\/(\S+\.schema\.json)/g)].map(
      ([, path = '']) => path,
    );
    expect(paths).toHaveLength(2);
    for (const path of paths) expect(await readFile(new URL(path, root), 'utf8')).toContain('"$schema"');
  });

  const written = readFile(new URL('../../suites/authoring/suite.schema.json', import.meta.url), 'utf8');
  const accepts = async (value: unknown) =>
    new Ajv({ strict: false, formats: { 'date-time': true } }).compile(JSON.parse(await written))(value);
  const one = { name: 'one', expect: { equals: 1 } };

  test('is made from the schemas, and served to anybody', async () => {
    const script = fileURLToPath(new URL('../../suites/authoring/write-suite-schema.ts', import.meta.url));
    const checking = spawn(process.execPath, [script, '--check'], { stdio: 'ignore' });
    expect((await once(checking, 'close'))[0]).toBe(0);
    const served = await world.client(undefined)('GET', '/schemas/suite.json');
    expect(served.headers.get('content-type')).toContain('application/schema+json');
    expect(served.json).toEqual(JSON.parse(await written));
  });

  test('accepts the example, and what the service accepts', async () => {
    const example = new URL('../../examples/library/library.suite.json', import.meta.url);
    expect(await accepts(JSON.parse(await readFile(example, 'utf8')))).toBe(true);
    const full = { $schema: './x.json', name: 'one', cases: [one], limits: { caseMs: 100 } };
    expect(await accepts(full)).toBe(true);
    expect(authoredSuiteSchema.safeParse(full).success).toBe(true);
  });

  test.each([
    [{ cases: [] }],
    [{ cases: [{ name: 'bare' }] }],
    [{ cases: [{ ...one, expect: {} }] }],
    [{ cases: [{ ...one, expect: { equals: 1, matches: {} } }] }],
    [{ cases: [{ ...one, expected: 1 }] }],
    [{ cases: [one], limit: {} }],
    [{ cases: [one], name: '../one' }],
    [{ cases: [{ ...one, expect: { tripwire: false } }] }],
  ])('refuses %j', async (source) => {
    expect(await accepts(source)).toBe(false);
  });
});

describe('a check', () => {
  test('answers all that is wrong with a module at once, with names, positions and what to do; nothing is stored', async () => {
    const suite = fresh();
    const module = `const ring = {}; ring.ring = ring;
      export default { name: 'another', limit: {}, limits: { caseMs: 1 }, cases: [
        { name: 'all', expect: () => true },
        { name: 'ring', input: ring, expect: { equals: 1 } },
        { name: 'symbol', input: [Symbol('s')], expect: { oneOf: [1, () => 1] } },
        { name: 'twin', expect: { equals: 1 } },
        { name: 'twin', expect: { equal: 1 } },
        { name: 'bare' },
        { expect: { throws: { message: '(' } } },
        { name: 'pattern', expect: { throws: { message: '(' } }, skip: true },
        5,
        { name: 'close', expect: { closeTo: { value: 'x', tolerance: 1 } } },
      ] }`;
    const { findings, changes, cases, name } = await check(suite, { module });
    expect({ changes, cases, name }).toEqual({ changes: null, cases: 10, name: 'another' });
    const told = findings.map(({ position, path, detail, suggestion }) => [
      position,
      path.slice(2).join('.'),
      detail,
      suggestion,
    ]);
    expect(told).toEqual([
      [
        null,
        '',
        expect.stringContaining('calls itself "another"'),
        expect.stringContaining('push it as another'),
      ],
      [null, '', 'must be at least 50', undefined],
      [null, '', 'is not a known field', 'did you mean limits?'],
      [0, '', 'its predicate accepts whatever is returned', expect.stringContaining('answer false')],
      [1, 'input', expect.stringContaining('a cycle'), expect.stringContaining('docs/values.md')],
      [2, 'input', 'a symbol cannot be carried', expect.any(String)],
      [2, 'expect.oneOf', 'a function cannot be carried', expect.any(String)],
      [4, 'expect.equal', 'is not a known field', 'did you mean equals?'],
      [4, 'name', 'two cases are called "twin"', 'give each its own name'],
      [5, 'expect', 'is missing', expect.stringContaining('say what is required')],
      [6, 'name', 'is missing', expect.stringContaining('a name of its own')],
      [7, 'skip', 'is not a known field', expect.stringContaining('known are name')],
      [8, '', 'the case must be an object', undefined],
      [9, '', expect.stringContaining('closeTo wants a number'), undefined],
    ]);
    expect((await author('GET', `/suites/${suite}`)).status).toBe(404);
    const pushed = await author('POST', `/suites/${suite}/revisions`, { module });
    expect(pushed.json).toMatchObject({
      status: 422,
      detail: expect.stringMatching(/"another".* \(and 13 more: /),
    });
  });

  test('tells twenty things, and how many more there are', async () => {
    const module = 'export default Array.from({ length: 50 }, (_, n) => ({ name: String(n) }))';
    const { findings, more } = await check(fresh(), { module });
    expect([findings.length, more]).toEqual([20, 30]);
  });

  test('tells what keeps a module from loading, an empty suite, and one of tripwires alone', async () => {
    const sources = [
      'throw new TypeError("in it")',
      'export default []',
      'export default [{ name: "t", expect: { tripwire: true } }]',
    ];
    const told = await Promise.all(
      sources.map(async (module) => (await check(fresh(), { module })).findings),
    );
    expect(told).toMatchObject([
      [{ case: null, detail: expect.stringContaining('in it') }],
      [{ detail: 'a suite has at least one case', suggestion: expect.any(String) }],
      [{ detail: expect.stringContaining('besides its tripwires') }],
    ]);
  });

  test('takes from a module one line, whatever it has made of JSON: more would be answers about whoever is graded next', async () => {
    const lines = String.raw`{"problem":"a problem"}\ndone\nloading\n0 0 {"passed":true,"message":""}\ndone\n`;
    const module = `JSON.stringify = () => '${lines}'; export default [{ name: 'a', input: 1, expect: { equals: 1 } }]`;
    expect((await check(fresh(), { module })).findings).toMatchObject([
      { case: null, detail: expect.stringContaining('more than a line') },
    ]);
  });

  test('is for authors of the suite alone, and opens what was sealed', async () => {
    const source = { cases: [{ name: 'a', expect: { equals: 1 } }] };
    const elsewhere = await world.as('author', undefined, { suites: ['elsewhere'] });
    expect((await elsewhere('POST', '/suites/here/check', source)).json).toMatchObject({
      code: 'suite_forbidden',
    });
    for (const role of ['ci', 'harness', 'lead'] as const) {
      const reply = await (await world.as(role))('POST', '/suites/here/check', source);
      expect(reply.json).toMatchObject({ code: 'role_forbidden' });
    }
    const sealed = await author('POST', '/suites/here/check', { sealed: 'nothing' });
    expect(sealed.json).toMatchObject({ code: 'sealed_suite_broken' });
  });
});

describe('a predicate is refused only if it accepts everything, or answers with promises alone', () => {
  const refused = [
    '() => true',
    '(output, input) => Object.is(output, output) || input === output',
    'function () { return !0 }',
  ];
  const promising = ['async () => true', '(output) => Promise.resolve(output === 5)'];
  const taken = [
    '(output) => output !== undefined',
    '(output) => output === undefined',
    '(output, input) => output !== input',
    '(output) => output.total >= 0',
    '() => { throw new Error("always") }',
    '() => false',
    '() => 1',
    '(output) => output === 5 && Promise.resolve(true)',
    '(output) => { if (output === null) for (;;); return true }',
    '(output) => typeof output !== "boolean"',
    '(output) => output.length === 0 || Array.isArray(output)',
  ];

  test('which the check tells, and the push', async () => {
    const cases = [...refused, ...promising, ...taken].map(
      (text, at) => `{ name: ${JSON.stringify(`${at}`)}, input: 1, expect: ${text} }`,
    );
    const module = `export default [${cases.join(',')}]`;
    const { findings } = await check(fresh(), { module });
    const acceptsNothing = 'its predicate answers with a promise, and so accepts nothing';
    expect(findings.map(({ detail, suggestion }) => [detail, suggestion])).toEqual([
      ...refused.map(() => ['its predicate accepts whatever is returned', expect.stringContaining('false')]),
      ...promising.map(() => [acceptsNothing, 'write it without async and await']),
    ]);
    expect(findings.map(({ case: name }) => name)).toEqual(['0', '1', '2', '3', '4']);
    const suite = fresh();
    const fine = await author('POST', `/suites/${suite}/revisions`, {
      module: `export default [${cases.slice(refused.length + promising.length).join(',')}]`,
    });
    expect(fine.status, fine.text).toBe(201);
  });
});

describe('what a push would change', () => {
  const reads = async (suite: string) => {
    const { json } = await world.admin('GET', '/audit?limit=1000');
    return [...JSON.stringify(json).matchAll(new RegExp(`revision\\.read[^}]*${suite}\\\\`, 'g'))].length;
  };

  test('is told by the names of cases, and recorded as a reading of the active revision', async () => {
    const suite = fresh();
    const before = `const limit = 5;
      export default { cases: [
        { name: 'same', input: { a: 1, b: 2 }, expect: { equals: 1 } },
        { name: 'other input', input: 1, expect: { equals: 1 } },
        { name: 'other tags', expect: { equals: 1 } },
        { name: 'gone', expect: { equals: 1 } },
        { name: 'calls', input: 1, expect: (output) => output === limit },
        { name: 'other text', input: 1, expect: (output) => output === 1 },
        { name: 'wire', input: 9, expect: { tripwire: true } },
      ] }`;
    const after = before
      .replace('{ a: 1, b: 2 }', '{ b: 2, a: 1 }')
      .replace("'other input', input: 1", "'other input', input: 2")
      .replace("'other tags',", "'other tags', tags: ['x'],")
      .replace("'gone'", "'new'")
      .replace('limit = 5', 'limit = 6')
      .replace('output === 1 }', 'output === 2 }');
    await author('POST', `/suites/${suite}/revisions?activate=true`, { module: before });
    expect(await check(suite, { module: after }, '?changes=false')).toMatchObject({
      activeRevision: 1,
      changes: null,
    });
    expect(await reads(suite)).toBe(0);
    const { changes } = await check(suite, { module: after });
    expect(changes).toEqual({
      added: ['new'],
      removed: ['gone'],
      changed: ['other input', 'other tags', 'other text'],
      unchanged: 2,
      readAsBefore: 1,
      limits: false,
      references: false,
    });
    expect(await reads(suite)).toBe(1);
    const same = await check(suite, { module: before, limits: { caseMs: 500 } });
    expect(same.changes).toMatchObject({
      added: [],
      removed: [],
      changed: [],
      unchanged: 7,
      readAsBefore: 0,
      limits: true,
    });
  });

  test('is nothing where no revision is active, or something is wrong', async () => {
    const suite = fresh();
    const source = { cases: [{ name: 'a', expect: { equals: 1 } }] };
    await author('POST', `/suites/${suite}/revisions`, source);
    expect(await check(suite, source)).toMatchObject({ activeRevision: null, changes: null, findings: [] });
  });

  test('counts a predicate whose text cannot be had as changed', () => {
    const key = new Uint8Array(32);
    const testCase = { name: 'p', input: '1', expect: { predicate: true as const }, tags: [] };
    const limits = { caseMs: 1, scoreMs: 1, isolateMb: 1, hostMb: 1, outputBytes: 1 };
    const contents = (script: string) => ({ suite: 's', cases: [testCase], limits, references: [], script });
    const compared = compareContents(
      key,
      { contents: contents('a'), predicates: undefined },
      { contents: contents('b'), predicates: ['() => 1'] },
    );
    expect(compared).toMatchObject({ changed: ['p'], unchanged: 0, readAsBefore: 0 });
    expect(caseDigest(key, testCase)).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('holdback suite check', () => {
  const module = `import { defineSuite } from 'holdback';
export default defineSuite<number, number>({
  name: 'checked',
  cases: [
    { name: 'fine', input: 1, expect: { equals: 1 } },
    {
      name: 'all',
      input: 1,
      expect: () => true,
    },
  ],
});`;

  test('tells file, line and column of everything, in JSON, YAML and modules', async () => {
    await write(
      'odd.json',
      '{\n  "cases": [\n    { "name": "a", "input": 1, "input": 2, "expect": { "equals": 1 } }\n  ]\n}',
    );
    await write(
      'odd.yaml',
      'limit: {}\ncases:\n  - name: a\n    input: .inf\n    expect: {toBe: 1}\n  - name: a\n    expect: !odd {equals: 1}\n',
    );
    await write(
      'many.yml',
      'cases:\n  - name: a\n    expect: {toBe: 1}\n  - name: a\n    expect: {equals: 9007199254740993}\n',
    );
    await write('cut.json', '{"cases": [\n');
    await write('all.suite.ts', module);
    await write('broken.ts', 'export default [\n  { name: "a" ]');
    const files = ['odd.json', 'odd.yaml', 'many.yml', 'cut.json', 'all.suite.ts', 'broken.ts'];
    const { code, out } = await holdback(['suite', 'check', ...files]);
    expect(out.trimEnd().split('\n')).toEqual([
      'odd.json:3:32: the key "input" is given twice: keep one of the two',
      expect.stringMatching(/^odd\.yaml:1:1: limit: is not a known field: did you mean limits\?$/),
      expect.stringMatching(/^odd\.yaml:4:12: input: JSON does not keep this number .*Infinity/),
      expect.stringMatching(
        /^odd\.yaml:5:14: expect\.toBe: .* \(in case "a"\): did you mean strictEquals\?$/,
      ),
      expect.stringMatching(/^odd\.yaml:6:5: name: two cases are called "a"/),
      expect.stringMatching(/^odd\.yaml:7:13: it is not YAML: Unresolved tag: !odd/),
      expect.stringMatching(/^many\.yml:3:14: expect\.toBe: /),
      expect.stringMatching(/^many\.yml:4:5: name: two cases are called "a"/),
      expect.stringMatching(
        /^many\.yml:5:22: expect\.equals: JavaScript reads this number as 9007199254740992 .*\$bigint/,
      ),
      expect.stringMatching(/^cut\.json:2:1: it is not JSON: /),
      expect.stringMatching(
        /^all\.suite\.ts:7:13: its predicate accepts whatever is returned \(in case "all"\): let it/,
      ),
      expect.stringMatching(/^broken\.ts:2:15: cannot be bundled: /),
    ]);
    expect(code).toBe(2);
    const json = await holdback(['suite', 'check', 'all.suite.ts', '--json']);
    expect(JSON.parse(json.out)).toMatchObject({
      sound: false,
      files: [
        {
          file: 'all.suite.ts',
          caseCount: 2,
          complete: true,
          findings: { told: [{ case: 'all', place: { line: 7, column: 13 } }] },
        },
      ],
    });
  });

  test('says what it did not look at, offline or without a token, and fails with a service that does not answer', async () => {
    await write('all.suite.ts', module);
    const [offline, unknown, away] = await Promise.all([
      holdback(['suite', 'check', 'all.suite.ts', '--offline']),
      holdback(['suite', 'check', 'all.suite.ts'], { HOLDBACK_TOKEN: '' }),
      holdback(['suite', 'check', 'all.suite.ts'], { HOLDBACK_URL: 'http://127.0.0.1:9' }),
    ]);
    for (const one of [offline, unknown]) {
      expect(one).toMatchObject({ code: 0, out: 'all.suite.ts: a module that bundles\n' });
      expect(one.err).toContain('the cases of modules');
    }
    expect(away.code).toBe(3);
  });

  test('keeps YAML within what JSON can say', () => {
    expect(readSuiteText('a: &x\n  b: *x\n', 'yaml').wrong).toHaveLength(1);
    expect(readSuiteText('a: 1\n---\nb: 2\n', 'yaml').wrong).toHaveLength(1);
    const bomb = `a: &a [1,1,1,1,1,1,1,1,1,1]\n${'bcdefghi'.replace(/./g, (key) => `${key}: &${key} [${Array(10).fill(`*${String.fromCharCode(key.charCodeAt(0) - 1)}`)}]\n`)}`;
    expect(readSuiteText(bomb, 'yaml').wrong).toMatchObject([{ detail: expect.stringContaining('alias') }]);
    expect(readSuiteText('{"a": {"__proto__": [1]}, }', 'json').wrong).toHaveLength(1);
    const odd = readSuiteText('{"\\ud800": {"__proto__": [1]}}', 'json');
    expect([odd.wrong, JSON.stringify(odd.value)]).toEqual([[], '{"\\ud800":{"__proto__":[1]}}']);
    expect(readSuiteText('['.repeat(100_000), 'json').wrong).toHaveLength(1);
  });

  test.each([
    ['expected', 'expect'],
    ['exepct', 'expect'],
    ['nmae', 'name'],
    ['inptu', 'input'],
    ['args', 'input'],
    ['output', 'expect'],
    ['constructor', undefined],
    ['id', undefined],
  ])('takes %s for %s', (word, meant) => {
    expect(nearest(word, ['name', 'input', 'expect', 'tags'])).toBe(meant);
  });
});

describe('holdback suite push', () => {
  const source = (name: string, equals: number) =>
    `export default { name: '${name}', cases: [{ name: 'one', input: 1, expect: { equals: ${equals} } }] }`;

  test("takes the file's own name, shows what changes, and wants --yes where a revision is active and nobody can be asked", async () => {
    const suite = fresh();
    // The name of the file suggests another suite than the file itself names.
    await write('elsewhere.suite.mjs', source(suite, 1));
    const first = await holdback(['suite', 'push', 'elsewhere.suite.mjs', '--activate']);
    expect(first, first.err).toMatchObject({
      code: 0,
      out: expect.stringContaining(`suite ${suite}, revision 1: 1 case, active`),
    });
    await write('elsewhere.suite.mjs', source(suite, 2));
    for (const flags of [[], ['--json']]) {
      const refused = await holdback(['suite', 'push', 'elsewhere.suite.mjs', ...flags]);
      expect(refused).toMatchObject({
        code: 2,
        err: expect.stringContaining(`suite push ${suite} elsewhere.suite.mjs --yes`),
      });
      if (flags.length === 0)
        expect(refused.out).toContain('  ~ one\n0 added, 0 removed, 1 changed, 0 as before\n');
      else expect(JSON.parse(refused.out)).toMatchObject({ error: { code: 'usage' } });
    }
    expect((await author('GET', `/suites/${suite}`)).json).toMatchObject({ revisions: [{ revision: 1 }] });
    const pushed = await holdback(['suite', 'push', 'elsewhere.suite.mjs', '--yes', '--json']);
    expect(JSON.parse(pushed.out)).toMatchObject({
      suite,
      revision: 2,
      state: 'draft',
      changes: { changed: ['one'] },
    });
    expect((await author('GET', '/suites/elsewhere')).status).toBe(404);
  });

  test('refuses another name than the file’s own, and a file without a name', async () => {
    await write('named.json', '{"name": "named", "cases": [{"name": "a", "expect": {"equals": 1}}]}');
    await write('unnamed.json', '{"cases": [{"name": "a", "expect": {"equals": 1}}]}');
    await write('unnamed.mjs', 'export default [{ name: "a", expect: { equals: 1 } }]');
    const [other, sealed, json, module, all] = await Promise.all([
      holdback(['suite', 'push', 'other', 'named.json']),
      holdback(['suite', 'seal', 'named.json', '--suite', 'other']),
      holdback(['suite', 'push', 'unnamed.json']),
      holdback(['suite', 'push', 'unnamed.mjs']),
      holdback(['suite', 'push', 'named.json']),
    ]);
    expect(other).toMatchObject({
      code: 2,
      err: expect.stringContaining('named.json:1:2: name: the suite calls itself "named"'),
    });
    expect(sealed).toMatchObject({ code: 2, err: expect.stringContaining('calls itself named') });
    for (const one of [json, module])
      expect(one).toMatchObject({ code: 2, err: expect.stringContaining('suite push NAME') });
    expect(all.code).toBe(0);
  });

  test('asks a person, and takes nothing but yes for it', async () => {
    const asked = async (answer: string) => {
      const [input, output] = [new PassThrough(), new PassThrough()];
      const answering = confirm('Push this?', { input, output });
      input.end(answer);
      return answering;
    };
    expect(await Promise.all(['y\n', 'YES\n', 'n\n', '\n', 'yo\n', ''].map(asked))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    const terminal = Object.assign(new PassThrough(), { isTTY: true });
    expect(isAttended({ input: terminal, output: terminal })).toBe(true);
    expect(isAttended({ input: new PassThrough(), output: terminal })).toBe(false);
  });
});

describe('docs/writing-cases.md', () => {
  const blocks = [...docs.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(
    ([, language, file, text]) => ({ language, file, text: text ?? '' }),
  );

  test('shows suites that are sealed as they stand, and block what they should', async () => {
    for (const { file, text } of blocks) if (file !== undefined) await write(file, text);
    const commands = blocks
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text.trim().split('\n'))
      .map((line) =>
        [...line.replace(/ +#.*/, '').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
          ([, single, double, bare]) => single ?? double ?? bare ?? '',
        ),
      );
    /** Ids are made by the service: in the page stands ID. */
    const incident = async () => {
      const { json } = await world.admin('GET', '/incidents?limit=1');
      return Object(json).incidents[0].id;
    };
    for (const [npx, name, ...flags] of commands) {
      expect([npx, name]).toEqual(['npx', 'holdback']);
      const id = flags.includes('ID') ? await incident() : '';
      const ended = await holdback(flags.map((flag) => (flag === 'ID' ? id : flag)));
      expect(ended, ended.err).toMatchObject({ code: 0 });
    }
    await world.admin('PUT', '/gates/prices', { suites: ['prices'] });
    const carts = await holdback(['suite', 'push', 'carts.suite.ts', '--activate']);
    expect(carts, carts.err).toMatchObject({ code: 0 });
    await world.admin('PUT', '/gates/carts', { suites: ['carts'] });
    const verdicts = async (change: string, gate = 'prices', files = ['price.js', 'wrong.js']) => {
      const scored = files.map(async (file) => {
        const text = await readFile(join(folder, file), 'utf8');
        const { json } = await author('POST', '/score', scoreRequest(gate, text, `${change} ${file}`));
        return Reflect.get(Object(json), 'verdict');
      });
      return Promise.all(scored);
    };
    expect(await verdicts('carts', 'carts', ['cart.js', 'cart-wrong.js'])).toEqual(['merge', 'block']);
    expect(await verdicts('code')).toEqual(['merge', 'block']);
    expect(await verdicts('escaped', 'shop', ['overflow.js'])).toEqual(['block']);
    for (const file of ['prices.suite.yaml', 'prices.suite.json']) {
      const pushed = await holdback(['suite', 'push', file, '--activate', '--yes']);
      expect(pushed, pushed.err).toMatchObject({ code: 0 });
      expect(await verdicts(file)).toEqual(['merge', file.endsWith('yaml') ? 'block' : 'merge']);
    }
  });

  test('shows every kind of expectation', () => {
    const kinds = [...docs.matchAll(/^\| `\{ (\w+):/gm)].map(([, kind]) => kind);
    expect(kinds.sort()).toEqual([
      'closeTo',
      'equals',
      'matches',
      'oneOf',
      'schema',
      'strictEquals',
      'throws',
      'tripwire',
    ]);
  });
});
