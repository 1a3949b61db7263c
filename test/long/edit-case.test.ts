/** One case at a time: checked while it is written, tried on builds, and put into a revision, while nothing of anybody's is lost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { caseAsText } from '../../suites/authoring/case-as-text.ts';
import { openedCaseSchema, sealedCaseSchema } from '../../suites/case.ts';
import { type Client, type Reply, startWorld, type World } from '../world.ts';

const right = 'export const run = (x) => (typeof x === "number" ? x * 2 : x)';
const wrong = 'export const run = (x) => (x > 2 ? 0 : x * 2)';
const references = [
  { name: 'right', build: right, verdict: 'merge' },
  { name: 'small numbers only', build: wrong, verdict: 'block' },
];
const cases = [
  { name: 'one', input: 1, expect: { equals: 2 }, tags: ['numbers'] },
  { name: 'four', input: 4, expect: { equals: 8 } },
];

let world: World;
let author: Client;
let lead: Client;
let suites = 0;
/** A suite of which nobody makes another revision. */
let shared: string;

beforeAll(async () => {
  // That right builds pass every time is not what is asked here.
  world = await startWorld({ HOLDBACK_PREFLIGHT_ROUNDS: '1' });
  [author, lead] = await Promise.all([world.as('author'), world.as('lead')]);
  shared = await suite();
});
afterAll(() => world.close());

/** A suite of its own with an active revision. */
async function suite(source: object = { cases, references }): Promise<string> {
  const name = `doubling-${suites++}`;
  const pushed = await author('POST', `/suites/${name}/revisions?activate=true`, source);
  expect(pushed.status, pushed.text).toBe(201);
  return name;
}

const yaml = (text: string, more: object = {}) => ({ text, form: 'yaml', ...more });
const of = ({ json }: Reply, key: string): unknown => Reflect.get(Object(json), key);

async function contentsOf(name: string, revision: number): Promise<unknown> {
  return of(await author('GET', `/suites/${name}/revisions/${revision}`), 'contents');
}

describe('checking a case', () => {
  test('finds nothing in a case that a revision can be made with', async () => {
    const name = shared;
    const checked = await author(
      'POST',
      `/suites/${name}/cases/check`,
      yaml('name: x\ninput: 3\nexpect: {equals: 6}'),
    );
    expect(checked.json, checked.text).toEqual({ findings: [], more: 0 });
  });

  test.each([
    [
      'a word that is none',
      'name: x\ninput: 3\nexpect:\n  equal: 6',
      { line: 4, column: 3 },
      /did you mean equals/,
    ],
    ['what is no YAML', 'name: x\ninput: [3', { line: 2, column: 10 }, /it is not YAML/],
    [
      'a key that is given twice',
      'name: x\nname: y\ninput: 3\nexpect: {equals: 6}',
      { line: 2, column: 1 },
      /twice/,
    ],
    [
      'a pattern that is none',
      'name: x\ninput: 3\nexpect: {throws: {message: "("}}',
      { line: 1, column: 1 },
      /./,
    ],
    [
      'a name that is taken',
      'input: 3\nname: one\nexpect: {equals: 6}',
      { line: 2, column: 1 },
      /two cases are called/,
    ],
    [
      'what the suite asks already',
      'name: x\ninput: 1\nexpect: {equals: 2}',
      { line: 1, column: 1 },
      /asks this already, as case .*one/,
    ],
    [
      'a reference that is not there',
      'name: x\ninput: 1\nsameAs: rihgt',
      { line: 3, column: 1 },
      /did you mean right/,
    ],
    ['no case at all', '', null, /the case must be an object/],
  ])('tells %s, with its line and column', async (_, text, place, words) => {
    const name = shared;
    const checked = await author('POST', `/suites/${name}/cases/check`, yaml(text));
    expect(checked.status, checked.text).toBe(200);
    expect(of(checked, 'findings')).toEqual([expect.objectContaining({ place })]);
    expect(checked.text).toMatch(words);
  });

  test('a case may keep what it asks, and its name, where it takes its own place', async () => {
    const name = shared;
    const text = 'name: one\ninput: 1\nexpect: {equals: 2}\ntags: [small]';
    const checked = await author('POST', `/suites/${name}/cases/check`, yaml(text, { replaces: 'one' }));
    expect(checked.json).toEqual({ findings: [], more: 0 });
  });
});

describe('a dry run', () => {
  test('shows what each reference makes of the case, and stores nothing but that it was asked for', async () => {
    const name = shared;
    const before = await author('GET', `/suites/${name}`);
    const ran = await author(
      'POST',
      `/suites/${name}/cases/dry-run`,
      yaml('name: x\ninput: 5\nexpect: {equals: 10}'),
    );
    expect(ran.json, ran.text).toMatchObject({
      suite: name,
      revision: 1,
      findings: [],
      runs: [
        { reference: 'right', verdict: 'merge', outcome: 'returned', passed: true, message: '' },
        { reference: 'small numbers only', verdict: 'block', outcome: 'returned', passed: false },
      ],
    });
    expect((await author('GET', `/suites/${name}`)).text).toBe(before.text);
    const audit = await world.admin('GET', '/audit?limit=1000');
    expect(audit.text).toContain(String.raw`"case.dry_run\",\"about\":{\"suite\":\"${name}\"`);
    expect(audit.text).not.toContain('small numbers');
  });

  test('is on one reference, or on a build that comes along', async () => {
    const name = shared;
    const text = 'name: x\ninput: 5\nexpect: {equals: 10}';
    const path = `/suites/${name}/cases/dry-run`;
    expect((await author('POST', path, yaml(text, { reference: 'right' }))).json).toMatchObject({
      runs: [{ reference: 'right', passed: true }],
    });
    expect(
      (await author('POST', path, yaml(text, { build: 'export const run = () => 9' }))).json,
    ).toMatchObject({
      runs: [{ reference: null, verdict: null, outcome: 'returned', passed: false }],
    });
    expect((await author('POST', path, yaml(text, { build: 'export const run = ' }))).json).toMatchObject({
      runs: [{ outcome: 'crashed', passed: false, message: expect.stringContaining('does not compile') }],
    });
    expect((await author('POST', path, yaml(text, { reference: 'left' }))).json).toMatchObject({
      code: 'reference_not_found',
    });
  });

  test('compares with references, and runs scenarios, as a score does', async () => {
    const name = shared;
    const path = `/suites/${name}/cases/dry-run`;
    expect((await author('POST', path, yaml('name: x\ninput: 7\nsameAs: right'))).json).toMatchObject({
      runs: [{ passed: true }, { passed: false, message: expect.stringContaining('unlike reference right') }],
    });
    const steps = 'name: x\nsteps:\n  - input: 1\n  - input: 7\n    expect: {equals: 14}';
    expect((await author('POST', path, yaml(steps))).json).toMatchObject({
      runs: [{ passed: true }, { passed: false }],
    });
  });

  test('runs nothing while something is wrong with the case', async () => {
    const name = shared;
    const ran = await author('POST', `/suites/${name}/cases/dry-run`, yaml('name: x\ninput: 5\nexpct: 3'));
    expect(ran.json).toMatchObject({
      findings: [{ path: ['expect'] }, { path: ['expct'], place: { line: 3 } }],
      runs: [],
    });
  });
});

describe('saving a case', () => {
  test('adds it, or puts it in the place of another, as a draft; the others stay as they were', async () => {
    const name = await suite();
    const added = await author('POST', `/suites/${name}/cases`, {
      ...yaml('name: five\ninput: 5\nexpect: {equals: 10}'),
      revision: 1,
      newest: 1,
    });
    expect(added.json, added.text).toMatchObject({ revision: 2, state: 'draft', cases: 3 });
    const replaced = await author('POST', `/suites/${name}/cases`, {
      text: JSON.stringify({ name: 'uno', input: 1, expect: { equals: 2 } }),
      form: 'json',
      replaces: 'one',
      revision: 2,
      newest: 2,
    });
    expect(replaced.json, replaced.text).toMatchObject({ revision: 3, state: 'draft', cases: 3 });
    expect(await contentsOf(name, 3)).toEqual([
      { name: 'uno', input: 1, expect: { equals: 2 }, tags: [] },
      { ...cases[1], tags: [] },
      { name: 'five', input: 5, expect: { equals: 10 }, tags: [] },
    ]);
  });

  test('activates it too, unless something speaks against it', async () => {
    const name = await suite();
    const path = `/suites/${name}/cases?activate=true`;
    const good = await author('POST', path, {
      ...yaml('name: six\ninput: 6\nexpect: {equals: 12}'),
      revision: 1,
    });
    expect(good.json, good.text).toMatchObject({ revision: 2, state: 'active' });
    const bad = await author('POST', path, {
      ...yaml('name: bad\ninput: 6\nexpect: {equals: 13}'),
      revision: 2,
    });
    expect(bad.json, bad.text).toMatchObject({
      status: 409,
      code: 'activation_refused',
      revision: 3,
      refusals: [{ code: 'preflight_failed' }],
    });
  });

  test('is refused where another revision was made meanwhile, and then nothing is stored', async () => {
    const name = await suite();
    const text = (called: string, input: number) =>
      `name: ${called}\ninput: ${input}\nexpect: {equals: ${input * 2}}`;
    const mine = { ...yaml(text('mine', 10)), revision: 1, newest: 1 };
    const theirs = { ...yaml(text('theirs', 20)), revision: 1, newest: 1 };
    const both = await Promise.all([
      author('POST', `/suites/${name}/cases`, mine),
      author('POST', `/suites/${name}/cases`, theirs),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([201, 409]);
    const refused = both.find(({ status }) => status === 409);
    expect(refused?.json).toMatchObject({ code: 'revision_overtaken' });
    expect(refused?.text).toContain('revision 2');
    const retired = await author('POST', `/suites/${name}/retirements`, {
      cases: ['one'],
      from: 1,
      newest: 1,
    });
    expect(retired.json).toMatchObject({ code: 'revision_overtaken' });
    expect(of(await author('GET', `/suites/${name}`), 'revisions')).toHaveLength(2);
  });

  test('says what is wrong, and by which line', async () => {
    const name = await suite();
    const saved = await author('POST', `/suites/${name}/cases`, {
      ...yaml('name: x\ninput: 1\nexpect: {equal: 2}'),
      revision: 1,
    });
    expect(saved.json).toMatchObject({ status: 422, code: 'suite_invalid' });
    expect(saved.text).toContain('line 3, column 10: expect.equal');
  });

  test('leaves to the file of a suite what functions of its module belong to, and keeps these with their cases', async () => {
    const module = `export default { cases: [
      { name: 'doubles', input: 3, expect: (output) => output === 6 },
      { name: 'plain', input: 4, expect: { equals: 8 } },
      { name: 'halves back', input: 5, expect: (output) => output / 2 === 5 },
    ] }`;
    const name = await suite({ module, references });
    const path = `/suites/${name}/cases`;
    const code = await author('POST', path, {
      ...yaml('name: doubles\ninput: 3\nexpect: {equals: 6}'),
      replaces: 'doubles',
      revision: 1,
    });
    expect(code.json).toMatchObject({ code: 'suite_invalid' });
    expect(code.text).toContain('holdback suite push');
    const plain = await author('POST', `${path}?activate=true`, {
      ...yaml('name: plainer\ninput: 40\nexpect: {equals: 80}'),
      replaces: 'plain',
      revision: 1,
    });
    expect(plain.json, plain.text).toMatchObject({ state: 'active', cases: 3 });
  });

  test('is for authors of the suite alone', async () => {
    const name = shared;
    const elsewhere = await world.as('author', undefined, { suites: ['another'] });
    for (const path of ['cases', 'cases/check', 'cases/dry-run']) {
      const body = { ...yaml('name: x'), ...(path === 'cases' ? { revision: 1 } : {}) };
      expect((await lead('POST', `/suites/${name}/${path}`, body)).json).toMatchObject({
        code: 'role_forbidden',
      });
      expect((await elsewhere('POST', `/suites/${name}/${path}`, body)).json).toMatchObject({
        code: 'suite_forbidden',
      });
    }
  });
});

describe('a case as a text', () => {
  const texts = [
    'plain',
    'a\u2028b',
    '\ud800',
    'a\r\nb',
    '  x \n y',
    '012',
    'no',
    '- a',
    '\ufeff',
    '\u0000',
    '\u202e',
    '#',
    "'",
    '<script>',
  ];
  test('is read again as the very same, whatever is in it', async () => {
    const odd = texts.map((text) => ({
      name: text,
      input: { [text]: [text] },
      expect: { matches: { [text]: [text] } },
    }));
    const name = await suite({ cases: odd });
    const before = z.array(openedCaseSchema).parse(await contentsOf(name, 1));
    for (const [index, { input, ...rest }] of before.entries()) {
      const written = caseAsText(sealedCaseSchema.parse({ ...rest, input: JSON.stringify(input) }));
      expect(written.text).toMatch(/^[\n\t\P{C}]*$/u);
      const replaces = texts[index];
      const saved = await author('POST', `/suites/${name}/cases`, {
        ...written,
        replaces,
        revision: index + 1,
      });
      expect(saved.status, saved.text).toBe(201);
    }
    expect(await contentsOf(name, 1 + texts.length)).toEqual(before);
  });
});
