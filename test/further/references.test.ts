/** Builds that a suite holds: how they are written, what is refused, and that they come back as they were. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Ended, runCommand } from '../command.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { adminToken, startWorld, type World } from '../world.ts';

let world: World;
let folder: string;

const cases = [{ name: 'twice two', input: 2, expect: { equals: 4 } }];
const right = 'export const run = (n) => n * 2;';
const wrong = 'export const run = (n) => n + 3;';
const held = [
  { name: 'right', build: right, verdict: 'merge' },
  { name: 'wrong', build: wrong, verdict: 'block' },
];

beforeAll(async () => {
  [world, folder] = await Promise.all([startWorld({ HOLDBACK_POOL: '1' }), temporaryFolder()]);
  await Promise.all([
    write('helper.ts', 'export const twice = (n: number): number => n * 2;'),
    write('right.ts', "import { twice } from './helper.ts';\nexport const run = (n: number) => twice(n);"),
    write('wrong.ts', 'export const run = (n: number) => n + 3;'),
    write('broken.ts', 'export const run = (n: number) => ;'),
  ]);
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

function write(name: string, text: string): Promise<void> {
  return writeFile(join(folder, name), text);
}

function holdback(...flags: string[]): Promise<Ended> {
  const environment = { HOLDBACK_URL: world.service.address, HOLDBACK_TOKEN: adminToken };
  return runCommand(flags, environment, { cwd: folder });
}

const openedSchema = z.object({
  contents: z.array(z.looseObject({ name: z.string() })),
  references: z.array(z.object({ name: z.string(), build: z.string(), verdict: z.string() })),
});

async function read(suite: string, revision = 1) {
  const reply = await world.admin('GET', `/suites/${suite}/revisions/${revision}`);
  return openedSchema.parse(reply.json);
}

describe('references of a suite', () => {
  test('are sealed with it, read back by an author alone, and what is read back can be pushed again', async () => {
    const pushed = await world.admin('POST', '/suites/kept/revisions', { cases, references: held });
    expect(pushed.status, pushed.text).toBe(201);
    const { contents, references } = await read('kept');
    expect(references).toEqual(held);
    const again = await world.admin('POST', '/suites/kept/revisions', { cases: contents, references });
    expect(again.json).toMatchObject({ revision: 2, digest: Reflect.get(Object(pushed.json), 'digest') });
    const lead = await world.as('lead');
    const seen = await lead('GET', '/suites/kept/revisions/1');
    expect(seen.text).not.toContain('n * 2');
  });

  test.each([
    ['two of one name', [held[0], held[0]], 'two references are called \\"right\\"'],
    ['an unknown verdict', [{ ...held[0], verdict: 'green' }], 'must be \\"merge\\" or \\"block\\"'],
    ['a file, which the service does not know', [{ name: 'a', file: './a.ts', verdict: 'merge' }], 'file'],
    ['an empty build', [{ ...held[0], build: '' }], 'build'],
    ['too many', Array.from({ length: 21 }, (_, n) => ({ ...held[0], name: `${n}` })), 'at most 20'],
  ])('are refused: %s', async (_what, references, told) => {
    const reply = await world.admin('POST', '/suites/refused/revisions', { cases, references });
    expect([400, 422]).toContain(reply.status);
    expect(reply.text).toContain(told);
  });

  test.each([
    ['does not compile', { build: 'export const run = (' }, {}, 'references.0.build: it does not compile'],
    ['exports nothing', { build: 'export const go = 1;' }, {}, 'exports no function named run'],
    ['lacks what a case calls', {}, { call: 'add' }, 'exports no function named add'],
    ['throws while it loads', { build: 'throw new Error("at once");' }, {}, 'threw while it loaded'],
  ])(
    'are tried when the suite is checked: one that %s is found',
    async (_what, reference, testCase, told) => {
      const source = { cases: [{ ...cases[0], ...testCase }], references: [{ ...held[0], ...reference }] };
      const reply = await world.admin('POST', '/suites/tried/revisions', source);
      expect(reply.status).toBe(422);
      expect(reply.text).toContain(told);
    },
  );

  test.each([
    ['an unknown name', { sameAs: 'rihgt' }, held, 'there is no reference \\"rihgt\\" (did you mean right?)'],
    ['one that is wrong', { sameAs: 'wrong' }, held, 'reference \\"wrong\\" is not known to be right'],
    ['a time without a reference', { within: 3 }, [held[1]], 'there is no reference whose time'],
    ['a budget that chance would decide', { within: 1.1 }, held, 'must be at least 2'],
    ['nothing that is required', { expect: undefined, within: 3 }, held, 'expect: is missing'],
    ['http, where outputs are compared', { sameAs: 'right', http: [] }, held, 'is for a case without http'],
  ])('are what cases are compared with: %s is refused', async (_what, testCase, references, told) => {
    const reply = await world.admin('POST', '/suites/uncompared/revisions', {
      cases: [{ ...cases[0], ...testCase }],
      references,
    });
    expect([400, 422]).toContain(reply.status);
    expect(reply.text).toContain(told);
  });

  test('may be held by a module, and a change of them is shown before a push', async () => {
    const text = (references: unknown) =>
      `export default { references: ${JSON.stringify(references)}, cases: ${JSON.stringify(cases)} }`;
    const first = await world.admin('POST', '/suites/module/revisions?activate=true', { module: text(held) });
    expect(first.status, first.text).toBe(201);
    expect((await read('module')).references).toEqual(held);
    const check = await world.admin('POST', '/suites/module/check', { module: text([held[0]]) });
    expect(check.json).toMatchObject({ changes: { unchanged: 1, references: true, limits: false } });
  });
});

describe('the command', () => {
  const suite = (file: string) => `import { defineSuite } from 'holdback';
    import build from 'build:./${file}';
    export default defineSuite<number, number>({
      references: [{ name: 'right', build, verdict: 'merge' }],
      cases: ${JSON.stringify(cases)},
    });`;

  test("bundles a module's build: imports as the entry of a candidate, and tells where one does not bundle", async () => {
    await write('sound.suite.ts', suite('right.ts'));
    const pushed = await holdback('suite', 'push', 'sound', 'sound.suite.ts');
    expect(pushed.code, pushed.err).toBe(0);
    const [reference] = (await read('sound')).references;
    expect(reference?.build).toContain('n * 2');
    expect(reference?.build).not.toContain(folder);
    await write('broken.suite.ts', suite('broken.ts'));
    const broken = await holdback('suite', 'check', '--offline', 'broken.suite.ts');
    expect(broken.code).toBe(2);
    expect(broken.out).toContain('broken.ts:1:35: cannot be bundled');
  });

  test.each(['yaml', 'json'])(
    'bundles what a %s file names by file, and keeps all else as written',
    async (form) => {
      const references = [
        { name: 'right', file: './right.ts', verdict: 'merge' },
        { name: 'wrong', build: wrong, verdict: 'block' },
      ];
      const source = { references, cases: [{ name: 'one', input: 1, expect: { equals: 2 } }] };
      // JSON is YAML.
      await write(`of-${form}.${form}`, JSON.stringify(source).replace('"input":1', '"input":10e-1'));
      const pushed = await holdback('suite', 'push', `of-${form}`, `of-${form}.${form}`);
      expect(pushed.code, pushed.err).toBe(0);
      const { references: sealed, contents } = await read(`of-${form}`);
      expect(sealed[0]?.build).toContain('n * 2');
      expect(sealed[1]?.build).toBe(wrong);
      expect(contents).toMatchObject([{ name: 'one', input: 1 }]);
    },
  );

  test('tells by line which file of a reference cannot be had', async () => {
    await write(
      'lines.yaml',
      [
        'references:',
        '  - { name: a, file: ./nowhere.ts, verdict: merge }',
        'cases: [{ name: a, expect: { equals: 1 } }]',
      ].join('\n'),
    );
    const checked = await holdback('suite', 'check', '--offline', 'lines.yaml');
    expect(checked.code).toBe(2);
    expect(checked.out).toContain('lines.yaml:2:16: references.0.file: ');
    expect(checked.out).toContain('there is no such file');
  });
});
