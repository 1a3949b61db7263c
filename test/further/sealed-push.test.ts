/**
 * A suite that its author sealed at home may lie anywhere and be pushed by anybody: the service alone opens it, it becomes what
 * it was sealed as and nothing else, and whoever pushes it learns nothing of what is in it.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { armor, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sealFile } from '../../suites/sealing/sealed-file.ts';
import { seal } from '../../suites/sealing/sealing.ts';
import { type Ended, runCommand } from '../command.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type Client, type Reply, scoreRequest, startWorld, type World } from '../world.ts';

const canary = 'CANARY7f3a';
const source = JSON.stringify({
  cases: [{ name: `${canary} one`, input: { [canary]: 1 }, expect: { equals: { [canary]: 1 } } }],
});
const right = 'export function run(x) { return x }';

let world: World;
let folder: string;
let recipient: string;
let author: Client;
let ci: Client;
let suites = 0;
/** All that ci was told in this file. */
let toldToCi = '';

beforeAll(async () => {
  [world, folder] = await Promise.all([
    startWorld({ HOLDBACK_POOL: '1', HOLDBACK_CONCURRENCY: '1' }),
    temporaryFolder(),
  ]);
  const asCi = await world.as('ci');
  author = await world.as('author');
  ci = async (...request) => {
    const reply = await asCi(...request);
    toldToCi += `${JSON.stringify([...reply.headers])}${reply.text}`;
    return reply;
  };
  recipient = `${Reflect.get(Object((await world.client(undefined)('GET', '/recipient')).json), 'recipient')}`;
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true, force: true });
});

function fresh(): string {
  return `suite-${suites++}`;
}

function push(client: Client, suite: string, sealed: string, query = ''): Promise<Reply> {
  return client('POST', `/suites/${suite}/revisions${query}`, { sealed });
}

/** What `holdback suite seal` seals, with changes that it would not make. */
function envelopeText(changes: object): string {
  const usual = {
    format: 'holdback sealed suite',
    version: 1,
    suite: 'odd',
    sealedAt: new Date().toISOString(),
  };
  return JSON.stringify({ ...usual, source: JSON.parse(source), ...changes });
}

async function envelope(changes: object): Promise<string> {
  return armor.encode(await seal(envelopeText(changes), [recipient]));
}

function minutesFromNow(minutes: number): string {
  return new Date(Date.now() + minutes * 60_000).toISOString();
}

describe('a sealed suite', () => {
  test('is pushed by ci as a draft, of which ci is told nothing, and is what its author wrote', async () => {
    const suite = fresh();
    const sealed = await sealFile(suite, source, recipient);
    expect(sealed).not.toContain(canary);
    const pushed = await push(ci, suite, sealed);
    expect(pushed.status, pushed.text).toBe(201);
    expect(pushed.json).toEqual({ suite, revision: 1, state: 'draft' });
    const opened = await author('GET', `/suites/${suite}/revisions/1`);
    expect(opened.json).toMatchObject({
      contents: [{ name: `${canary} one`, input: { [canary]: 1 }, expect: { equals: { [canary]: 1 } } }],
    });
    await author('POST', `/suites/${suite}/revisions/1/activate`);
    await world.admin('PUT', `/gates/${suite}`, { suites: [suite] });
    const [green, red] = [
      await ci('POST', '/score', scoreRequest(suite, right)),
      await ci('POST', '/score', scoreRequest(suite, 'export const run = () => 1', 'another')),
    ];
    expect([green.json, red.json]).toMatchObject([{ verdict: 'merge' }, { verdict: 'block', reason: 'red' }]);
  });

  test('pushed again is the same revision, by whomever, and activated only by an author', async () => {
    const suite = fresh();
    const sealed = await sealFile(suite, source, recipient);
    const both = await Promise.all([push(ci, suite, sealed), push(author, suite, sealed)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 201]);
    expect(both.map(({ json }) => Reflect.get(Object(json), 'revision'))).toEqual([1, 1]);
    const windows = sealed.replaceAll('\n', '\r\n');
    expect((await push(ci, suite, windows)).json).toEqual({ suite, revision: 1, state: 'draft' });
    const active = await push(author, suite, sealed, '?activate=true');
    expect(active.json).toMatchObject({ revision: 1, state: 'active', cases: 1 });
    expect((await push(ci, suite, sealed)).json).toEqual({ suite, revision: 1, state: 'active' });
    expect((await author('GET', `/suites/${suite}`)).json).toMatchObject({ revisions: [{ revision: 1 }] });
  });

  test('of the same contents and time is another file, so that nobody can try a guess against it', async () => {
    const sealedAt = new Date().toISOString();
    const [one, guess] = [await envelope({ sealedAt }), await envelope({ sealedAt })];
    expect((await push(ci, 'odd', one)).status).toBe(201);
    refused(await push(ci, 'odd', guess), 'sealed_suite_refused');
    refused(await push(author, 'odd', guess), 'seal_rolled_back');
  });

  test('cannot be rolled back: what was sealed before another is refused, and not activated again', async () => {
    const suite = fresh();
    const older = await sealFile(suite, source, recipient);
    await push(author, suite, older);
    const between = await sealFile(suite, source, recipient);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const newer = await sealFile(suite, source, recipient);
    expect((await push(author, suite, newer, '?activate=true')).status).toBe(201);
    const told = refused(await push(author, suite, between), 'seal_rolled_back');
    expect(told).toMatch(/before revision 2.*seal it again/);
    refused(await push(author, suite, older, '?activate=true'), 'seal_rolled_back');
    refused(await push(ci, suite, between), 'sealed_suite_refused');
    expect((await push(author, suite, older)).json).toMatchObject({ revision: 1 });
    expect((await author('GET', `/suites/${suite}`)).json).toMatchObject({ activeRevision: 2 });
    const direct = await author('POST', `/suites/${suite}/revisions`, source);
    expect(direct.json).toMatchObject({ revision: 3 });
  });

  test('is not kept out by what ci has pushed, whenever that says it was sealed', async () => {
    const suite = fresh();
    const mine = await sealFile(suite, source, recipient);
    for (const minutes of [1, 9]) {
      const theirs = await envelope({ suite, sealedAt: minutesFromNow(minutes) });
      expect((await push(ci, suite, theirs)).status).toBe(201);
    }
    expect((await push(author, suite, mine, '?activate=true')).json).toMatchObject({
      revision: 3,
      state: 'active',
    });
    expect((await push(author, suite, mine, '?activate=true')).json).toMatchObject({ revision: 3 });
  });

  test('that says it was sealed in the future is refused, lest it keep out what follows', async () => {
    const told = refused(
      await push(author, 'odd', await envelope({ sealedAt: minutesFromNow(11) })),
      'seal_not_yet',
    );
    expect(told).toContain('set the clock');
    refused(await push(ci, 'odd', await envelope({ sealedAt: minutesFromNow(11) })), 'sealed_suite_refused');
  });

  test('is refused for another suite', async () => {
    const sealed = await sealFile('easy', source, recipient);
    expect(refused(await push(author, 'hard', sealed), 'seal_wrong_suite')).toContain('--suite hard');
    refused(await push(ci, 'hard', sealed), 'sealed_suite_refused');
    expect((await author('GET', '/suites/hard')).status).toBe(404);
  });

  test('is refused with one bit altered, wherever it is, and when it is cut', async () => {
    const bytes = armor.decode(await sealFile('altered', source, recipient));
    for (const at of [0, 25, 60, 110, 170, bytes.length >> 1, bytes.length - 1]) {
      const altered = Uint8Array.from(bytes);
      altered[at] = (altered[at] ?? 0) ^ 1;
      const told = refused(await push(author, 'altered', armor.encode(altered)), 'sealed_suite_broken');
      expect(told).toContain('seal it again');
      refused(await push(ci, 'altered', armor.encode(altered)), 'sealed_suite_refused');
    }
    const text = armor.encode(bytes);
    for (const broken of [
      text.slice(1),
      text.slice(0, -40),
      text.replace('\n', ''),
      `${text}x`,
      'x',
      source,
    ]) {
      refused(await push(author, 'altered', broken), 'sealed_suite_broken');
    }
  });

  test('is refused when it is sealed to somebody else', async () => {
    const other = await identityToRecipient(await generateX25519Identity());
    const told = refused(
      await push(author, 'other', await sealFile('other', source, other)),
      'sealed_suite_broken',
    );
    expect(told).toContain(recipient);
    expect(told).not.toContain('AGE-SECRET-KEY');
  });

  test('that is sealed to hundreds of others too is refused before it costs anything', async () => {
    const other = await identityToRecipient(await generateX25519Identity());
    const crowd = await seal(source, [...Array.from({ length: 300 }, () => other), recipient]);
    refused(await push(author, 'other', armor.encode(crowd)), 'sealed_suite_broken');
  });

  const wrongInside: [string, object, string][] = [
    ['is no suite', { source: { cases: [{ name: canary }] } }, 'source'],
    ['is sealed twice', { source: { sealed: 'x' } }, 'source'],
    ['has no case', { source: { cases: [] } }, 'at least one case'],
    ['has two forms', { source: { cases: [], module: 'x' } }, 'either cases or a module'],
    ['is of another kind', { format: 'something else' }, 'format'],
    ['is of a version to come', { version: 2 }, 'version'],
    ['has a time that is none', { sealedAt: 'yesterday' }, 'sealedAt'],
    ['has a wrong pattern', { source: casesWith({ throws: { message: `(${canary}` } }) }, canary],
    ['is a module that throws', { source: { module: `throw new Error('${canary}')` } }, canary],
    ['is nested without end', { source: casesWith({ equals: 'deep' }) }, 'nested too deep'],
  ];
  test.each(wrongInside)(
    'that %s is refused, and why is told to an author alone',
    async (_what, changes, told) => {
      const text = envelopeText(changes).replace('"deep"', '['.repeat(100_000) + ']'.repeat(100_000));
      const sealed = armor.encode(await seal(text, [recipient]));
      expect(refused(await push(author, 'odd', sealed), 'suite_invalid')).toContain(told);
      const blind = await push(ci, 'odd', sealed);
      expect(refused(blind, 'sealed_suite_refused')).toMatch(/ask its author/);
    },
  );

  test('with more keys and values than a suite may have is not even read', async () => {
    const text = `{"a":${'['.repeat(10_000_001)}`;
    const sealed = armor.encode(await seal(text, [recipient]));
    expect(refused(await push(author, 'odd', sealed), 'suite_invalid')).toContain('10000000 keys and values');
  });

  test('is one form of three, with its limits inside', async () => {
    const sealed = await sealFile('forms', source, recipient);
    const path = '/suites/forms/revisions';
    const two = await author('POST', path, { sealed, module: 'export default []' });
    expect(two.json).toMatchObject({ status: 400, detail: expect.stringContaining('or is sealed') });
    const limits = await author('POST', path, { sealed, limits: { caseMs: 100 } });
    expect(limits.json).toMatchObject({ status: 400, detail: expect.stringContaining('sealed with it') });
  });
});

describe('ci', () => {
  test('pushes nothing but what is sealed, and activates nothing', async () => {
    const sealed = await sealFile('plain', source, recipient);
    for (const reply of [
      await ci('POST', '/suites/plain/revisions', JSON.parse(source)),
      await ci('POST', '/suites/plain/revisions', { module: 'export default []' }),
      await push(ci, 'plain', sealed, '?activate=true'),
      await ci('POST', '/suites/plain/revisions/1/activate'),
      await ci('GET', '/suites/plain/revisions/1'),
      await ci('GET', '/suites/plain'),
    ]) {
      expect(reply.json).toMatchObject({ status: 403, code: 'role_forbidden' });
    }
  });

  test('was told nothing of any suite, and the same of all that were refused', () => {
    expect(toldToCi).not.toContain(canary);
    expect(toldToCi).not.toContain('hmac-sha256');
    expect(toldToCi).not.toContain('"cases"');
    const refusals = toldToCi.match(/\{"type":"urn:holdback:problem:sealed_suite_refused"[^}]*\}/g) ?? [];
    expect(refusals.length).toBeGreaterThan(10);
    expect(new Set(refusals).size).toBe(1);
  });
});

describe('holdback suite seal', () => {
  test('seals a module where its author is, for anybody to push', async () => {
    const suite = fresh();
    const module = `export default [{ name: '${canary}', input: 2, expect: (output) => output === 2 }];`;
    await writeFile(join(folder, 'two.ts'), module);
    const sealed = await holdback(['suite', 'seal', 'two.ts', '--suite', suite], '');
    expect(sealed.code, sealed.err).toBe(0);
    expect(sealed.err).toContain(recipient);
    expect(sealed.out).toMatch(
      /^-----BEGIN AGE ENCRYPTED FILE-----\n[\s\S]*\n-----END AGE ENCRYPTED FILE-----\n$/,
    );
    await writeFile(join(folder, 'two.sealed'), sealed.out);
    const checked = await holdback(['suite', 'check', 'two.sealed'], '');
    expect(checked).toMatchObject({ code: 0, out: expect.stringContaining('Only the service can read it') });
    const ciToken = await token('ci');
    const pushed = await holdback(['suite', 'push', suite, 'two.sealed'], ciToken);
    expect(pushed).toMatchObject({ code: 0, out: `suite ${suite}, revision 1: draft\n` });
    const opened = await author('GET', `/suites/${suite}/revisions/1`);
    expect(opened.json).toMatchObject({ contents: [{ name: canary, input: 2 }] });
    const activated = await holdback(
      ['suite', 'push', suite, 'two.sealed', '--activate', '--json'],
      await token('author'),
    );
    expect(JSON.parse(activated.out)).toMatchObject({ revision: 1, state: 'active', cases: 1 });
    const elsewhere = await holdback(['suite', 'push', `${suite}-b`, 'two.sealed'], ciToken);
    expect(elsewhere).toMatchObject({ code: 2, err: expect.stringContaining('ask its author') });
  });

  test('keeps every key, escape and number of a suite in JSON, and needs no service with --recipient', async () => {
    const suite = fresh();
    const text = `{"cases": [{"name": "\\ud800", "input": {"__proto__": 1e-7}, "expect": {"equals": "\\udfff\\u0000"}}]}`;
    await writeFile(join(folder, 'text.json'), text);
    const flags = ['--suite', suite, '--recipient', recipient, '--output', 'text.sealed', '--json'];
    const sealed = await holdback(['suite', 'seal', 'text.json', ...flags], '', 'http://127.0.0.1:9');
    expect(JSON.parse(sealed.out), sealed.err).toEqual({ suite, recipient, output: 'text.sealed' });
    const pushed = await push(ci, suite, await readFile(join(folder, 'text.sealed'), 'utf8'));
    expect(pushed.status, pushed.text).toBe(201);
    const { contents } = Object((await author('GET', `/suites/${suite}/revisions/1`)).json);
    const expectation = { equals: '\udfff\0' };
    expect(JSON.stringify(contents[0])).toBe(
      JSON.stringify({
        name: '\ud800',
        input: JSON.parse('{"__proto__":1e-7}'),
        expect: expectation,
        tags: [],
      }),
    );
  });

  test.each([
    ['a recipient that is none', ['--suite', 's', '--recipient', 'age1nobody'], /is not an age recipient/],
    ['no suite', ['--recipient', 'x'], /--suite is missing/],
    ['itself as output', ['--suite', 's', '--output', './plain.json'], /would be lost/],
    ['a folder that is not there', ['--suite', 's', '--output', 'no/where'], /no\/where cannot be written/],
  ])('ends with 2 and says what to do: %s', async (_what, flags, told) => {
    await writeFile(join(folder, 'plain.json'), source);
    const { code, out, err } = await holdback(['suite', 'seal', 'plain.json', ...flags], '');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(told);
    expect(await readFile(join(folder, 'plain.json'), 'utf8')).toBe(source);
  });

  test('seals nothing twice', async () => {
    await writeFile(join(folder, 'sealed.json'), await sealFile('twice', source, recipient));
    const again = await holdback(['suite', 'seal', 'sealed.json', '--suite', 'twice'], '');
    expect(again).toMatchObject({ code: 2, err: expect.stringContaining('is sealed already') });
  });
});

/** Holds a refusal against the one form of all problems, and gives its detail. */
function refused(reply: Reply, code: string): string {
  expect(reply.json, reply.text).toMatchObject({ status: 422, code, detail: expect.stringMatching(/\w/) });
  return `${Reflect.get(Object(reply.json), 'detail')}`;
}

function casesWith(expectation: object): object {
  return { cases: [{ name: 'odd', expect: expectation }] };
}

async function token(role: string): Promise<string> {
  const made = await world.admin('POST', '/tokens', { role, name: 'a test' });
  return `${Reflect.get(Object(made.json), 'token')}`;
}

function holdback(flags: string[], ofToken: string, url = world.service.address): Promise<Ended> {
  return runCommand(flags, { HOLDBACK_URL: url, HOLDBACK_TOKEN: ofToken }, { cwd: folder });
}
