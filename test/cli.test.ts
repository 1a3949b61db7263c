/** The `holdback` command as a pipeline meets it: with a real service started by `holdback serve`; each of its exit codes is seen of a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openedRevisionSchema } from '../suites/suite.ts';
import { type Ended, runCommand, runCommandProcess } from './command.ts';
import { copyTemplate } from './template-database.ts';

const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const adminToken = 'hb_cliTestAdminToken0123456789';
const commit = 'c0ffee';

let folder: string;
let serving: ChildProcess;
let url: string;
const tokens = { admin: adminToken, ci: '', author: '' };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdback-cli-'));
  const data = join(folder, 'data');
  await mkdir(data);
  await copyTemplate(data);
  const flags = ['serve', '--port', '0', '--data-dir', data, '--json'];
  serving = start(flags, { HOLDBACK_ADMIN_TOKEN: adminToken });
  if (serving.stdout === null) throw new Error('the service has no output');
  const [line] = await once(createInterface({ input: serving.stdout }), 'line');
  url = z.object({ url: z.url() }).parse(JSON.parse(z.string().parse(line))).url;
  tokens.ci = (await holdback(['token', 'create', '--role', 'ci', '--name', 'CI'], 'admin')).out.trim();
  tokens.author = (
    await holdback(['token', 'create', '--role', 'author', '--name', 'QA'], 'admin')
  ).out.trim();
  await write('double.json', suiteOf({ name: 'two', input: 1, expect: { equals: 2 } }));
  await write('right.js', 'export const run = (n) => 2 * n;');
  await write('wrong.js', 'export const run = (n) => n;');
  await write('broken.ts', "import 'node:fs';");
  await holdback(['suite', 'push', 'double', at('double.json'), '--activate'], 'author');
  await holdback(['gate', 'set', 'double', '--suite', 'double'], 'admin');
}, 60_000);

afterAll(async () => {
  if (serving.exitCode === null) {
    serving.kill('SIGTERM');
    await once(serving, 'exit');
  }
  await rm(folder, { recursive: true, force: true });
}, 30_000);

function start(flags: string[], environment: NodeJS.ProcessEnv, cwd?: string): ChildProcess {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(HOLDBACK|DATABASE|GITHUB|CI)_/.test(name),
  );
  const env = { ...Object.fromEntries(inherited), ...environment };
  return spawn(process.execPath, [main, ...flags], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs the command in the test's folder as a role of the service, with further variables if given. */
async function holdback(
  flags: string[],
  role: keyof typeof tokens = 'ci',
  environment: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  return runCommand(flags, { ...asRole(role), ...environment }, { cwd: folder });
}

/** The same as a process, as a pipeline runs it. */
async function holdbackProcess(
  flags: string[],
  role: keyof typeof tokens = 'ci',
  environment: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  return runCommandProcess(flags, { ...asRole(role), ...environment }, { cwd: folder });
}

function asRole(role: keyof typeof tokens): NodeJS.ProcessEnv {
  return { HOLDBACK_URL: url, HOLDBACK_TOKEN: tokens[role] };
}

async function end(child: ChildProcess): Promise<Ended> {
  const [out, err] = [gather(child.stdout), gather(child.stderr)];
  const [code] = await once(child, 'close');
  return { code: z.number().nullable().parse(code), out: await out, err: await err };
}

async function gather(stream: ChildProcess['stdout']): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function at(name: string): string {
  return join(folder, name);
}

async function write(name: string, content: string | Uint8Array): Promise<void> {
  await writeFile(at(name), content);
}

function suiteOf(...cases: object[]): string {
  return JSON.stringify({ cases });
}

function score(change: string, ...rest: string[]): string[] {
  return ['score', '--gate', 'double', '--change', change, '--commit', commit, ...rest];
}

function verdict(change: string, ...rest: string[]): string[] {
  return ['verdict', '--gate', 'double', '--change', change, '--commit', commit, ...rest];
}

const errorSchema = z.strictObject({ error: z.strictObject({ code: z.string(), message: z.string() }) });

function codeOf({ out }: Ended): string {
  return errorSchema.parse(JSON.parse(out)).error.code;
}

/** Something that is not Holdback, or a Holdback in trouble, answering every request alike. */
async function withStandIn<Result>(
  status: number,
  body: string,
  use: (url: string) => Promise<Result>,
): Promise<Result> {
  const server = createServer((request, response) => {
    request
      .resume()
      .on('end', () => response.writeHead(status, { 'content-type': 'application/json' }).end(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = z
    .object({ port: z.number() })
    .parse(server.address() satisfies AddressInfo | string | null);
  try {
    return await use(`http://127.0.0.1:${port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('holdback score', () => {
  it('ends with 0 for a build that may merge, and with 1 for one that may not', async () => {
    const [right, wrong] = await Promise.all([
      holdbackProcess(score('both', at('right.js'))),
      holdbackProcess(score('both', at('wrong.js'))),
    ]);
    expect(right).toMatchObject({ code: 0, out: expect.stringMatching(/^MERGE {2}green: /), err: '' });
    expect(wrong).toMatchObject({ code: 1, out: expect.stringMatching(/^BLOCK {2}red: /), err: '' });
  });

  it('prints one JSON document with --json, which tells ci nothing of the cases', async () => {
    const { code, out } = await holdback([
      ...score('json', at('wrong.js')),
      '--agent',
      'a',
      '--model',
      'm',
      '--json',
    ]);
    expect(code).toBe(1);
    expect(Object.keys(JSON.parse(out)).sort()).toEqual(
      ['canMerge', 'candidate', 'change', 'gate', 'id', 'reason', 'revisions', 'state', 'verdict'].sort(),
    );
    expect(JSON.parse(out)).toMatchObject({
      change: { id: 'json', commit, agent: 'a', model: 'm' },
      verdict: 'block',
      canMerge: false,
      reason: 'red',
    });
  });

  it('tells how the visible tests came out, from a report of any length', async () => {
    const passing = '<testcase name="a" classname="b"><system-out>…</system-out></testcase>'.repeat(10_000);
    await write('report.xml', `<testsuites><testsuite>${passing}</testsuite></testsuites>`);
    const scored = await holdback(score('visible', at('right.js'), '--visible-tests', at('report.xml')));
    expect(scored).toMatchObject({ code: 0, err: '' });
    await write('report.json', JSON.stringify({ results: { tests: [] } }));
    for (const file of ['report.json', 'right.js']) {
      const refused = await holdback(score('visible', at('right.js'), '--visible-tests', at(file)));
      expect(refused).toMatchObject({ code: 2, err: expect.stringMatching(/neither JUnit XML, nor a CTRF/) });
    }
  });

  it('lets a gate show its badge to everybody', async () => {
    const set = ['gate', 'set', 'shown', '--suite', 'double'];
    expect((await holdback([...set, '--public-badges'], 'admin')).out).toContain('badges are public');
    expect(await (await fetch(`${url}/gates/shown/badge.svg`)).text()).toContain('holdback shown');
    await holdback(set, 'admin');
    expect(await (await fetch(`${url}/gates/shown/badge.svg`)).text()).toContain('not public');
  });

  it('shows an author what failed, with nothing that could move a cursor', async () => {
    await write('control.json', suiteOf({ name: 'red \u001b[31m\u202ename', expect: { equals: 1 } }));
    await holdback(['suite', 'push', 'control', at('control.json'), '--activate'], 'author');
    await holdback(['gate', 'set', 'control', '--suite', 'control'], 'admin');
    const flags = ['score', '--gate', 'control', '--change', '1', '--commit', commit, at('right.js')];
    const { code, out } = await holdback(flags, 'author');
    expect(code).toBe(1);
    expect(out).toContain('passed 0 of 1 case');
    expect(out).toContain('red \\u{1b}[31m\\u{202e}name');
    expect(out).not.toMatch(/[^\P{C}\n]/u);
  });

  it('sends a file as it is, so that the verdict is bound to its very bytes', async () => {
    const bytes = Buffer.from('\ufeffexport const run = (n) => 2 * n; // \u00e9 \r\n');
    await write('bytes.js', bytes);
    const { code, out } = await holdback([...score('bytes', at('bytes.js')), '--json']);
    expect(code).toBe(0);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    expect(JSON.parse(out).candidate.digest).toBe(digest);
  });

  it('bundles an entry with what it imports, to the same build from any folder', async () => {
    await mkdir(at('src'));
    await write('src/times.ts', 'export const times = (a: number, b: number): number => a * b;');
    await write(
      'src/index.ts',
      "import { times } from './times.ts';\nexport const run = (n: number) => times(2, n);",
    );
    const { code, out } = await holdback([...score('entry', '--entry', 'src/index.ts'), '--json']);
    expect(code).toBe(0);
    const asked = await holdback([...verdict('entry', '--entry', at('src/index.ts')), '--json']);
    expect(asked.code).toBe(0);
    expect(JSON.parse(asked.out)).toMatchObject({
      candidate: JSON.parse(out).candidate.digest,
      reason: 'green',
    });
  });

  it('takes the change from a GitHub or GitLab pipeline', async () => {
    const flags = ['score', '--gate', 'double', '--commit', commit, '--json', at('right.js')];
    const [github, gitlab] = await Promise.all([
      holdback(flags, 'ci', { GITHUB_REF: 'refs/pull/42/merge', GITHUB_REPOSITORY: 'shop/web' }),
      holdback(flags, 'ci', { CI_MERGE_REQUEST_IID: '7' }),
    ]);
    expect(JSON.parse(github.out).change).toEqual({ id: '42', commit, repository: 'shop/web' });
    expect(JSON.parse(gitlab.out).change).toEqual({ id: '7', commit });
  });

  it('answers the same score again for the same idempotency key, and refuses the key for another build', async () => {
    const flags = [...score('again'), '--idempotency-key', 'key-1', '--json'];
    const first = await holdback([...flags, at('right.js')]);
    const [again, other] = await Promise.all([
      holdback([...flags, at('right.js')]),
      holdback([...flags, at('wrong.js')]),
    ]);
    expect(again).toEqual(first);
    expect(other.code).toBe(2);
    expect(codeOf(other)).toBe('idempotency_conflict');
  });

  it('ends with 3 when the verdict is not there within the wait', async () => {
    await write('slow.js', 'export const run = (n) => { const end = Date.now(); for (;;) {} };');
    const { code, out, err } = await holdback([...score('slow', at('slow.js')), '--wait', '0', '--json']);
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'still_running' }, score: { state: 'running' } });
    expect(err).toContain('--wait');
  });
});

describe('holdback verdict', () => {
  it('ends with the verdict of exactly this build, and blocks one that was never scored', async () => {
    await holdback(score('asked', at('right.js')));
    const digest = `sha256:${createHash('sha256')
      .update(await readFile(at('right.js')))
      .digest('hex')}`;
    const [byFile, byDigest, other] = await Promise.all([
      holdback(verdict('asked', at('right.js'))),
      holdback([...verdict('asked', '--candidate', digest), '--json']),
      holdback([...verdict('asked', at('wrong.js')), '--json']),
    ]);
    expect(byFile).toMatchObject({ code: 0, out: expect.stringMatching(/^MERGE/) });
    expect(byDigest.code).toBe(0);
    expect(JSON.parse(byDigest.out)).toMatchObject({ verdict: 'merge', candidate: digest });
    expect(other.code).toBe(1);
    expect(JSON.parse(other.out)).toMatchObject({ verdict: 'block', reason: 'not_scored' });
  });
});

describe.concurrent('whatever stands in the way of a verdict', () => {
  it('ends with 3 and says what to set: no token, a wrong token, no service', async () => {
    const flags = [...score('x', at('right.js')), '--json'];
    const [none, wrong, malformed, unreachable] = await Promise.all([
      holdbackProcess(flags, 'ci', { HOLDBACK_TOKEN: '' }),
      holdback(flags, 'ci', { HOLDBACK_TOKEN: 'hb_thisTokenIsNotKnownAnywhere0' }),
      holdback(flags, 'ci', { HOLDBACK_TOKEN: 'two words' }),
      holdback(flags, 'ci', { HOLDBACK_URL: 'http://127.0.0.1:9' }),
    ]);
    const ends = [none, wrong, malformed, unreachable];
    expect(ends.map(({ code }) => code)).toEqual([3, 3, 3, 3]);
    const codes = ['token_missing', 'token_unknown', 'token_malformed', 'service_unreachable'];
    expect(ends.map(codeOf)).toEqual(codes);
    expect(none.err).toMatch(/^holdback: HOLDBACK_TOKEN is not set: .*\n$/);
    expect(wrong.err).toContain('HOLDBACK_TOKEN');
    expect(unreachable.err).toMatch(
      /^holdback: no service answers at http:\/\/127\.0\.0\.1:9\/ .*HOLDBACK_URL\n$/,
    );
  });

  it('ends with 3 for a token that may not ask here', async () => {
    const limited = ['token', 'create', '--role', 'ci', '--name', 'other', '--gate', 'other', '--json'];
    const { token } = z
      .object({ token: z.string() })
      .parse(JSON.parse((await holdback(limited, 'admin')).out));
    const answer = await holdback([...score('x', at('right.js')), '--json'], 'ci', { HOLDBACK_TOKEN: token });
    expect(answer.code).toBe(3);
    expect(codeOf(answer)).toBe('gate_forbidden');
  });

  it.each([
    ['fails', 500, '{"title":"The service failed","code":"internal"}'],
    ['is full', 429, '{"title":"Too many scores are waiting","code":"queue_full"}'],
    ['is not Holdback', 200, '<html>It works!</html>'],
    ['has no such address', 404, '<html>Not found</html>'],
    ['stored another build', 200, JSON.stringify({ digest: `sha256:${'0'.repeat(64)}` })],
  ])('ends with 3 when what answers %s', async (_what, status, body) => {
    const answer = await withStandIn(status, body, (standIn) =>
      holdback([...score('x', at('right.js')), '--json'], 'ci', { HOLDBACK_URL: standIn }),
    );
    expect(answer.code).toBe(3);
    expect(codeOf(answer)).not.toBe('usage');
  });

  it('prints nothing to a terminal that a service could move the cursor with', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const asked = { gate: 'double', change: 'x', commit, candidate: digest };
    const answer = { verdict: 'block', canMerge: false, reason: 'red', scoreId: randomUUID() };
    const revisions = [{ suite: '\u001b[2K', revision: 1 }];
    const blocked = await withStandIn(200, JSON.stringify({ ...asked, ...answer, revisions }), (standIn) =>
      holdback(verdict('x', '--candidate', digest), 'ci', { HOLDBACK_URL: standIn }),
    );
    expect(blocked).toMatchObject({ code: 1, out: expect.stringContaining('\\u{1b}[2K revision 1') });
    const [listed] = JSON.parse((await holdback(['token', 'list', '--json'], 'admin')).out).tokens;
    const made = JSON.stringify({ ...listed, token: 'hb_1\u001b[2K' });
    const created = await withStandIn(201, made, (standIn) =>
      holdback(['token', 'create', '--role', 'ci', '--name', 'x'], 'admin', { HOLDBACK_URL: standIn }),
    );
    expect(created).toMatchObject({ code: 3, out: '' });
    const revision = { suite: 's', revision: 1, digest: '\u001b[2K', cases: 1, state: 'active' };
    const activated = JSON.stringify({ ...revision, createdAt: new Date().toISOString() });
    const shown = await withStandIn(200, activated, (standIn) =>
      holdback(['suite', 'activate', 's', '1'], 'author', { HOLDBACK_URL: standIn }),
    );
    expect(shown).toMatchObject({ code: 0, out: expect.stringContaining('\\u{1b}[2K') });
  });

  it('ends with 2 for a gate that does not exist', async () => {
    const answer = await holdbackProcess([
      'score',
      '--gate',
      'none',
      '--change',
      '1',
      '--commit',
      commit,
      at('right.js'),
      '--json',
    ]);
    expect(answer.code).toBe(2);
    expect(codeOf(answer)).toBe('gate_not_found');
  });
});

describe.concurrent('wrong use', () => {
  it.each([
    ['no command', [], /a command is missing/],
    ['half a command', ['suite'], /suite check, suite push/],
    ['a command that is misspelt', ['scroe', '--gate', 'x'], /no command scroe: did you mean score\?/],
    ['half of it', ['suite', 'pusch', 'x'], /no command suite pusch: did you mean suite push\?/],
    ['a command that is like none', ['frobnicate'], /no command frobnicate: /],
    [
      'an option that is misspelt',
      ['score', '--gat', 'x'],
      /no option --gat: did you mean --gate\? .*holdback score --help/,
    ],
    [
      'an option that is like none',
      ['score', '--frobnicate'],
      /no option --frobnicate \(holdback score --help/,
    ],
    ['a revision that is none', ['suite', 'show', 'x', 'newest'], /REVISION is a number from 1, not newest/],
    ['a score that is none', ['override', 'x', '--reason', 'late'], /SCORE is the id of a score, as/],
    [
      'an incident of no commit',
      ['incident', 'create', '--gate', 'x', '--title', 'odd', '--change', '1'],
      /give either --score, or --change and --commit/,
    ],
    ['two revisions', ['suite', 'show', 'x', '2', '--revision', '3'], /not both/],
    [
      'an expectation that is misspelt',
      ['incident', 'draft', 'x', '--name', 'odd', '--expect', '{"equal": 5}'],
      /case "odd": expect\.equal: is not a known field \(did you mean equals\?\)/,
    ],
    ['an option without its value', ['score', '--gate'], /--gate/],
    ['an option given twice', score('x', '--gate', 'other', 'right.js'), /--gate is given 2 times/],
    ['an empty value, as of an unset variable', score('', 'right.js'), /--change is empty/],
    ['a missing option', ['score', 'right.js'], /--gate is missing/],
    ['a missing build', score('x'), /FILE, or --entry/],
    ['two builds', score('x', 'right.js', '--entry', 'right.js'), /not both/],
    ['one argument too many', score('x', 'right.js', 'wrong.js'), /wrong\.js is one argument too many/],
    ['a file that is not there', score('x', 'none.js'), /none\.js cannot be read \(there is no such file\)/],
    ['an entry that does not bundle', score('x', '--entry', 'broken.ts'), /broken\.ts:1:\d+: /],
    ['a wait that is no number', score('x', 'right.js', '--wait', 'long'), /--wait takes a whole number/],
    ['a role that is none', ['token', 'create', '--role', 'boss', '--name', 'x'], /--role is one of ci, /],
    ['a name that cannot be one', ['gate', 'set', '../g', '--suite', 's'], /a name has 1 to 100/],
  ])('ends with 2 and says what to do: %s', async (_what, flags, message) => {
    const { code, out, err } = await holdback([...flags, '--json']);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(errorSchema.parse(JSON.parse(out)).error.message).toMatch(message);
  });

  it.each([
    ['no address', 'gate.example'],
    ['an address with a password', 'https://me:s3cret@gate.example'],
    ['a token by mistake', 'hb_s3cret'],
  ])('ends with 2 where HOLDBACK_URL is %s, and repeats nothing of it', async (_what, address) => {
    const { code, err } = await holdback(score('x', at('right.js')), 'ci', { HOLDBACK_URL: address });
    expect(code).toBe(2);
    expect(err).toMatch(/^holdback: HOLDBACK_URL is no address, .*set it to one such as/);
    expect(err).not.toMatch(/s3cret|gate\.example/);
  });

  it('asks for --commit outside a git repository', async () => {
    const flags = ['score', '--gate', 'double', '--change', '1', at('right.js')];
    const { code, err } = await holdback(flags, 'ci', { GIT_CEILING_DIRECTORIES: tmpdir() });
    expect(code).toBe(2);
    expect(err).toContain('--commit is missing');
  });

  it('helps with all commands and with each, and ends with 0', async () => {
    const all = await holdback(['--help']);
    expect(all.code).toBe(0);
    const commands = [...all.out.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) {2,}/gm)].map(
      ([, words]) => words ?? '',
    );
    expect(commands).toEqual(
      expect.arrayContaining(['serve', 'demo', 'score', 'suite push', 'token create']),
    );
    const some = commands.filter((words) => ['score', 'suite push', 'demo'].includes(words));
    const helps = await Promise.all(some.map((words) => holdback([...words.split(' '), '--help'])));
    for (const [index, { code, out }] of helps.entries()) {
      expect(code).toBe(0);
      expect(out).toContain(`Usage: holdback ${some[index]}`);
    }
  });
});

describe('suites', () => {
  it('arrive with every key, escape and number as it was written', async () => {
    const text = `{"cases": [
      {"name": "proto \\ud800 \\u0000 \\u2028", "input": {"__proto__": {"x": {"$number": "-0"}}, "constructor": "\\udfff\\u0000"},
       "expect": {"equals": {"__proto__": [1e-7], "hasOwnProperty": "\\u2028\\ud83d"}}, "tags": ["\\ud800"]}
    ], "limits": {"caseMs": 100}}`;
    await write('text.json', text);
    const pushed = await holdback(['suite', 'push', 'text', at('text.json'), '--json'], 'author');
    expect(pushed.code).toBe(0);
    expect(JSON.parse(pushed.out)).toMatchObject({ suite: 'text', revision: 1, cases: 1, state: 'draft' });
    const response = await fetch(`${url}/suites/text/revisions/1`, {
      headers: { authorization: `Bearer ${tokens.author}` },
    });
    const { contents, limits } = openedRevisionSchema.parse(await response.json());
    expect(limits?.caseMs).toBe(100);
    expect(JSON.stringify(contents?.[0])).toBe(JSON.stringify(JSON.parse(text).cases[0]));
    expect(contents?.[0]?.input).toStrictEqual(JSON.parse(text).cases[0].input);
  });

  it('may be modules that import others', async () => {
    await write(
      'twice.ts',
      'export const twice = (output: number, input: number): boolean => output === 2 * input;',
    );
    await write(
      'module.suite.ts',
      "import { twice } from './twice.ts';\nexport default { cases: [{ name: 'c', input: 2, expect: twice }] };",
    );
    const pushed = await holdback(
      ['suite', 'push', 'module', at('module.suite.ts'), '--activate', '--json'],
      'author',
    );
    expect(pushed.code).toBe(0);
    expect(JSON.parse(pushed.out)).toMatchObject({ revision: 1, cases: 1, state: 'active' });
    await holdback(['gate', 'set', 'module', '--suite', 'module'], 'admin');
    const flags = ['score', '--gate', 'module', '--change', '1', '--commit', commit];
    const ends = await Promise.all([
      holdback([...flags, at('right.js')]),
      holdback([...flags, at('wrong.js')]),
    ]);
    expect(ends.map(({ code }) => code)).toEqual([0, 1]);
  });

  it('make a verdict stale when another revision is activated', async () => {
    await write('moving.json', suiteOf({ name: 'a', input: 1, expect: { equals: 2 } }));
    for (const _revision of [1, 2])
      await holdback(['suite', 'push', 'moving', at('moving.json'), '--yes'], 'author');
    const activated = await holdback(['suite', 'activate', 'moving', '1'], 'author');
    expect(activated).toMatchObject({
      code: 0,
      out: expect.stringContaining('suite moving, revision 1: 1 case, active'),
    });
    await holdback(['gate', 'set', 'moving', '--suite', 'moving'], 'admin');
    const about = ['--gate', 'moving', '--change', '1', '--commit', commit, at('right.js'), '--json'];
    expect(await holdback(['score', ...about])).toMatchObject({ code: 0 });
    await holdback(['suite', 'activate', 'moving', '2'], 'author');
    const stale = await holdback(['verdict', ...about]);
    expect(stale.code).toBe(1);
    expect(JSON.parse(stale.out)).toMatchObject({ verdict: 'block', reason: 'stale' });
  });

  it('are checked without a service, naming the case and the field', async () => {
    const offline = { HOLDBACK_URL: 'http://127.0.0.1:9', HOLDBACK_TOKEN: '' };
    await write(
      'wrong.json',
      suiteOf({ name: 'fine', expect: { equals: 1 } }, { name: 'odd', expect: { equal: 1 } }),
    );
    await write(
      'twins.json',
      suiteOf({ name: 'a', expect: { equals: 1 } }, { name: 'a', expect: { equals: 1 } }),
    );
    await write('none.json', '{"cases": []}');
    await write('lost.json', '{"cases": [{"name": "n", "input": [{"a": -0}], "expect": {"equals": 1e999}}]}');
    await write('text.txt', 'cases');
    const check = (name: string) => holdback(['suite', 'check', at(name)], 'author', offline);
    const [fine, wrong, twins, none, lost, text] = await Promise.all(
      ['double.json', 'wrong.json', 'twins.json', 'none.json', 'lost.json', 'text.txt'].map(check),
    );
    expect(fine).toMatchObject({ code: 0, out: expect.stringContaining('1 case of the right form') });
    expect(fine?.err).toContain('the service was not asked');
    expect(wrong).toMatchObject({
      code: 2,
      out: expect.stringMatching(/:1:\d+: expect\.equal: .*\(in case "odd"\): did you mean equals\?/),
    });
    expect(twins).toMatchObject({ code: 2, out: expect.stringContaining('two cases are called "a"') });
    expect(none).toMatchObject({ code: 2, out: expect.stringContaining('at least one') });
    expect(lost?.code).toBe(2);
    expect(lost?.out.split('\n').slice(0, 2)).toEqual([
      expect.stringMatching(
        /:1:42: input\.0\.a: JSON does not keep this number \(in case "n"\): write \{"\$number":"-0"\}$/,
      ),
      expect.stringMatching(/expect\.equals: .* write \{"\$number":"Infinity"\}$/),
    ]);
    expect(text).toMatchObject({ code: 2, err: expect.stringContaining('is no suite') });
  });

  it('that the service refuses end with 2 and its words', async () => {
    await write('pattern.json', suiteOf({ name: 'bad', expect: { throws: { message: '(' } } }));
    const { code, err } = await holdback(['suite', 'push', 'pattern', at('pattern.json')], 'author');
    expect(code).toBe(2);
    expect(err).toContain('"bad"');
  });

  it('and gates are listed', async () => {
    const [suites, gates] = await Promise.all([
      holdback(['suite', 'list', '--json'], 'author'),
      holdback(['gate', 'list'], 'author'),
    ]);
    expect(JSON.parse(suites.out).suites).toContainEqual(
      expect.objectContaining({ suite: 'double', activeRevision: 1 }),
    );
    expect(gates.out).toContain('gate double: needs double (revision 1)');
  });
});

describe('holdback token', () => {
  it('prints the token alone on stdout, and the rest on stderr', async () => {
    const { code, out, err } = await holdback(
      ['token', 'create', '--role', 'ci', '--name', 'CI of shop'],
      'admin',
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^hb_[0-9A-Za-z]{38}\n$/);
    expect(err).toContain('CI of shop');
  });

  it('limits a token, which is listed, and revoked for good', async () => {
    const limits = ['--gate', 'double', '--suite', 'double', '--owner', 'ada', '--expires', '30', '--json'];
    const made = await holdback(['token', 'create', '--role', 'author', '--name', 'QA', ...limits], 'admin');
    const { token, id, ...rest } = z
      .looseObject({ token: z.string(), id: z.uuid() })
      .parse(JSON.parse(made.out));
    expect(rest).toMatchObject({ gates: ['double'], suites: ['double'], owner: 'ada' });
    const days = (Date.parse(`${rest.expiresAt}`) - Date.now()) / 86_400_000;
    expect(days).toBeCloseTo(30, 1);
    const row = async () => {
      const { out } = await holdback(['token', 'list'], 'admin');
      expect(out).not.toContain(token);
      return out.split('\n').find((line) => line.startsWith(id));
    };
    expect(await row()).toMatch(
      /author: QA; of ada; for gates double; for suites double; never used; ends \d{4}-\S+$/,
    );
    const revoked = await holdback(['token', 'revoke', id, '--json'], 'admin');
    expect([revoked.code, JSON.parse(revoked.out)]).toEqual([0, { id, revoked: true }]);
    expect(await row()).toMatch(/; revoked \d{4}-\S+$/);
    const after = await holdback(['suite', 'list', '--json'], 'author', { HOLDBACK_TOKEN: token });
    expect([after.code, JSON.parse(after.out)]).toMatchObject([3, { error: { code: 'token_revoked' } }]);
  });

  it('takes an id to revoke, not a token, and repeats none', async () => {
    const { code, err } = await holdback(['token', 'revoke', tokens.ci], 'admin');
    expect(code).toBe(2);
    expect(err).not.toContain(tokens.ci);
    const unknown = await holdback(['token', 'revoke', '00000000-0000-4000-8000-000000000000'], 'admin');
    expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining('Not found: there is no token')]);
  });
});

describe('holdback serve', () => {
  it('stops the service when it is told to stop, and ends with 0', async () => {
    const data = join(folder, 'second');
    await mkdir(data);
    await copyTemplate(data);
    const child = start(['serve', '--port', '0', '--data-dir', data], {}, folder);
    child.stdout?.on('data', (text: Buffer) => {
      if (text.includes('hb_')) child.kill('SIGTERM');
    });
    const { code, out, err } = await end(child);
    expect(err).toBe('');
    expect(out).toMatch(/^Holdback listens on http:\/\/127\.0\.0\.1:\d+\n.*hb_[0-9A-Za-z]{38}\n$/);
    expect(code).toBe(0);
  });

  it('ends with 3 and the reason when the service cannot start', async () => {
    const { code, err } = await end(
      start(['serve', '--data-dir', join(folder, 'data')], { HOLDBACK_PORT: '0' }, folder),
    );
    expect(code).toBe(3);
    expect(err).toContain('another holdback process uses');
  });
});

describe('holdback demo', () => {
  it('puts everything away when it is interrupted', async () => {
    const child = start(['demo'], { TMPDIR: at('demo') });
    await mkdir(at('demo'));
    child.stdout?.on('data', (text: Buffer) => {
      if (text.includes('sealed')) child.kill('SIGINT');
    });
    const { code, err } = await end(child);
    expect(code).toBe(3);
    expect(err).toContain('interrupted');
    expect(await readdir(at('demo'))).toEqual([]);
  });
});
