/**
 * Leaks: a sealed case that turns up somewhere is found however it is spelled, what is no case is not, and whoever is told
 * where learns nothing of what it says. The service and the command are real.
 */
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify as yaml } from 'yaml';
import { z } from 'zod';
import { createToken } from '../../server/tokens.ts';
import { fingerprintSuite } from '../../suites/leaks/fingerprints.ts';
import { leaksSchema } from '../../suites/leaks/leaks.ts';
import { scanText } from '../../suites/leaks/scan-text.ts';
import { type SuiteContents, suiteContentsSchema } from '../../suites/suite.ts';
import { type Ended, runCommand, runCommandProcess } from '../command.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { adminToken, type Client, type Reply, startWorld, type World } from '../world.ts';

const seed = 20_031;

function contentsOf(cases: { input: unknown; expect: object }[]): SuiteContents {
  return suiteContentsSchema.parse({
    suite: 'any',
    cases: cases.map(({ input, expect: expected }, index) => ({
      name: `${index}`,
      input: JSON.stringify(input),
      expect: expected,
      tags: [],
    })),
    limits: {},
  });
}

/** A string as a JavaScript literal in single quotes. */
function quoted(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** A value as a person or a formatter writes it in JavaScript. */
function literal(value: unknown, indent = ''): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return String(value);
  const deeper = `${indent}  `;
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  const entries = Array.isArray(value)
    ? value.map((part) => literal(part, deeper))
    : Object.entries(value).map(
        ([key, part]) => `${/^[a-z]\w*$/i.test(key) ? key : quoted(key)}: ${literal(part, deeper)}`,
      );
  return `${open}\n${entries.map((entry) => `${deeper}${entry},\n`).join('')}${indent}${close}`;
}

const eachLine = (text: string, prefix: (index: number) => string) =>
  text
    .split('\n')
    .map((line, index) => `${prefix(index)}${line}`)
    .join('\n');

/** The ways in which a value is spelled that must not hide it. */
const spellings: Record<string, (value: unknown) => string> = {
  'in JSON': (value) => JSON.stringify(value),
  'in JSON on many lines': (value) => JSON.stringify(value, null, 2),
  'as a JavaScript literal': (value) => `const order = ${literal(value)};`,
  'as JSON in a string': (value) => `parse(${JSON.stringify(JSON.stringify(value))})`,
  'as JSON in a template': (value) =>
    `parse(\`${JSON.stringify(value, null, '\t').replaceAll('`', '\\`')}\`)`,
  'in YAML': (value) => yaml(value, { lineWidth: 0 }),
  'in a diff': (value) => eachLine(JSON.stringify(value, null, 2), (index) => (index % 7 === 3 ? '-' : '+')),
  'in a comment': (value) => `/**\n${eachLine(literal(value), () => ' * ')}\n */`,
  'in a listing with line numbers': (value) =>
    eachLine(JSON.stringify(value, null, 2), (index) => `${String(index + 95).padStart(6)}\t`),
  'in what grep prints': (value) => eachLine(JSON.stringify(value, null, 2), (index) => `${index + 95}:`),
  'in capitals, with invisible characters': (value) =>
    JSON.stringify(value).toUpperCase().replaceAll('E', 'E\u200b').replaceAll(/\\U/g, '\\u'),
  'in a memory of prose': (value) =>
    `- **Remember**: the hidden test calls run with \`${JSON.stringify(value)}\`, so handle that.`,
  'with Windows lines': (value) => JSON.stringify(value, null, 4).replaceAll('\n', '\r\n'),
};

const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.lorem({ maxCount: 4 }),
);
const number = fc.oneof(
  fc.integer(),
  fc.double({ noDefaultInfinity: true, noNaN: true }).filter((n) => !Object.is(n, -0)),
);
const anInput = fc.record({
  at: fc
    .date({ min: new Date('2000-01-01'), max: new Date('2040-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  customer: fc.record({ id: fc.uuid(), note: text }),
  items: fc.array(fc.record({ sku: fc.uuid(), price: number, tags: fc.array(text, { maxLength: 3 }) }), {
    minLength: 1,
    maxLength: 8,
  }),
  flag: fc.boolean(),
});
const aCase = fc.record({
  input: anInput,
  expect: fc.record({ equals: fc.record({ total: number, reason: text }) }),
});
const around = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.lorem({ mode: 'sentences', maxCount: 30 }),
  fc.json(),
  fc.constant(''),
);

describe('a case that turns up in a text', () => {
  test.each(Object.entries(spellings))('is found %s, wherever it stands', (_how, spell) => {
    fc.assert(
      fc.property(
        fc.array(aCase, { minLength: 1, maxLength: 12 }),
        fc.nat(),
        around,
        around,
        (cases, pick, before, after) => {
          const fingerprints = fingerprintSuite(contentsOf(cases));
          const leaked = spell(cases[pick % cases.length]?.input);
          const { found, findings } = scanText(fingerprints, `${before}\n${leaked}\n${after}`);
          expect(found).toBeGreaterThanOrEqual(1);
          const first = before.split('\n').length + 1;
          expect(findings[0]?.line).toBeGreaterThanOrEqual(first);
          expect(findings[0]?.line).toBeLessThan(first + leaked.split('\n').length);
        },
      ),
      { seed, numRuns: 25 },
    );
  });

  test('is found in escapes with as many zeros as somebody may write, and nobody waits for the end of millions', () => {
    const secret = { customer: 'Thornbury Wainscot GmbH', coupon: 'LANTERN-4471-QUOKKA', cents: 918_273 };
    const fingerprints = fingerprintSuite(contentsOf([{ input: secret, expect: { equals: 1 } }]));
    const escaped = (zeros: number) =>
      Array.from(JSON.stringify(secret), (character) => {
        return `\\u{${'0'.repeat(zeros)}${character.charCodeAt(0).toString(16)}}`;
      }).join('');
    for (const zeros of [0, 1, 15]) expect(scanText(fingerprints, escaped(zeros)).found).toBe(1);
    expect(scanText(fingerprints, escaped(10_000)).found).toBe(0);
  });

  test('is found without a break before it and after it', () => {
    fc.assert(
      fc.property(fc.array(aCase, { minLength: 1, maxLength: 5 }), around, around, (cases, before, after) => {
        const fingerprints = fingerprintSuite(contentsOf(cases));
        expect(
          scanText(fingerprints, `${before}${JSON.stringify(cases[0]?.input)}${after}`).found,
        ).toBeGreaterThan(0);
      }),
      { seed },
    );
  });

  test('is found by its expected values as well, each kind of them', () => {
    const value = { total: 81_277_331, reason: 'not_combinable', codes: ['summer-44', 'welcome-back-7'] };
    const message = 'the code summer-44 cannot be combined with another';
    const kinds: [object, unknown][] = [
      [{ equals: value }, value],
      [{ strictEquals: value }, value],
      [{ matches: value }, value],
      [{ oneOf: [1, value] }, value],
      [{ throws: { name: 'DiscountError', message } }, ['DiscountError', message]],
    ];
    for (const [expected, leaked] of kinds) {
      const fingerprints = fingerprintSuite(contentsOf([{ input: 1, expect: expected }]));
      expect(fingerprints.tooShort).toBe(0);
      expect(scanText(fingerprints, `it says ${literal(leaked)}`).found, JSON.stringify(expected)).toBe(1);
    }
  });

  test('is found by a good part of it, and by a passage of a long one', () => {
    const words = fc.sample(fc.uuid(), { seed, numRuns: 400 });
    const short = contentsOf([{ input: words.slice(0, 10), expect: { equals: 1 } }]);
    const long = contentsOf([{ input: words, expect: { equals: 1 } }]);
    expect(scanText(fingerprintSuite(short), words.slice(0, 7).join('; ')).found).toBe(1);
    expect(scanText(fingerprintSuite(short), words.slice(0, 3).join('; ')).found).toBe(0);
    expect(scanText(fingerprintSuite(long), words.slice(170, 200).join('; ')).found).toBe(1);
  });

  test('is told at each place, on its line, and counted once', () => {
    const words = fc.sample(fc.uuid(), { seed, numRuns: 12 });
    const inputs = [words.slice(0, 4), words.slice(4, 8), words.slice(8, 12)];
    const fingerprints = fingerprintSuite(
      contentsOf(inputs.map((input) => ({ input, expect: { equals: 1 } }))),
    );
    const [a, b, c] = inputs.map((input) => JSON.stringify(input));
    const gap = 'x\n'.repeat(1_000);
    expect(scanText(fingerprints, `\n${a}\n${gap}${a} ${b}\n`)).toEqual({
      findings: [
        { line: 2, cases: 1 },
        { line: 1_003, cases: 2 },
      ],
      found: 2,
    });
    expect(scanText(fingerprints, `${a}${b}${c}`)).toEqual({ findings: [{ line: 1, cases: 3 }], found: 3 });
  });
});

describe('what is no leak', () => {
  test('nothing is found in text that has nothing to do with the suite', () => {
    fc.assert(
      fc.property(
        fc.array(aCase, { minLength: 1, maxLength: 8 }),
        fc.array(around),
        aCase,
        (cases, texts, other) => {
          const fingerprints = fingerprintSuite(contentsOf(cases));
          const scanned = [...texts, JSON.stringify(other.input.items.map(({ sku }) => sku))].join('\n');
          expect(scanText(fingerprints, scanned)).toEqual({ findings: [], found: 0 });
        },
      ),
      { seed },
    );
  });

  test('what many cases share is the suite’s structure, and is not looked for', () => {
    const ids = fc.sample(fc.uuid(), { seed, numRuns: 31 });
    const inputOf = (id = '') => ({
      customer: { id },
      shop: 'the same long name of a shop',
      currency: 'EUR',
      lines: [],
    });
    const fingerprints = fingerprintSuite(
      contentsOf(ids.slice(1).map((id) => ({ input: inputOf(id), expect: { equals: 1 } }))),
    );
    expect(fingerprints.tooShort).toBe(0);
    expect(scanText(fingerprints, JSON.stringify(inputOf(ids[0]))).found).toBe(0);
    expect(scanText(fingerprints, JSON.stringify(inputOf(ids[1]))).found).toBe(1);
  });

  test('cases of too little content are counted, and not looked for', () => {
    const inputs = [1, 'abc', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], { $undefined: true }];
    const fingerprints = fingerprintSuite(
      contentsOf(inputs.map((input) => ({ input, expect: { equals: true } }))),
    );
    expect(fingerprints).toMatchObject({ cases: 4, tooShort: 4 });
    expect(scanText(fingerprints, inputs.map((input) => JSON.stringify(input)).join('\n')).found).toBe(0);
  });
});

const root = fileURLToPath(new URL('../..', import.meta.url));

const reportSchema = z.object({
  findings: z.array(z.object({ path: z.string(), line: z.int(), suite: z.string(), cases: z.int() })),
  files: z.int(),
  complete: z.boolean(),
});

/** What stands for the content of the sealed cases below: each of these words is in one of them. */
const secrets = fc.sample(fc.uuid(), { seed: seed + 1, numRuns: 24 });
const sealed = secrets.slice(0, 20).map((_, index) => ({
  name: `name-${secrets[index]?.slice(0, 13)}`,
  input: { order: secrets[index], lines: [{ sku: `sku-${secrets[index]?.slice(9, 23)}`, quantity: index }] },
  expect: { equals: { receipt: secrets[index]?.toUpperCase(), total: index } },
}));
const tiny = [{ name: 'tiny', input: 1, expect: { equals: 2 } }];
/** A case as a hasty agent notes it. */
const noted = (index: number) => `The gate tries ${literal(sealed[index]?.input)} and wants a receipt.`;

let world: World;
let author: Client;
let folder: string;
let token: string;
let beforeAnySuite: Ended;
/** All that anybody was told in what follows. */
let told = '';

/** Runs `holdback leaks` in the test's folder. */
async function leaks(
  flags: string[],
  options: { input?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const asReader = { HOLDBACK_URL: world.service.address, HOLDBACK_TOKEN: token };
  const environment = { ...asReader, ...options.env };
  const { input } = options;
  const ended = await (input === undefined
    ? runCommand(['leaks', ...flags], environment, { cwd: folder })
    : runCommandProcess(['leaks', ...flags], environment, { cwd: folder, input }));
  told += `${ended.out}${ended.err}`;
  return ended;
}

async function ask(
  client: Client,
  body: string | Uint8Array | undefined,
  query = '',
  type = 'text/plain',
): Promise<Reply> {
  const reply = await client('POST', `/leaks${query}`, body, { 'content-type': type });
  told += `${JSON.stringify([...reply.headers])}${reply.text}`;
  return reply;
}

async function seal(suite: string, cases: object[], activate = true): Promise<void> {
  const reply = await world.admin('POST', `/suites/${suite}/revisions?activate=${activate}`, { cases });
  expect(reply.status, reply.text).toBe(201);
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), content);
}

beforeAll(async () => {
  [world, folder] = await Promise.all([startWorld({ HOLDBACK_POOL: '1' }), temporaryFolder()]);
  author = await world.as('author');
  token = (await createToken(world.service.database.database, { role: 'lead', name: 'a lead' }, 'a test'))
    .token;
  await write('clean/notes.md', 'There is nothing to see here, and there never was.\n');
  beforeAnySuite = await leaks(['clean']);
  await seal('orders', [{ name: 'old', input: secrets[23], expect: { equals: secrets[22] } }]);
  await seal('orders', [...sealed, ...tiny]);
  await seal('short', tiny);
  await seal('draft', sealed, false);
});
afterAll(() => world.close());

describe('POST /leaks', () => {
  const looked = [
    { suite: 'orders', revision: 2, cases: 21, tooShort: 1 },
    { suite: 'short', revision: 1, cases: 1, tooShort: 1 },
  ];

  test('tells authors and leads on which lines cases of active revisions begin, and how many', async () => {
    const days = 'Some other day.\n'.repeat(40);
    const memory = `# Notes\n\n${noted(3)}\n${days}${JSON.stringify([sealed[5], sealed[6]])}`;
    const last = memory.split('\n').length;
    for (const client of [author, await world.as('lead'), world.admin]) {
      for (const type of ['text/plain', 'text/plain; charset=utf-8', 'application/octet-stream']) {
        const reply = await ask(client, memory, '', type);
        expect(reply.status, reply.text).toBe(200);
        expect(leaksSchema.parse(reply.json)).toEqual({
          findings: [
            { suite: 'orders', revision: 2, line: 4, cases: 1 },
            { suite: 'orders', revision: 2, line: last, cases: 2 },
          ],
          looked: [
            { ...looked[0], found: 3 },
            { ...looked[1], found: 0 },
          ],
        });
      }
    }
  });

  test('looks for one suite if that is asked', async () => {
    const [orders, short] = await Promise.all([
      ask(author, noted(1), '?suite=orders'),
      ask(author, noted(1), '?suite=short'),
    ]);
    expect(orders.json).toMatchObject({ findings: [{ line: 2 }], looked: [{ suite: 'orders', found: 1 }] });
    expect(short.json).toEqual({ findings: [], looked: [{ ...looked[1], found: 0 }] });
  });

  test('does not look for what is no longer active, or not yet', async () => {
    const { findings } = leaksSchema.parse((await ask(author, `${secrets[23]} ${secrets[22]}`)).json);
    expect(findings).toEqual([]);
    const draft = await ask(author, noted(1), '?suite=draft');
    expect(draft).toMatchObject({ status: 404, json: { code: 'revision_not_found' } });
    expect(draft.text).toContain('activate one');
  });

  test('is closed to those whose log an agent reads: they could guess at cases with it', async () => {
    for (const role of ['ci', 'harness'] as const) {
      const reply = await ask(await world.as(role), noted(1));
      expect(reply).toMatchObject({ status: 403, json: { code: 'role_forbidden' } });
    }
  });

  test('refuses what it cannot look through, saying what to send', async () => {
    const replies = await Promise.all([
      ask(author, noted(1), '?suite=none'),
      ask(author, ''),
      ask(author, noted(1), '?siute=orders'),
      ask(author, '{}', '', 'application/json'),
      ask(author, new Uint8Array((16 << 20) + 1)),
    ]);
    expect(replies.map(({ status }) => status)).toEqual([404, 400, 400, 415, 413]);
  });

  test('reads bytes that are no text, UTF-16 and the largest body', async () => {
    const noise = Buffer.from(
      fc.sample(fc.uint8Array({ minLength: 2_000, maxLength: 2_000 }), { seed, numRuns: 1 })[0] ?? [],
    );
    const largest = Buffer.alloc(16 << 20, 'lorem ipsum dolor sit amet, ');
    const leaked = Buffer.from(`\n${JSON.stringify(sealed[2]?.input)}\n`);
    largest.set(leaked, largest.length - leaked.length);
    for (const bytes of [
      Buffer.concat([noise, leaked, noise]),
      Buffer.from(`\ufeff${leaked}`, 'utf16le'),
      largest,
    ]) {
      const reply = await ask(author, bytes, '?suite=orders', 'application/octet-stream');
      expect(reply.json).toMatchObject({ looked: [{ found: 1 }] });
    }
  });
});

describe.concurrent('holdback leaks', () => {
  test('ends with 0 where nothing is found, and says what it looked for', async () => {
    const { code, out, err } = await leaks(['clean']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^looked through 1 file: nothing found\n/);
    expect(out).toContain('for suite orders, revision 2: 21 cases, 1 of them too short to be looked for');
  });

  test('ends with 1 where something is found, and tells the file and the line', async () => {
    await write('work/src/deep/table.ts', `export const table = [\n  ${literal(sealed[7]?.input)},\n];\n`);
    await write('work/NOTES.md', `# Memory\n\n${noted(8)}\n`);
    for (let index = 0; index < 50; index++)
      await write(`work/src/${index}.ts`, `export const n = ${index};\n`);
    const [asText, asJson] = await Promise.all([
      leaks(['work']),
      leaks(['work', '--suite', 'orders', '--json']),
    ]);
    expect(asText.code).toBe(1);
    expect(asText.out).toContain('work/NOTES.md:4  suite orders: 1 case\n');
    expect(asText.out).toMatch(/work\/src\/deep\/table\.ts:[34] {2}suite orders: 1 case\n/);
    expect(asText.out).toContain('looked through 52 files: found in 2 of them');
    expect(asJson.code).toBe(1);
    expect(JSON.parse(asJson.out)).toMatchObject({
      findings: [{ path: 'work/NOTES.md', suite: 'orders', revision: 2, line: 4, cases: 1 }, { cases: 1 }],
      looked: [{ suite: 'orders', revision: 2, cases: 21, tooShort: 1 }],
      files: 52,
      complete: true,
    });
  });

  test('reads standard input, as of a diff', async () => {
    const diff = `diff --git a/t.ts b/t.ts\n@@ -1,2 +1,9 @@\n${eachLine(literal(sealed[9]), () => '+')}\n`;
    const found = await leaks(['-'], { input: diff });
    expect(found.code).toBe(1);
    expect(found.out).toMatch(/^-:[4-7] {2}suite orders: 1 case\n/);
    expect((await leaks(['-'], { input: 'nothing of the kind' })).code).toBe(0);
  });

  test('leaves out node_modules and .git, says so, and looks into them with --all', async () => {
    await write('vendored/node_modules/x/index.js', noted(10));
    await write('vendored/.git/COMMIT_EDITMSG', noted(11));
    const [usual, all] = await Promise.all([leaks(['vendored']), leaks(['vendored', '--all'])]);
    expect(usual).toMatchObject({
      code: 0,
      out: expect.stringContaining('2 folders left out (--all looks into them)'),
    });
    expect(all).toMatchObject({ code: 1, out: expect.stringContaining('found in 2 of them') });
  });

  test('finds a case in a file of any size, also where it would be cut in two', async () => {
    const line = `${'lorem ipsum dolor '.repeat(3)}\n`;
    const lines = Math.floor((16 << 20) / line.length);
    await write('large/log.txt', `${line.repeat(lines)}${noted(12)}\n${line.repeat(9_000)}${noted(13)}`);
    const { code, out } = await leaks(['large', '--suite', 'orders', '--json']);
    expect(code).toBe(1);
    const { findings } = reportSchema.parse(JSON.parse(out));
    const height = noted(12).split('\n').length;
    expect(findings.map(({ line: at }) => at)).toEqual([lines + 2, lines + height + 9_000 + 2]);
  });

  test('follows symbolic links, is in no danger from loops, and meets each file once', async () => {
    await write('linked/real/notes.md', noted(14));
    await symlink('..', join(folder, 'linked/real/up'));
    await symlink('real/notes.md', join(folder, 'linked/again.md'));
    await write('elsewhere/notes.md', noted(15));
    await symlink(join(folder, 'elsewhere'), join(folder, 'linked/away'));
    const { code, out } = await leaks(['linked', 'linked/real', '--json']);
    expect(code).toBe(1);
    const { findings, files, complete } = reportSchema.parse(JSON.parse(out));
    expect({ files, complete, paths: findings.map(({ path }) => path) }).toEqual({
      files: 2,
      complete: true,
      paths: ['linked/again.md', 'linked/away/notes.md'],
    });
  });

  test('does not call clean what it could not read', async () => {
    await write('broken/fine.md', 'fine');
    await symlink('round', join(folder, 'broken/round'));
    await symlink('nowhere', join(folder, 'broken/lost'));
    const { code, out, err } = await leaks(['broken']);
    expect(code).toBe(3);
    expect(out).toContain('broken/round  not read: its symbolic links go round in a circle');
    expect(out).toContain('broken/lost  not read: it leads nowhere');
    expect(err).toContain('2 of the files and folders could not be read');
    await write('broken/leaked.md', noted(16));
    const found = await leaks(['broken', '--json']);
    expect(found.code).toBe(1);
    expect(JSON.parse(found.out)).toMatchObject({
      complete: false,
      findings: [{ path: 'broken/leaked.md' }],
    });
  });

  test('does not call clean where there was nothing to look for', async () => {
    expect(beforeAnySuite).toMatchObject({ code: 3, err: expect.stringContaining('no active revision') });
    const short = await leaks(['clean', '--suite', 'short']);
    expect(short).toMatchObject({ code: 3, err: expect.stringContaining('too short') });
  });

  test.each([
    [[], /PATH is missing/],
    [['clean', 'none'], /none cannot be read \(there is no such file or folder\)/],
    [['clean', '--suite', 'draft'], /has no active revision/],
  ])('%j ends with 2 and says what to do', async (flags, message) => {
    const { code, out, err } = await leaks(flags);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
  });

  test('ends with 3 where the service cannot be had', async () => {
    const [away, unknown] = await Promise.all([
      leaks(['clean'], { env: { HOLDBACK_URL: 'http://127.0.0.1:9' } }),
      leaks(['clean'], { env: { HOLDBACK_TOKEN: 'hb_thisTokenIsNotKnownAnywhere0' } }),
    ]);
    expect([away.code, unknown.code]).toEqual([3, 3]);
  });
});

test('nobody is told anything of a case: no word of its input, its expected value or its name', () => {
  expect(told).toContain('suite orders: 1 case');
  const words = secrets.flatMap((secret) => [
    secret,
    ...secret.split('-').filter(({ length }) => length > 4),
  ]);
  for (const word of words) expect(told.toLowerCase().includes(word), word).toBe(false);
});

test('the examples and the corpus hold no case of the examples’ suites, but for the suites themselves', async () => {
  const push = async (suite: string, path: string) => {
    const asAdmin = { HOLDBACK_URL: world.service.address, HOLDBACK_TOKEN: adminToken };
    const { code } = await runCommand(['suite', 'push', suite, path, '--activate'], asAdmin, { cwd: root });
    expect(code).toBe(0);
  };
  await push('discounts', 'examples/discounts/discounts.suite.ts');
  await push('library', 'examples/library/library.suite.json');
  expect(await readFile(join(root, 'examples/discounts/visible.test.ts'), 'utf8')).toContain('run(order(');
  const { code, out } = await leaks([join(root, 'examples'), join(root, 'test/corpus'), '--json']);
  expect(code).toBe(1);
  const found = new Set(
    reportSchema
      .parse(JSON.parse(out))
      .findings.map(({ path, suite }) => `${suite} in ${path.slice(root.length)}`),
  );
  expect([...found].sort()).toEqual([
    'discounts in examples/discounts/discounts.suite.ts',
    'library in examples/library/library.suite.json',
  ]);
});
